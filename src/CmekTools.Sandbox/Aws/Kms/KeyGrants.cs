using System.Security.Cryptography;
using System.Text.Json.Nodes;
using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>Grants: they let somebody use a key whatever its policy says, short of an explicit deny.</summary>
internal static class KeyGrants
{
    private const int MostOfAKey = 50_000;

    private static readonly string[] Symmetric =
    [
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
        "CreateGrant",
        "RetireGrant",
        "DescribeKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
    ];

    private static readonly string[] Others = ["Sign", "Verify", "GetPublicKey", "GenerateMac", "VerifyMac", "DeriveSharedSecret"];

    /// <summary>CreateGrant.</summary>
    public static JsonObject Create(KmsCall call)
    {
        string[] operations = [.. call.Texts("Operations")];
        KmsKey key = KeyLookup.Find(call, call.Need("KeyId"), aliases: false, "kms:CreateGrant");
        PolicyQuestion question = call.Ask("kms:CreateGrant", key.Arn, key);
        question.Keys["kms:GrantOperations"] = operations;
        Questions.Add(question, "kms:GranteePrincipal", call.Text("GranteePrincipal"));
        Questions.Add(question, "kms:GrantIsForAWSResource", "false");
        JsonObject? constraints = call.Body["Constraints"] as JsonObject;
        Questions.Add(question, "kms:GrantConstraintType", constraints?.FirstOrDefault().Key);
        call.Demand(question, key);
        if (operations.Length == 0)
        {
            throw KmsCall.Invalid(
                "1 validation error detected: Value '[]' at 'operations' failed to satisfy constraint: Member must not be null");
        }

        if (operations.FirstOrDefault(o => !Symmetric.Contains(o)) is { } wrong)
        {
            throw KmsCall.Invalid(Others.Contains(wrong)
                ? $"Grant operation {wrong} is not valid for the key {key.Arn}"
                : $"1 validation error detected: Value '[{wrong}]' at 'operations' failed to satisfy constraint: Member must satisfy "
                    + "enum value set");
        }

        call.DemandUsable(key);
        PrincipalNames names = new(call.World);
        string grantee = Principal(names, call.Need("GranteePrincipal"));
        string? retiring = call.Text("RetiringPrincipal") is { } retires ? Principal(names, retires) : null;
        string? name = call.Text("Name");

        // A name makes the call one that can be repeated.
        KmsGrant? same = name is null
            ? null
            : key.Grants.Find(g => g.Ended is null && g.Name == name && g.Grantee == grantee && g.Retiring == retiring
            && g.Operations.Order(StringComparer.Ordinal).SequenceEqual(operations.Order(StringComparer.Ordinal))
            && JsonNode.DeepEquals(g.Constraints, constraints));
        if (same is null)
        {
            if (key.Grants.Count(g => g.Ended is null) >= MostOfAKey)
            {
                throw new AwsErrorException("LimitExceededException", $"The key {key.Arn} has as many grants as it can have.");
            }

            same = new KmsGrant(
                RandomNumberGenerator.GetHexString(64, lowercase: true),
                AwsIds.Secret(60),
                grantee,
                operations,
                call.Caller.AccountId,
                call.Now)
            {
                Name = name,
                Retiring = retiring,
                Constraints = (JsonObject?)constraints?.DeepClone(),
            };
            key.Grants.Add(same);
        }

        return new JsonObject { ["GrantId"] = same.Id, ["GrantToken"] = same.Token };
    }

    /// <summary>ListGrants.</summary>
    public static JsonObject List(KmsCall call)
    {
        KmsKey key = call.Key("kms:ListGrants");
        string? id = call.Text("GrantId");
        string? grantee = call.Text("GranteePrincipal");
        IEnumerable<KmsGrant> grants = key.Grants.Where(g => g.Ended is null && (id is null || g.Id == id));
        return Paging.Page(
            call,
            "Grants",
            grants.Select(g => Show(call, key, g)).Where(g => grantee is null || g["GranteePrincipal"]!.ToString() == grantee),
            50,
            100);
    }

    /// <summary>ListRetirableGrants: of one's own account, whatever key they are on.</summary>
    public static JsonObject ListRetirable(KmsCall call)
    {
        call.Demand("kms:ListRetirableGrants");
        string retiring = call.Need("RetiringPrincipal");
        return Paging.Page(
            call,
            "Grants",
            call.Keys.Keys.Where(k => k.Region == call.Region)
                .SelectMany(k => k.Grants.Where(g => g.Ended is null).Select(g => Show(call, k, g)))
                .Where(g => g["RetiringPrincipal"]?.ToString() == retiring),
            50,
            100);
    }

