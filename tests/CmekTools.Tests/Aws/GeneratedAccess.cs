using System.Globalization;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Tests.Aws;

/// <summary>
/// Policies made by chance, the same for the same seed: key policy, policies of the role, boundary; and requests that fill what the
/// engine cannot know in
/// one way or another. What the engine says for certain has to hold for each of them.
/// </summary>
internal sealed class GeneratedAccess
{
    public const string Account = "111122223333";
    public const string Role = "arn:aws:iam::111122223333:role/shop";
    private const string Other = "444455556666";
    private const string RoleId = "AROAEXAMPLE0000000001";
    private const string KeyId = "1234abcd-12ab-34cd-56ef-1234567890ab";

    private static readonly string[] s_operators =
    [
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
        "ArnEquals",
        "ArnLike",
        "ArnNotEquals", "ArnNotLike", "Bool", "Null", "DateLessThan", "DateGreaterThan",
    ];

    // What is not known to the engine, with the values that a request may have.
    private static readonly Dictionary<string, string[]> s_hidden = new()
    {
        ["aws:SourceVpc"] = ["vpc-1", "vpc-2"],
        ["aws:PrincipalTag/team"] = ["sre", "dev"],
        ["aws:PrincipalOrgID"] = ["o-1", "o-2"],
        ["kms:EncryptionContext:a"] = ["x", "y"],
        ["aws:SourceIp"] = ["10.0.0.1", "203.0.113.9"],
        ["aws:MultiFactorAuthPresent"] = ["true", "false"],
    };

    private static readonly Dictionary<string, string[]> s_values = new(s_hidden)
    {
        ["aws:PrincipalArn"] = [Role, "arn:aws:iam::111122223333:role/other", "arn:aws:iam::*:role/sh*", "arn:aws:iam::111122223333:*"],
        ["aws:PrincipalAccount"] = [Account, Other, "1111*", "${aws:ResourceAccount}"],
        ["kms:CallerAccount"] = [Account, Other],
        ["kms:ViaService"] = ["s3.us-east-1.amazonaws.com", "*"],
        ["aws:ResourceAccount"] = [Account, Other, "${aws:PrincipalAccount}", "${aws:username, '111122223333'}"],
        ["aws:userid"] = [RoleId + ":*", RoleId + ":one", "AROAEXAMPLE0000000002:*", "AIDA*"],
        ["aws:username"] = ["bob", "*"],
        ["aws:PrincipalServiceName"] = ["s3.amazonaws.com"],
        ["aws:SecureTransport"] = ["true", "false"],
        ["aws:ViaAWSService"] = ["true", "false"],
        ["aws:PrincipalType"] = ["AssumedRole", "User", "assumedrole"],
        ["aws:RequestedRegion"] = ["us-east-1", "eu-*"],
        ["aws:CurrentTime"] = ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"],
        ["aws:CalledVia"] = ["s3.amazonaws.com"],
        ["aws:SourceAccount"] = [Account],
    };

    private readonly Random _random;

    public GeneratedAccess(int seed)
    {
#pragma warning disable CA5394 // Chance that can be repeated is wanted here.
        _random = new Random(seed);
#pragma warning restore CA5394
        KeyAccount = Chance(85) ? Account : Other;
        Policy = Document(Several(1, 4, () => Statement(key: true)));
        Own = [
            .. Enumerable.Range(0, Chance(40) ? 0 : Chance(70) ? 1 : 2).Select(_ => Document(Several(1, 3, () => Statement(key: false)))),
        ];
        Boundary = Chance(65) ? null : Document(Several(1, 3, () => Statement(key: false)));
    }

    public string KeyAccount { get; }

    public JsonObject Policy { get; }

    public IReadOnlyList<JsonObject> Own { get; }

    public JsonObject? Boundary { get; }

    private string Key => $"arn:aws:kms:us-east-1:{KeyAccount}:key/{KeyId}";

    /// <summary>As the engine would have read it.</summary>
    public RoleKeyEvidence Access() => new(
        AwsNames.TryParseKey(Key)!,
        AwsNames.TryParseRole(Role)!,
        RoleId,
        new Evidence<PolicyDocument>(Parse(Policy), false, null),
        new RolePolicies([.. Own.Select((p, i) => new NamedPolicy($"own{i}", Parse(p)))], null),
        Boundary is null ? null : new Evidence<PolicyDocument>(Parse(Boundary), false, null),
        Boundary is null ? Presence.Absent : Presence.Present,
        new Evidence<IReadOnlyList<KeyGrant>>([], false, null),
        DateTimeOffset.UtcNow);

    /// <summary>One call, as it may be made, for the other evaluator.</summary>
    public JsonObject Simulation(string call)
    {
        string session = Chance(50) ? "one" : "two";
        JsonObject context = new()
        {
            ["aws:PrincipalArn"] = Role,
            ["aws:PrincipalAccount"] = Account,
            ["aws:PrincipalType"] = "AssumedRole",
            ["aws:PrincipalIsAWSService"] = "false",
            ["aws:ResourceAccount"] = KeyAccount,
            ["aws:userid"] = $"{RoleId}:{session}",
            ["aws:SecureTransport"] = "true",
            ["aws:ViaAWSService"] = "false",
            ["aws:RequestedRegion"] = "us-east-1",
            ["aws:CurrentTime"] = DateTimeOffset.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
            ["kms:CallerAccount"] = Account,
        };
        foreach ((string key, string[] values) in s_hidden.Where(_ => Chance(60)))
        {
            context[key] = OneOf(values);
        }

        return new JsonObject
        {
            ["request"] = new JsonObject
            {
                ["principal"] = $"arn:aws:sts::{Account}:assumed-role/shop/{session}",
                ["action"] = call,
                ["resource"] = new JsonObject { ["resource"] = Key, ["accountId"] = KeyAccount },
                ["contextVariables"] = context,
            },
            ["identityPolicies"] = new JsonArray(
                [.. Own.Select((p, i) => new JsonObject { ["name"] = $"own{i}", ["policy"] = p.DeepClone() })]),
            ["serviceControlPolicies"] = new JsonArray(),
            ["resourceControlPolicies"] = new JsonArray(),
            ["resourcePolicy"] = Policy.DeepClone(),
            ["permissionBoundaryPolicies"] = Boundary is null
                ? null
                : new JsonArray(new JsonObject { ["name"] = "limit", ["policy"] = Boundary.DeepClone() }),
        };
    }

