using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>Aliases.</summary>
internal static partial class KeyAliases
{
    /// <summary>CreateAlias.</summary>
    public static JsonObject Create(KmsCall call)
    {
        string arn = AliasArn(call, out string name);
        call.Demand("kms:CreateAlias", arn);
        KmsKey key = call.Key("kms:CreateAlias", name: "TargetKeyId");
        call.DemandNotPendingDeletion(key);
        if (call.Keys.FindAlias(arn) is not null)
        {
            throw new AwsErrorException("AlreadyExistsException", $"An alias with the name {arn} already exists");
        }

        call.Keys.Put(new KmsAlias(call.Caller.AccountId, call.Region, name, key.Id, call.Now, call.Now));
        return [];
    }

    /// <summary>UpdateAlias.</summary>
    public static JsonObject Update(KmsCall call)
    {
        KmsAlias alias = Find(call, "kms:UpdateAlias");
        KmsKey key = call.Key("kms:UpdateAlias", name: "TargetKeyId");
        call.DemandNotPendingDeletion(key);
        if (call.Keys.Find(KmsStore.Arn(alias.Region, alias.AccountId, "key/" + alias.KeyId)) is { } old)
        {
            // AWS asks the key that loses the alias as well.
            call.Demand("kms:UpdateAlias", old);
            if (old.Usage != key.Usage || old.IsSymmetric != key.IsSymmetric)
            {
                throw KmsCall.Invalid("An alias can only move to a key of the same type and usage");
            }
        }

        call.Keys.Put(alias with { KeyId = key.Id, Updated = call.Now });
        return [];
    }

    /// <summary>DeleteAlias.</summary>
    public static JsonObject Delete(KmsCall call)
    {
        KmsAlias alias = Find(call, "kms:DeleteAlias");
        if (call.Keys.Find(KmsStore.Arn(alias.Region, alias.AccountId, "key/" + alias.KeyId)) is { } key)
        {
            call.Demand("kms:DeleteAlias", key);
        }

        call.Keys.Remove(alias);
        return [];
    }

    /// <summary>ListAliases.</summary>
    public static JsonObject List(KmsCall call)
    {
        call.Demand("kms:ListAliases");
        KmsKey? only = call.Text("KeyId") is { } id ? KeyLookup.Find(call, id, aliases: false, "kms:ListAliases") : null;
        return Paging.Page(
            call,
            "Aliases",
            call.Keys.AliasesIn(call.Caller.AccountId, call.Region).Where(a => only is null || a.KeyId == only.Id).Select(Show),
            50,
            100);
    }

    private static JsonObject Show(KmsAlias alias) => new()
    {
        ["AliasName"] = alias.Name,
        ["AliasArn"] = alias.Arn,
        ["TargetKeyId"] = alias.KeyId,
        ["CreationDate"] = KmsCall.Epoch(alias.Created),
        ["LastUpdatedDate"] = KmsCall.Epoch(alias.Updated),
    };

    private static KmsAlias Find(KmsCall call, string action)
    {
        string arn = AliasArn(call, out _);
        call.Demand(action, arn);
        return call.Keys.FindAlias(arn) ?? throw new AwsErrorException("NotFoundException", $"Alias {arn} is not found.");
    }

    private static string AliasArn(KmsCall call, out string name)
    {
        name = call.Need("AliasName");
        if (!name.StartsWith("alias/", StringComparison.Ordinal))
        {
            throw KmsCall.Invalid(
                "Alias must start with the prefix \"alias/\". Please see "
                    + "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html");
        }

        if (name.Length > 256 || !NamePattern().IsMatch(name))
        {
            throw new AwsErrorException("InvalidAliasNameException", "Alias contains invalid characters");
        }

        return name.StartsWith("alias/aws/", StringComparison.Ordinal)
            ? throw new AwsErrorException("NotAuthorizedException", "Alias names that begin with alias/aws/ are reserved")
            : KmsStore.Arn(call.Region, call.Caller.AccountId, name);
    }

    [GeneratedRegex("^alias/[a-zA-Z0-9/_-]+$")]
    private static partial Regex NamePattern();
}
