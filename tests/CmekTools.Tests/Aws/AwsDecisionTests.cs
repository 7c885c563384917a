using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws;
using CmekTools.Engine.Aws.Policies;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Aws;

/// <summary>
/// What AWS's documentation says of policies, grants and boundaries, a row a sentence. The source is a page of the IAM User Guide (IAM)
/// or of the KMS
/// Developer Guide (KMS). Each row is judged as a whole: key policy, the role's own policies, its boundary, the grants.
/// </summary>
public sealed class AwsDecisionTests
{
    private const string Account = "111122223333";
    private const string Other = "444455556666";
    private const string Role = "arn:aws:iam::111122223333:role/team/shop";
    private const string RoleId = "AROAEXAMPLE0000000001";
    private const string Key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    private const string Own = """{"Effect":"Allow","Action":"kms:*","Resource":"*"}""";
    private const string Unseen = "(unseen)";
    private const string None = "(none)";
    private const string S3Only = """{"Effect":"Allow","Action":"s3:*","Resource":"*"}""";

    /// <summary>A row: what there is, and what Decrypt (or another call) comes to.</summary>
    private sealed record Case(string Source, Decision Expect, string Policy)
    {
        public string Own { get; init; } = None;

        public string Boundary { get; init; } = None;

        public string Call { get; init; } = "kms:Decrypt";

        public string KeyArn { get; init; } = Key;

        public string Version { get; init; } = "2012-10-17";

        public string Grantee { get; init; } = None;

        public string Operations { get; init; } = "Decrypt";

        public bool Constrained { get; init; }

        public bool GrantsUnread { get; init; }

        public bool RoleUnread { get; init; }
    }

    private static readonly string Root = S("Allow", Aws("arn:aws:iam::111122223333:root"));
    private static readonly string ToRole = S("Allow", Aws(Role));