    /// <summary>RevokeGrant.</summary>
    public static JsonObject Revoke(KmsCall call)
    {
        KmsKey key = call.Key("kms:RevokeGrant");
        string id = call.Need("GrantId");
        KmsGrant grant = key.Grants.Find(g => g.Id == id && g.Ended is null) ?? throw NotFound(id);
        grant.Ended = call.Now;
        return [];
    }

    /// <summary>
    /// RetireGrant: by whoever may retire it, by its grantee where that is among the operations, or by the key's account.
    /// </summary>
    public static JsonObject Retire(KmsCall call)
    {
        string? token = call.Text("GrantToken");
        KmsKey? key = token is null
            ? KeyLookup.Find(call, call.Need("KeyId"), aliases: false, "kms:RetireGrant")
            : call.Keys.Keys.FirstOrDefault(k => k.Region == call.Region && k.Grants.Exists(g => g.Token == token));
        string? id = token is null ? call.Need("GrantId") : null;
        KmsGrant grant = key?.Grants.Find(
            g => g.Ended is null && (token is null ? g.Id == id : g.Token == token)) ?? throw NotFound(id ?? "of that token");
        bool may = Is(call.Caller, grant.Retiring) || (Is(call.Caller, grant.Grantee) && grant.Operations.Contains("RetireGrant"));
        if (!may)
        {
            call.Demand("kms:RetireGrant", key!);
        }

        grant.Ended = call.Now;
        return [];
    }

    /// <summary>True where a grant lets the caller do that now.</summary>
    public static bool Allow(KmsCall call, KmsKey key, PolicyQuestion question)
    {
        string operation = question.Action[(question.Action.IndexOf(':', StringComparison.Ordinal) + 1)..];
        string[] tokens = [.. call.Texts("GrantTokens")];
        return key.Grants.Exists(g => g.Operations.Contains(operation) && Is(question.Caller, g.Grantee) && Fits(
            g.Constraints,
            operation,
            call)
            && (call.Now - g.Created >= call.World.Lag || tokens.Contains(g.Token))
            && (g.Ended is not { } end || call.Now - end < call.World.Lag));
    }

    // DescribeKey and RetireGrant have no encryption context, so that a constraint does not touch them.
    private static bool Fits(JsonObject? constraints, string operation, KmsCall call)
    {
        if (constraints is null || operation is "DescribeKey" or "RetireGrant")
        {
            return true;
        }

        string field = operation switch
        {
            "ReEncryptFrom" => "SourceEncryptionContext",
            "ReEncryptTo" => "DestinationEncryptionContext",
            _ => "EncryptionContext",
        };
        JsonObject given = call.Body[field] as JsonObject ?? [];
        return constraints["EncryptionContextEquals"] is JsonObject all
            ? JsonNode.DeepEquals(all, given)
            : (constraints["EncryptionContextSubset"] as JsonObject ?? []).All(p => JsonNode.DeepEquals(p.Value, given[p.Key]));
    }

    private static bool Is(AwsCaller caller, string? stored) =>
        stored is not null && (stored == caller.UniqueId || stored == caller.Arn || stored == AwsIds.Root(caller.AccountId));

    private static string Principal(PrincipalNames names, string written) => written != "*" && names.ToStored(written) is { } stored
        ? stored
        : throw new AwsErrorException("InvalidArnException", $"ARN does not refer to a valid principal: {written}");

    private static AwsErrorException NotFound(string id) => new("NotFoundException", $"Grant {id} is not found.");

    private static JsonObject Show(KmsCall call, KmsKey key, KmsGrant grant)
    {
        PrincipalNames names = new(call.World);
        JsonObject shown = new()
        {
            ["KeyId"] = key.Arn,
            ["GrantId"] = grant.Id,
            ["Name"] = grant.Name ?? string.Empty,
            ["CreationDate"] = KmsCall.Epoch(grant.Created),
            ["GranteePrincipal"] = names.ToShown(grant.Grantee),
            ["IssuingAccount"] = AwsIds.Root(grant.IssuedBy),
            ["Operations"] = new JsonArray([.. grant.Operations.Select(o => (JsonNode)o)]),
        };
        if (grant.Retiring is { } retiring)
        {
            shown["RetiringPrincipal"] = names.ToShown(retiring);
        }

        if (grant.Constraints is { } constraints)
        {
            shown["Constraints"] = constraints.DeepClone();
        }

        return shown;
    }
}