    public override string ToString() => new JsonObject
    {
        ["key"] = Key,
        ["policy"] = Policy.DeepClone(),
        ["own"] = new JsonArray([.. Own.Select(o => o.DeepClone())]),
        ["boundary"] = Boundary?.DeepClone(),
    }.ToJsonString();

    private static PolicyDocument Parse(JsonObject policy) => PolicyDocument.Parse(policy.ToJsonString(), "a generated policy");

    // The other evaluator takes variables for variables in every version; the documentation does not. AwsDecisionTests has rows of it.
    private JsonObject Document(JsonArray statements)
    {
        bool old = Chance(15) && !statements.ToJsonString().Contains("${", StringComparison.Ordinal);
        return new JsonObject { ["Version"] = old ? "2008-10-17" : "2012-10-17", ["Statement"] = statements };
    }

    private JsonArray Several(int least, int most, Func<JsonObject> make) =>
        new([.. Enumerable.Range(0, Number(least, most)).Select(_ => make())]);

    private JsonObject Statement(bool key)
    {
        bool deny = Chance(30);
        JsonObject statement = new() { ["Effect"] = deny ? "Deny" : "Allow" };
        if (key)
        {
            bool not = deny && Chance(20);
            statement[not ? "NotPrincipal" : "Principal"] = Principal(not);
        }

        statement[Chance(12) ? "NotAction" : "Action"] = Texts(
            "kms:*",
            "*",
            "kms:Decrypt",
            "kms:De*",
            "kms:ReEncrypt*",
            "kms:Encrypt",
            "kms:CreateGrant",
            "kms:GenerateDataKey*",
            "KMS:decrypt");
        statement[!key && Chance(8) ? "NotResource" : "Resource"] = key
            ? Chance(90) ? "*" : Key
            : Texts(
                "*",
                "*",
                Key,
                $"arn:aws:kms:*:{KeyAccount}:key/*",
                "arn:aws:kms:us-east-1:*:key/other",
                "arn:aws:kms:*:${aws:PrincipalAccount}:key/*",
                "arn:aws:s3:::*");
        if (Chance(45))
        {
            statement["Condition"] = Condition();
        }

        return statement;
    }

    private JsonNode Principal(bool not)
    {
        string[] names =
        [
            Role, Role, $"arn:aws:iam::{Account}:root", $"arn:aws:iam::{Account}:root", Account, "arn:aws:iam::111122223333:role/other",
            $"arn:aws:iam::{Other}:root", "arn:aws:sts::111122223333:assumed-role/shop/one",
        ];
        return not
            ? new JsonObject { ["AWS"] = new JsonArray(
                [.. Enumerable.Range(0, Number(1, 3)).Select(_ => (JsonNode)OneOf(names)).ToArray()]) }
            : Chance(20) ? Chance(50) ? JsonValue.Create("*") : new JsonObject { ["AWS"] = "*" }
            : Chance(8) ? new JsonObject { ["Service"] = "s3.amazonaws.com" }
            : new JsonObject { ["AWS"] = OneOf(names) };
    }

    private JsonObject Condition()
    {
        JsonObject condition = [];
        for (int i = Number(1, 2); i > 0; i--)
        {
            string name = OneOf(s_operators);
            string set = Chance(15) ? "ForAnyValue:" : Chance(15) ? "ForAllValues:" : string.Empty;
            bool date = name.StartsWith("Date", StringComparison.Ordinal);
            bool flag = name is "Bool";
            string[] keys = date ? ["aws:CurrentTime"]
                : flag ? ["aws:SecureTransport", "aws:ViaAWSService", "aws:MultiFactorAuthPresent"]
                : name.StartsWith("Arn", StringComparison.Ordinal) ? ["aws:PrincipalArn"]
                : [
                    .. s_values.Keys.Where(
                        k => k is not ("aws:CurrentTime" or "aws:SecureTransport" or "aws:ViaAWSService" or "aws:MultiFactorAuthPresent")),
                ];
            string key = OneOf(keys);
            string[] values = name == "Null" ? ["true", "false"] : s_values[key];
            string full = (date || flag || name == "Null" ? string.Empty : set) + name + (
                name != "Null" && Chance(15) ? "IfExists" : string.Empty);
            if (!condition.ContainsKey(full))
            {
                condition[full] = new JsonObject { [key] = name == "Null" || date || flag ? OneOf(values) : Texts(values) };
            }
        }

        return condition;
    }

    private JsonNode Texts(params string[] from) =>
        Chance(75) ? JsonValue.Create(OneOf(from)) : new JsonArray([.. Enumerable.Range(0, 2).Select(_ => (JsonNode)OneOf(from))]);

#pragma warning disable CA5394
    private bool Chance(int percent) => _random.Next(100) < percent;

    private int Number(int least, int most) => _random.Next(least, most + 1);

    private string OneOf(string[] from) => from[_random.Next(from.Length)];
#pragma warning restore CA5394
}