    private static readonly Dictionary<string, Case> s_table = new()
    {
        // IAM: reference_policies_evaluation-logic_policy-eval-denyallow.
        ["an allow to the role"] = new("IAM policy-eval-denyallow", Decision.Allowed, ToRole),
        ["nothing"] = new("IAM policy-eval-denyallow", Decision.Denied, Root),
        ["an explicit deny wins"] = new("IAM policy-eval-denyallow", Decision.Denied, ToRole + "," + Deny("\"*\"")),
        ["a deny in the role's own policy wins"] = new("IAM policy-eval-denyallow", Decision.Denied, ToRole) { Own = OwnDeny() },
        ["KMS: only the key policy can let the account's policies in"] = new(
            "KMS key-policy-overview",
            Decision.Denied,
            S("Allow", Aws("arn:aws:iam::111122223333:role/other"))) { Own = Own },
        ["the account decides"] = new("KMS key-policy-default", Decision.Allowed, Root) { Own = Own },
        ["another account's key needs both: only the key"] = new(
            "KMS key-policy-modifying-external-accounts",
            Decision.Denied,
            ToRole) { KeyArn = Key.Replace(Account, Other, StringComparison.Ordinal) },
        ["another account's key needs both: both"] = new(
            "KMS key-policy-modifying-external-accounts",
            Decision.Allowed,
            ToRole) { KeyArn = Key.Replace(Account, Other, StringComparison.Ordinal), Own = Own },
        ["another account's key, the account named"] = new(
            "KMS key-policy-modifying-external-accounts",
            Decision.Allowed,
            Root) { KeyArn = Key.Replace(Account, Other, StringComparison.Ordinal), Own = Own },

        // What only may be denied: it survives the joining of documents.
        ["an own deny that may hold"] = new(
            "IAM policy-eval-denyallow",
            Decision.Perhaps,
            ToRole) { Own = OwnDeny("""{"StringEquals":{"aws:SourceVpc":"v"}}""") },
        ["own policies that cannot be read may deny"] = new("IAM policy-eval-denyallow", Decision.Unread, ToRole) { Own = Unseen },
        ["a boundary that cannot be read may deny"] = new("IAM access_policies_boundaries", Decision.Unread, ToRole) { Boundary = Unseen },
        ["a role that cannot be read may have a boundary"] = new(
            "IAM access_policies_boundaries",
            Decision.Unread,
            ToRole) { RoleUnread = true },
        ["an own deny that may hold, of what nothing allows"] = new(
            "IAM policy-eval-denyallow",
            Decision.Denied,
            S("Allow", Aws(Other))) { Own = OwnDeny("""{"StringEquals":{"aws:SourceVpc":"v"}}""") },
        ["a deny of the key policy needs no more"] = new(
            "IAM policy-eval-denyallow",
            Decision.Denied,
            Deny(Aws(Role))) { Own = Unseen, RoleUnread = true, GrantsUnread = true },

        // IAM: access_policies_boundaries, reference_policies_elements_principal.
        ["a boundary's silence stops what is given to the role"] = new(
            "IAM access_policies_boundaries",
            Decision.Denied,
            ToRole) { Boundary = S3Only },
        ["a boundary's silence stops what the account gives"] = new(
            "IAM access_policies_boundaries",
            Decision.Denied,
            Root) { Own = Own, Boundary = S3Only },
        ["a boundary's silence does not stop a wildcard with PrincipalArn"] = new(
            "IAM elements_principal (role principals)",
            Decision.Allowed,
            S("Allow", "\"*\"", ByArn("ArnEquals"))) { Boundary = S3Only },
        ["a boundary's silence and a session's ARN"] = new(
            "IAM elements_principal (session principals)",
            Decision.Perhaps,
            S("Allow", Aws("arn:aws:sts::111122223333:assumed-role/shop/one"))) { Boundary = S3Only },
        ["a boundary's deny stops all"] = new(
            "IAM access_policies_boundaries",
            Decision.Denied,
            S("Allow", "\"*\"", ByArn("ArnEquals"))) { Boundary = OwnDeny() + "," + Own },
        ["a boundary gives nothing"] = new("IAM access_policies_boundaries", Decision.Denied, Root) { Boundary = Own },

        // IAM: reference_policies_elements_notprincipal.
        ["all but the role: neither account nor session is excepted"] = new(
            "IAM elements_notprincipal",
            Decision.Perhaps,
            ToRole + "," + Not(Aws(Role))),
        ["all but role and account"] = new(
            "IAM elements_notprincipal",
            Decision.Allowed,
            ToRole + "," + Not($$"""{"AWS":["{{Role}}","{{Account}}"]}""")),
        ["all but role and account, with a boundary"] = new(
            "IAM elements_notprincipal (boundaries)",
            Decision.Denied,
            ToRole + "," + Not($$"""{"AWS":["{{Role}}","{{Account}}"]}""")) { Boundary = Own },
        ["all but role and account, the role unread"] = new(
            "IAM elements_notprincipal (boundaries)",
            Decision.Perhaps,
            ToRole + "," + Not($$"""{"AWS":["{{Role}}","{{Account}}"]}""")) { RoleUnread = true },
        ["all but others"] = new(
            "IAM elements_notprincipal",
            Decision.Denied,
            ToRole + "," + Not(Aws("arn:aws:iam::111122223333:role/other"))),

        // IAM: reference_policies_condition-single-vs-multi-valued-context-keys, reference_policies_elements_condition_operators.
        ["ForAnyValue of an absent key"] = new(
            "IAM condition-single-vs-multi-valued",
            Decision.Denied,
            S("Allow", Aws(Role), """{"ForAnyValue:StringEquals":{"kms:ViaService":"s3"}}""")),
        ["ForAnyValue with IfExists of an absent key"] = new(
            "IAM condition-single-vs-multi-valued",
            Decision.Denied,
            S("Allow", Aws(Role), """{"ForAnyValue:StringEqualsIfExists":{"kms:ViaService":"s3"}}""")),
        ["ForAnyValue of a negation and an absent key"] = new(
            "IAM condition-single-vs-multi-valued",
            Decision.Denied,
            S("Allow", Aws(Role), """{"ForAnyValue:StringNotEquals":{"kms:ViaService":"s3"}}""")),
        ["ForAllValues of an absent key"] = new(
            "IAM condition-single-vs-multi-valued",
            Decision.Allowed,
            S("Allow", Aws(Role), """{"ForAllValues:StringEquals":{"kms:ViaService":"s3"}}""")),
        ["IfExists of an absent key"] = new(
            "IAM elements_condition_operators (IfExists)",
            Decision.Allowed,
            S("Allow", Aws(Role), """{"StringEqualsIfExists":{"kms:ViaService":"s3"}}""")),
        ["a negation of an absent key"] = new(
            "IAM elements_condition_operators",
            Decision.Allowed,
            S("Allow", Aws(Role), """{"StringNotEquals":{"kms:ViaService":"s3"}}""")),
        ["several values of a negation"] = new(
            "IAM reference_policies_multi-value-conditions",
            Decision.Denied,
            S("Allow", Aws(Role), $$$"""{"StringNotEquals":{"aws:PrincipalAccount":["1","{{{Account}}}"]}}""")),
        ["an unknown operator"] = new(
            "IAM elements_condition_operators",
            Decision.Perhaps,
            S("Allow", Aws(Role), """{"StringSame":{"aws:PrincipalAccount":"1"}}""")),

        // IAM: reference_policies_condition-keys; KMS: conditions-kms.
        ["aws:ResourceAccount"] = new(
            "IAM condition-keys",
            Decision.Allowed,
            S("Allow", Aws(Role), $$$"""{"StringEquals":{"aws:ResourceAccount":"{{{Account}}}"}}""")),
        ["aws:ResourceAccount of another"] = new(
            "IAM condition-keys",
            Decision.Denied,
            ToRole + "," + Deny("\"*\"", $$$"""{"StringNotEquals":{"aws:ResourceAccount":"{{{Other}}}"}}""")),
        ["aws:userid of the role"] = new(
            "IAM condition-keys (userid)",
            Decision.Denied,
            ToRole + "," + Deny("\"*\"", $$$"""{"StringLike":{"aws:userid":"{{{RoleId}}}:*"}}""")),
        ["aws:userid of another role"] = new(
            "IAM condition-keys (userid)",
            Decision.Allowed,
            ToRole + "," + Deny("\"*\"", """{"StringLike":{"aws:userid":"AROAEXAMPLE0000000002:*"}}""")),
        ["aws:userid of one session"] = new(
            "IAM condition-keys (userid)",
            Decision.Perhaps,
            ToRole + "," + Deny("\"*\"", $$$"""{"StringEquals":{"aws:userid":"{{{RoleId}}}:one"}}""")),
        ["aws:username is a user's"] = new(
            "IAM condition-keys (username)",
            Decision.Denied,
            S("Allow", Aws(Role), """{"StringLike":{"aws:username":"*"}}""")),
        ["aws:PrincipalServiceName is a service's"] = new(
            "IAM condition-keys",
            Decision.Denied,
            S("Allow", Aws(Role), """{"Null":{"aws:PrincipalServiceName":"false"}}""")),
        ["kms:GrantOperations is CreateGrant's"] = new(
            "KMS conditions-kms",
            Decision.Denied,
            S("Allow", Aws(Role), """{"ForAnyValue:StringEquals":{"kms:GrantOperations":"Decrypt"}}""")),
        ["kms:GrantOperations of CreateGrant"] = new(
            "KMS conditions-kms",
            Decision.Perhaps,
            S("Allow", Aws(Role), """{"ForAnyValue:StringEquals":{"kms:GrantOperations":"Decrypt"}}""")) { Call = "kms:CreateGrant" },
        ["grants for AWS services only"] = new(
            "KMS conditions-kms",
            Decision.Denied,
            S("Allow", Aws(Role), """{"Bool":{"kms:GrantIsForAWSResource":"true"}}""")) { Call = "kms:CreateGrant" },

        // IAM: reference_policies_variables, reference_policies_elements_version.
        ["a known variable"] = new(
            "IAM reference_policies_variables",
            Decision.Allowed,
            S("Allow", Aws(Role), """{"StringEquals":{"aws:ResourceAccount":"${aws:PrincipalAccount}"}}""")),
        ["an unknown variable"] = new(
            "IAM reference_policies_variables",
            Decision.Perhaps,
            S("Allow", Aws(Role), """{"StringEquals":{"aws:ResourceAccount":"${aws:PrincipalTag/team}"}}""")),
        ["a variable's default"] = new(
            "IAM reference_policies_variables (default values)",
            Decision.Allowed,
            S("Allow", Aws(Role), """{"StringEquals":{"aws:ResourceAccount":"${aws:username, '111122223333'}"}}""")),
        ["a variable in the resource"] = new(
            "IAM reference_policies_variables",
            Decision.Perhaps,
            Root) { Own = """{"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:*:*:key/${aws:PrincipalTag/key}"}""" },
        ["a known variable in the resource"] = new(
            "IAM reference_policies_variables",
            Decision.Allowed,
            Root) { Own = """{"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:*:*:${aws:username, 'key'}/*"}""" },
        ["a variable before the fifth colon"] = new(
            "IAM reference_policies_variables",
            Decision.Perhaps,
            Root) { Own = """{"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:*:${aws:PrincipalAccount}:key/*"}""" },
        ["letters in version 2008"] = new(
            "IAM elements_version",
            Decision.Denied,
            S("Allow", Aws(Role), """{"StringEquals":{"aws:ResourceAccount":"${aws:PrincipalAccount}"}}""")) { Version = "2008-10-17" },
        ["a star that a variable makes literal"] = new(
            "IAM reference_policies_variables (special characters)",
            Decision.Denied,
            S("Allow", Aws(Role), """{"StringLike":{"aws:ResourceAccount":"11112222${*}"}}""")),

        // IAM: reference_policies_elements_resource.
        ["an incomplete ARN is completed"] = new(
            "IAM elements_resource (incomplete ARNs)",
            Decision.Allowed,
            Root) { Own = """{"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms"}""" },
        ["an incomplete ARN of another service"] = new(
            "IAM elements_resource (incomplete ARNs)",
            Decision.Denied,
            Root) { Own = """{"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:s3"}""" },
        ["a deny of an incomplete ARN"] = new(
            "IAM elements_resource (incomplete ARNs)",
            Decision.Denied,
            ToRole) { Own = """{"Effect":"Deny","Action":"*","Resource":"arn:aws:kms:us-east-1"}""" },
        ["another key"] = new(
            "KMS key-policy-overview (Resource)",
            Decision.Denied,
            ToRole.Replace("\"Resource\":\"*\"", "\"Resource\":\"arn:aws:kms:us-east-1:111122223333:key/x\"", StringComparison.Ordinal)),

        // What denies is told by its place, and what lasts before what does not.
        ["a deny for a while, and one that lasts"] = new(
            "IAM policy-eval-denyallow",
            Decision.Denied,
            ToRole + "," + Deny("\"*\"", """{"DateLessThan":{"aws:CurrentTime":"2999-01-01T00:00:00Z"}}""")) { Own = OwnDeny() },
        ["a deny for a while"] = new(
            "IAM policy-eval-denyallow",
            Decision.Denied,
            ToRole + "," + Deny("\"*\"", """{"DateLessThan":{"aws:CurrentTime":"2999-01-01T00:00:00Z"}}""")),
        ["two denies in one document"] = new(
            "IAM policy-eval-denyallow",
            Decision.Denied,
            Named("Early", Deny("\"*\"", """{"DateLessThan":{"aws:CurrentTime":"2999-01-01T00:00:00Z"}}""")) + ","
                + Named("Late", Deny("\"*\""))),
        ["a boundary that may deny"] = new(
            "IAM access_policies_boundaries",
            Decision.Perhaps,
            ToRole) { Boundary = Own + "," + OwnDeny("""{"StringEquals":{"aws:SourceVpc":"v"}}""") },
        ["a boundary that may allow"] = new(
            "IAM access_policies_boundaries",
            Decision.Perhaps,
            ToRole) { Boundary = """{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpc":"v"}}}""" },
        ["everybody, and a boundary's silence"] = new(
            "IAM elements_principal",
            Decision.Perhaps,
            S("Allow", "\"*\"")) { Boundary = S3Only },
        ["everybody, and a boundary that allows"] = new("IAM elements_principal", Decision.Allowed, S("Allow", "\"*\"")) { Boundary = Own },
        ["two that may deny"] = new(
            "IAM policy-eval-denyallow",
            Decision.Perhaps,
            ToRole + "," + Named("ByKey", Deny("\"*\"", """{"StringEquals":{"aws:SourceVpc":"v"}}"""))) {
                Own = Named("ByRole", OwnDeny("""{"StringEquals":{"aws:SourceVpc":"v"}}""")) },
        ["the account decides, and its policy may"] = new(
            "KMS key-policy-default",
            Decision.Perhaps,
            Root) { Own = """{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpc":"v"}}}""" },
        ["the key policy may, and the role's own does"] = new(
            "KMS key-policy-default",
            Decision.Perhaps,
            S("Allow", Aws("arn:aws:iam::111122223333:root"), """{"StringEquals":{"aws:SourceVpc":"v"}}""")) { Own = Own },
        ["another account's key, and a boundary"] = new(
            "IAM access_policies_boundaries",
            Decision.Denied,
            ToRole) { KeyArn = Key.Replace(Account, Other, StringComparison.Ordinal), Own = Own, Boundary = S3Only },
        ["all but another resource"] = new(
            "IAM elements_notresource",
            Decision.Allowed,
            Root) { Own = """{"Effect":"Allow","Action":"kms:*","NotResource":"arn:aws:kms:us-east-1:111122223333:key/x"}""" },
        ["all but this resource"] = new(
            "IAM elements_notresource",
            Decision.Denied,
            Root) { Own = $$"""{"Effect":"Allow","Action":"kms:*","NotResource":["arn:aws:s3:::*","{{Key}}"]}""" },
        ["all but other actions"] = new(
            "IAM elements_notaction",
            Decision.Allowed,
            Root) { Own = """{"Effect":"Allow","NotAction":["kms:Encrypt","s3:*"],"Resource":"*"}""" },
        ["all but this action and others"] = new(
            "IAM elements_notaction",
            Decision.Denied,
            Root) { Own = """{"Effect":"Allow","NotAction":["s3:*","kms:De*"],"Resource":"*"}""" },
        ["one of several resources"] = new(
            "IAM elements_resource",
            Decision.Allowed,
            Root) { Own = $$"""{"Effect":"Allow","Action":"kms:*","Resource":["arn:aws:s3:::*","{{Key}}"]}""" },
        ["a statement of no known effect"] = new(
            "IAM elements_effect",
            Decision.Denied,
            Named("Odd", S("Audit", Aws(Role)))),
        ["a condition that is none"] = new("IAM elements_condition", Decision.Perhaps, S("Allow", Aws(Role), "\"x\"")),
        ["an operator that holds no keys"] = new("IAM elements_condition", Decision.Perhaps, S("Allow", Aws(Role), """{"Bool":"x"}""")),
        ["two conditions of which one does not hold"] = new(
            "IAM elements_condition",
            Decision.Denied,
            S("Allow", Aws(Role), """{"Bool":{"aws:SecureTransport":"true","aws:ViaAWSService":"true"}}""")),
        ["a set operator of a known key"] = new(
            "IAM condition-single-vs-multi-valued",
            Decision.Allowed,
            S("Allow", Aws(Role), """{"ForAllValues:StringEquals":{"aws:PrincipalAccount":["1","111122223333"]}}""")),
        ["a grant by the role's id"] = new("KMS grants", Decision.Allowed, Root) { Grantee = RoleId },
        ["a grant to another role's id"] = new("KMS grants", Decision.Denied, Root) { Grantee = "AROAEXAMPLE0000000009" },
        ["a grant to another role's id, the role unread"] = new(
            "KMS grants",
            Decision.Unread,
            Root) { Grantee = "AROAEXAMPLE0000000009", RoleUnread = true },
        ["a grant of another account's key"] = new(
            "KMS grants",
            Decision.Perhaps,
            Root) { Grantee = Role, KeyArn = Key.Replace(Account, Other, StringComparison.Ordinal) },
        ["a grant and a boundary"] = new("KMS grants", Decision.Perhaps, Root) { Grantee = Role, Boundary = Own },

        // KMS: grants.
        ["a grant lets the role in"] = new("KMS grants", Decision.Allowed, Root) { Grantee = Role },
        ["a grant for another operation"] = new("KMS grants", Decision.Denied, Root) { Grantee = Role, Operations = "Encrypt" },
        ["a grant to somebody else"] = new("KMS grants", Decision.Denied, Root) { Grantee = "arn:aws:iam::111122223333:role/other" },
        ["a grant with a constraint"] = new("KMS grants (constraints)", Decision.Perhaps, Root) { Grantee = Role, Constrained = true },
        ["a grant to one session"] = new(
            "KMS grants",
            Decision.Perhaps,
            Root) { Grantee = "arn:aws:sts::111122223333:assumed-role/shop/one" },
        ["a grant to the account"] = new("KMS grants", Decision.Perhaps, Root) { Grantee = "arn:aws:iam::111122223333:root" },
        ["a deny wins over a grant"] = new("KMS grants", Decision.Denied, Root + "," + Deny(Aws(Role))) { Grantee = Role },
        ["grants that cannot be read may let it in"] = new("KMS grants", Decision.Unread, Root) { GrantsUnread = true },
        ["grants that cannot be read take nothing away"] = new("KMS grants", Decision.Allowed, ToRole) { GrantsUnread = true },
    };

    public static TheoryData<string> Names => [.. s_table.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void AsTheDocumentationSays(string name)
    {
        Case row = s_table[name];
        PermissionDecision decision = RoleKeyEvaluator.Decide(Access(row), row.Call);
        Assert.True(decision.Decision == row.Expect, $"{row.Source}: expected {row.Expect}, is {decision.Decision}: {decision.Reason}");
    }

    /// <summary>What people read of each row.</summary>
    [Fact]
    public void WhatIsSaidOfEachRowIsAsApproved() => Approved.Lines("AwsDecisions.txt", s_table.SelectMany(row => new[]
    {
        Line(row.Key, RoleKeyEvaluator.Decide(Access(row.Value), row.Value.Call)),
        Line($"{row.Key}, by what allows", RoleKeyEvaluator.Allows(Access(row.Value), row.Value.Call)),
    }));

    private static string Line(string name, PermissionDecision decision) =>
        $"{name}: {decision.Decision}{(decision.Explicit ? " by a statement that lasts" : string.Empty)}: {decision.Reason}";

    /// <summary>
    /// Every call that reads, or lets read, has to be stopped for certain: statements, own policies, what is proven, and whether at
    /// once.
    /// </summary>
    public static TheoryData<string, string, string, bool> Cuts => new()
    {
        { Root + "," + Deny("\"*\"", ByArn("ArnEquals")), Unseen, nameof(CmekCutState.Cut), true },
        { Root + "," + Deny(Aws(Role), action: "kms:Decrypt"), Own, nameof(CmekCutState.Open), false },
        { ToRole + "," + Deny(Aws(Role), action: "kms:Encrypt"), None, nameof(CmekCutState.Open), false },
        { Root + "," + Deny(Aws(Role), """{"StringEquals":{"aws:SourceVpc":"v"}}"""), Own, nameof(CmekCutState.Perhaps), false },
        { Root, Unseen, nameof(CmekCutState.Unread), false },
        { Root, None, nameof(CmekCutState.Cut), false },
        { Root, """{"Effect":"Allow","Action":"kms:CreateGrant","Resource":"*"}""", nameof(CmekCutState.Open), false },
        { Root, """{"Effect":"Allow","Action":"kms:ReEncrypt*","Resource":"*"}""", nameof(CmekCutState.Open), false },
        { Root, """{"Effect":"Allow","Action":"kms:PutKeyPolicy","Resource":"*"}""", nameof(CmekCutState.Open), false },
        { Root, """{"Effect":"Allow","Action":["kms:Encrypt","kms:DescribeKey"],"Resource":"*"}""", nameof(CmekCutState.Cut), false },
        { Root + "," + Deny(
            "\"*\"",
            """{"DateLessThan":{"aws:CurrentTime":"2999-01-01T00:00:00Z"}}"""), Own, nameof(CmekCutState.Cut), false },
    };

    [Theory]
    [MemberData(nameof(Cuts))]
    public void ACutIsACutWhereNothingThatReadsIsLeft(string policy, string own, string state, bool atOnce)
    {
        Case row = new("a cut", Decision.Denied, policy) { Own = own };
        AccessDecision decision = AwsDecisions.Decide(
            Access(row),
            new Evidence<KeyMetadata>(new KeyMetadata { KeyState = "Enabled" }, false, null),
            false);
        Assert.Equal((state, atOnce), (decision.Cut.ToString(), decision.ExplicitlyStopped));
    }

    // What the vendor's procedure gives the role, and no more.
    private static string Five { get; } = ToRole.Replace("\"kms:*\"", "[\"kms:Encrypt\",\"kms:Decrypt\"]", StringComparison.Ordinal);

    private const string OwnSwitch = """{"Effect":"Allow","Action":["kms:EnableKey","kms:Decrypt"],"Resource":"*"}""";
    private const string OwnBack = """{"Effect":"Allow","Action":["kms:CancelKeyDeletion","kms:EnableKey","kms:Decrypt"],"Resource":"*"}""";

    /// <summary>
    /// A key that is off proves a cut where the role cannot switch it on again, and only there: state, statements, own policies.
    /// </summary>
    public static TheoryData<string, string, string, string, bool> Offs => new()
    {
        { "Disabled", Root, None, nameof(CmekCutState.Cut), true },
        { "Disabled", Root + "," + ToRole, None, nameof(CmekCutState.Open), false },
        { "Disabled", Root + "," + Five, None, nameof(CmekCutState.Cut), true },
        { "Disabled", Five, Unseen, nameof(CmekCutState.Cut), true },
        { "Disabled", Root + "," + Five, Unseen, nameof(CmekCutState.Unread), false },
        { "Disabled", Root, OwnSwitch, nameof(CmekCutState.Open), false },
        { "Disabled", Root, """{"Effect":"Allow","Action":"kms:EnableKey","Resource":"*"}""", nameof(CmekCutState.Cut), false },
        { "Disabled", Root + "," + Five, """{"Effect":"Allow","Action":"kms:PutKeyPolicy","Resource":"*"}""",
            nameof(CmekCutState.Open), false },
        { "Disabled", Root + "," + Deny("\"*\"", ByArn("ArnEquals")), OwnSwitch, nameof(CmekCutState.Cut), true },
        { "PendingDeletion", Root, OwnSwitch, nameof(CmekCutState.Cut), true },
        { "PendingDeletion", Root, OwnBack, nameof(CmekCutState.Open), false },
    };

    [Theory]
    [MemberData(nameof(Offs))]
    public void AKeyThatIsOffIsCutWhereTheRoleCannotSwitchItOn(string keyState, string policy, string own, string state, bool atOnce)
    {
        Case row = new("off", Decision.Denied, policy) { Own = own };
        AccessDecision decision = AwsDecisions.Decide(
            Access(row),
            new Evidence<KeyMetadata>(new KeyMetadata { KeyState = keyState }, false, null),
            false);
        Assert.Equal((state, atOnce, Decision.Denied), (decision.Cut.ToString(), decision.ExplicitlyStopped, decision.Use));
    }

    /// <summary>
    /// A copy of a multi-region key has the same material and whatever policy its maker gives it
    /// (https://docs.aws.amazon.com/kms/latest/APIReference/API_ReplicateKey.html): whoever may make one reads by that.
    /// </summary>
    [Theory]
    [InlineData("mrk-1234abcd12ab34cd56ef1234567890ab", "", nameof(CmekCutState.Perhaps), false)]
    [InlineData("mrk-1234abcd12ab34cd56ef1234567890ab", "kms:ReplicateKey", nameof(CmekCutState.Cut), true)]
    [InlineData("1234abcd-12ab-34cd-56ef-1234567890ab", "", nameof(CmekCutState.Cut), true)]
    public void WhoMayMakeACopyOfTheKeyIsNotCut(string id, string also, string state, bool atOnce)
    {
        string[] denied = ["kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:PutKeyPolicy", also];
        string denies = string.Join(",", denied.Where(d => d.Length > 0).Select(d => Deny("\"*\"", ByArn("ArnEquals"), d)));
        Case row = new("a copy", Decision.Denied, Root + "," + denies)
        {
            Own = Own,
            KeyArn = Key[..(Key.LastIndexOf('/') + 1)] + id,
        };
        AccessDecision decision = AwsDecisions.Decide(
            Access(row),
            new Evidence<KeyMetadata>(new KeyMetadata { KeyState = "Enabled" }, false, null),
            false);
        Assert.Equal((state, atOnce), (decision.Cut.ToString(), decision.ExplicitlyStopped));
    }

    private static RoleKeyEvidence Access(Case row)
    {
        RoleArn role = AwsNames.TryParseRole(Role)!;
        KeyArn key = AwsNames.TryParseKey(row.KeyArn)!;
        KeyGrant[] grants = row.Grantee == None
            ? []
            : [new KeyGrant(key.Text, "g1", row.Grantee, row.Operations.Split(' ')) { Constraints = row.Constrained ? "{}" : null }];
        return new RoleKeyEvidence(
            key,
            role,
            row.RoleUnread ? null : RoleId,
            new Evidence<PolicyDocument>(Document(row.Policy, row.Version), false, null),
            new RolePolicies(
                row.Own is None or Unseen ? [] : [new NamedPolicy("own", Document(row.Own, row.Version))],
                row.Own == Unseen ? "denied" : null),
            row.Boundary == None
                ? null
                : new Evidence<PolicyDocument>(row.Boundary == Unseen ? null : Document(row.Boundary, row.Version), false, "denied"),
            row.RoleUnread ? Presence.Unknown : row.Boundary == None ? Presence.Absent : Presence.Present,
            new Evidence<IReadOnlyList<KeyGrant>>(row.GrantsUnread ? null : grants, false, row.GrantsUnread ? "denied" : null),
            DateTimeOffset.UtcNow);
    }

    private static PolicyDocument Document(string statements, string version) =>
        PolicyDocument.Parse($$"""{"Version":"{{version}}","Statement":[{{statements}}]}""", "a test");

    private static string Aws(string principal) => $$"""{"AWS":"{{principal}}"}""";

    private static string ByArn(string name) => $$$"""{"{{{name}}}":{"aws:PrincipalArn":"{{{Role}}}"}}""";

    private static string S(string effect, string principal, string condition = "{}") =>
        $$"""{"Effect":"{{effect}}","Principal":{{principal}},"Action":"kms:*","Resource":"*","Condition":{{condition}}}""";

    private static string Deny(string principal, string condition = "{}", string action = "kms:*") =>
        S("Deny", principal, condition).Replace("\"kms:*\"", $"\"{action}\"", StringComparison.Ordinal);

    private static string Not(string principal) => Deny(principal).Replace("\"Principal\"", "\"NotPrincipal\"", StringComparison.Ordinal);

    private static string Named(string sid, string statement) => $$"""{"Sid":"{{sid}}",{{statement[1..]}}""";

    private static string OwnDeny(string condition = "{}") =>
        $$"""{"Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{{condition}}}""";
}
