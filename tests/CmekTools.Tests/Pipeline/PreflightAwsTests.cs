using System.Text.Json.Nodes;
using Amazon.KeyManagementService;
using Amazon.KeyManagementService.Model;
using Xunit;
using static CmekTools.Tests.Pipeline.Mending;
using static CmekTools.Tests.Sandbox.AwsWire;

namespace CmekTools.Tests.Pipeline;

/// <summary>Keys, key policies and roles on AWS, broken in one way after another.</summary>
public sealed class PreflightAwsTests(SharedSession shared) : IClassFixture<SharedSession>
{
    private const string NewKey = "New-CmekKey -ClusterName shop -Region us-east-1 -EnableRotation | Grant-CmekAccess";
    private const string Grant = "Grant-CmekAccess -ClusterName shop -Region us-east-1 -KeyUri";
    private const string FiveActions = "kms:Encrypt kms:Decrypt kms:GenerateDataKey* kms:DescribeKey kms:ReEncrypt*";

    internal static SortedDictionary<string, Defect> Table { get; } = new(StringComparer.Ordinal)
    {
        // The key.
        ["key: disabled"] = new(
            s => s.Kms().DisableKeyAsync(new DisableKeyRequest { KeyId = s.Key }, Cancel),
            "Fail AwsKeyState",
            "aws kms enable-key",
            WithAws),
        ["key: scheduled for deletion"] = new(ScheduleAsync, "Fail AwsKeyState", "aws kms cancel-key-deletion", WithAws),
        ["key: deleted"] = new(DeleteKeyAsync, "Fail AwsKeyExists", NewKey, InSession),
        ["key: never there"] = new(s => Do(() => s.Use(s.Key[..^12] + "000000000000")), "Fail AwsKeyExists", NewKey, InSession),
        ["key: asymmetric"] = new(
            s => s.UseNewAsync(new CreateKeyRequest { KeySpec = KeySpec.RSA_2048, KeyUsage = KeyUsageType.ENCRYPT_DECRYPT }),
            "Fail AwsKeyType",
            NewKey,
            InSession),
        ["key: for signing"] = new(
            s => s.UseNewAsync(new CreateKeyRequest { KeySpec = KeySpec.ECC_NIST_P256, KeyUsage = KeyUsageType.SIGN_VERIFY }),
            "Fail AwsKeyType",
            NewKey,
            InSession),
        ["key: for message codes"] = new(
            s => s.UseNewAsync(new CreateKeyRequest { KeySpec = KeySpec.HMAC_256, KeyUsage = KeyUsageType.GENERATE_VERIFY_MAC }),
            "Fail AwsKeyType",
            NewKey,
            InSession),
        ["key: its material was never imported"] = new(
            s => s.UseNewAsync(new CreateKeyRequest { Origin = OriginType.EXTERNAL }),
            "Fail AwsKeyState, Warn AwsKeyType",
            NewKey,
            InSession),
        ["key: in another region"] = new(FarAwayAsync, "Warn AwsKeyRegion", NewKey),
        ["key: rotation off"] = new(
            s => s.Kms().DisableKeyRotationAsync(new DisableKeyRotationRequest { KeyId = s.Key }, Cancel),
            "Warn AwsKeyRotation",
            "aws kms enable-key-rotation",
            WithAws),

        // What the key policy allows.
        ["policy: no kms:Encrypt"] = Without("kms:Encrypt"),
        ["policy: no kms:Decrypt"] = Without("kms:Decrypt"),
        ["policy: no kms:GenerateDataKey*"] = Without("kms:GenerateDataKey*"),
        ["policy: no kms:DescribeKey"] = Without("kms:DescribeKey"),
        ["policy: no kms:ReEncrypt*"] = Without("kms:ReEncrypt*"),
        ["policy: no statement"] = new(
            s => s.KeyPolicyAsync((all, ours) => all.Remove(ours)),
            "Fail AwsKeyPolicyActions",
            Grant,
            InSession),
        ["policy: only the account"] = new(
            s => s.KeyPolicyAsync((_, ours) => ours["Principal"]!["AWS"] = s.AccountRoot),
            "Fail AwsKeyPolicyActions",
            Grant,
            InSession),
        ["policy: for another resource"] = new(
            s => s.KeyPolicyAsync((_, ours) => ours["Resource"] = s.Accesses[1].KeyUri),
            "Fail AwsKeyPolicyActions",
            Grant,
            InSession),
        ["policy: a condition that never holds"] = Conditional(
            When("StringEquals", "kms:ViaService", "s3.us-east-1.amazonaws.com"),
            "Fail AwsKeyPolicyActions"),
        ["policy: a condition that has ended"] = Conditional(
            When("DateLessThan", "aws:CurrentTime", "2020-01-01T00:00:00Z"),
            "Fail AwsKeyPolicyActions"),
        ["policy: a condition that cannot be judged"] = Conditional(
            When("StringEquals", "aws:SourceVpce", "vpce-1"),
            "Unknown AwsKeyPolicyActions"),

        // What it denies.
        ["deny: the role"] = Denies(s => Statement("Deny", s.Principal, "kms:Decrypt")),
        ["deny: every action"] = Denies(s => Statement("Deny", s.Principal, "kms:*")),
        ["deny: the account"] = Denies(s => Statement("Deny", s.AccountRoot, "kms:Encrypt")),
        ["deny: all but the account"] = new(
            s => s.StateAsync(Renamed(Statement("Deny", s.AccountRoot, "kms:Encrypt"), "NotPrincipal")),
            "Unknown AwsKeyPolicyDeny",
            "Look at that statement"),
        ["deny: everybody with the role's ARN"] = Denies(
            s => Statement("Deny", "*", "kms:GenerateDataKey", When("ArnEquals", "aws:PrincipalArn", s.Principal))),
        ["deny: a condition that cannot be judged"] = new(
            s => s.StateAsync(Statement("Deny", "*", "kms:Decrypt", When("StringNotEquals", "aws:SourceVpc", "vpc-1"))),
            "Unknown AwsKeyPolicyDeny",
            "Look at that statement"),
        ["deny: revoked in an emergency"] = new(
            RevokeAsync,
            "Warn CmekStatus, Fail AwsKeyPolicyDeny",
            "Restore-CmekAccess -ClusterName shop",
            InSession,
            Everywhere: true),

        // What it gives too much, and to whom.
        ["scope: kms:* for the role"] = Widens(s => Statement("Allow", s.Principal, "kms:*")),
        ["scope: everybody"] = Widens(_ => Statement("Allow", "*", "kms:DescribeKey")),
        ["scope: everybody under a condition"] = Widens(
            _ => Statement("Allow", "*", "kms:DescribeKey", When("StringEquals", "aws:PrincipalOrgID", "o-1"))),
        ["scope: everybody under an empty condition"] = Widens(_ => Statement("Allow", "*", "kms:DescribeKey", [])),
        ["scope: another account re-encrypts"] = Widens(_ => Statement("Allow", $"arn:aws:iam::{OtherAccount}:root", "kms:ReEncrypt*")),
        ["scope: another account makes grants"] = Widens(_ => Statement("Allow", $"arn:aws:iam::{OtherAccount}:root", "kms:CreateGrant")),
        ["scope: a grant lets somebody decrypt"] = new(GrantedAsync, "Warn AwsKeyGrants", "aws kms revoke-grant", WithAws),
        ["scope: another account decrypts"] = Widens(_ => Statement("Allow", $"arn:aws:iam::{OtherAccount}:root", "kms:Decrypt")),
        ["scope: another account beside the role"] = Widens(s => Beside(s.Principal, $"arn:aws:iam::{OtherAccount}:root")),
        ["scope: a user decrypts"] = Widens(s => Statement("Allow", s.Aws.Aws.Admin.Arn, "kms:De*")),
        ["scope: no root"] = new(NoRootAsync, "Warn AwsKeyPolicyRoot", "Add a statement that allows kms:*"),
        ["scope: a deleted principal beside"] = new(DeadBesideAsync, "Warn AwsKeyPolicyPrincipal", "Take these ids out"),

        // The role.
        ["role: deleted"] = new(
            s => s.Aws.IamAsync("DeleteRole", ("RoleName", s.RoleName)),
            "Fail AwsRoleExists",
            Grant,
            InSession,
            Everywhere: true),
        ["role: made anew"] = new(MadeAnewAsync, "Fail AwsKeyPolicyPrincipal", Grant, InSession, Everywhere: true),
        ["trust: another account"] = Trusts(ours => ours["Principal"]!["AWS"] = $"arn:aws:iam::{OtherAccount}:root", "Fail AwsRoleTrust"),
        ["trust: a service in the account's place"] = new(
            s => s.TrustAsync((_, ours) => ours["Principal"] = new JsonObject { ["Service"] = "ec2.amazonaws.com" }),
            "Fail AwsRoleTrust",
            Grant,
            Everywhere: true),
        ["trust: a service beside"] = new(
            s => s.TrustAsync((all, _) => all.Add(Service("ec2.amazonaws.com"))),
            "Warn AwsRoleTrust",
            "Take these principals out",
            Everywhere: true),
        ["trust: the account without an external ID, with a second factor"] = new(
            s => s.TrustAsync((all, ours) => all.Add(Beside(ours, When("Bool", "aws:MultiFactorAuthPresent", "true")))),
            "Unknown AwsRoleExternalId",
            "Take the statement",
            Everywhere: true),
        ["trust: another action"] = Trusts(ours => ours["Action"] = "sts:TagSession", "Fail AwsRoleTrust"),
        ["trust: wrong external id"] = Trusts(
            ours => ours["Condition"] = When("StringEquals", "sts:ExternalId", "somebody-else"),
            "Fail AwsRoleExternalId"),
        ["trust: external id in capitals"] = Trusts(
            ours => ours["Condition"] = When("StringEquals", "sts:ExternalId", OrganizationId.ToUpperInvariant()),
            "Fail AwsRoleExternalId"),
        ["trust: a condition that cannot be judged"] = Trusts(
            ours => ours["Condition"]!["IpAddress"] = new JsonObject { ["aws:SourceIp"] = "203.0.113.0/24" },
            "Unknown AwsRoleTrust"),
        ["trust: denied"] = new(
            s => s.TrustAsync((all, _) => all.Add(Action("Deny", "*", "sts:*"))),
            "Fail AwsRoleTrust",
            "Take the Deny out",
            Everywhere: true),
        ["trust: no external id"] = new(
            s => s.TrustAsync((_, ours) => ours.Remove("Condition")),
            "Warn AwsRoleExternalId",
            "Take the statement",
            Everywhere: true),
        ["trust: any external id"] = new(
            s => s.TrustAsync((_, ours) => ours["Condition"] = When("StringLike", "sts:ExternalId", "*")),
            "Warn AwsRoleExternalId",
            "Take the statement",
            Everywhere: true),
        ["trust: a second account"] = new(
            s => s.TrustAsync((all, _) => all.Add(Action("Allow", $"arn:aws:iam::{OtherAccount}:root", "sts:AssumeRole"))),
            "Warn AwsRoleTrust",
            "Take these principals out",
            Everywhere: true),
        ["boundary: nothing about KMS"] = new(
            s => s.BoundAsync(Statement("Allow", null, "s3:*")),
            "Fail AwsRoleBoundary",
            "Have arn:aws:iam::111122223333:policy/limit allow",
            Everywhere: true),
        ["boundary: denies"] = new(
            s => s.BoundAsync(Statement("Allow", null, "*"), Statement("Deny", null, "kms:Decrypt")),
            "Fail AwsRoleBoundary",
            "Have arn:aws:iam::111122223333:policy/limit allow",
            Everywhere: true),
        ["boundary: a condition that cannot be judged"] = new(
            s => s.BoundAsync(Statement("Allow", null, "kms:*", When("StringEquals", "aws:SourceVpc", "vpc-1"))),
            "Unknown AwsRoleBoundary",
            "Have arn:aws:iam::111122223333:policy/limit allow",
            Everywhere: true),
        ["boundary: wide enough"] = new(s => s.BoundAsync(Statement("Allow", null, FiveActions)), string.Empty, string.Empty),
        ["own policy: denies"] = new(
            s => s.OwnPolicyAsync(Statement("Deny", null, "kms:Encrypt")),
            "Fail AwsRolePolicies",
            "Take that Deny out",
            Everywhere: true),
        ["own policy: an attached one denies"] = new(AttachedDenyAsync, "Fail AwsRolePolicies", "Take that Deny out", Everywhere: true),
        ["own policy: may deny"] = new(
            s => s.OwnPolicyAsync(Statement("Deny", null, "kms:Decrypt", When("StringNotEquals", "aws:SourceVpc", "vpc-1"))),
            "Unknown AwsRolePolicies",
            "Take that Deny out",
            Everywhere: true),

        // What is no defect.
        ["sound: a denial of others"] = new(
            s => s.StateAsync(Statement("Deny", $"arn:aws:iam::{OtherAccount}:root", "kms:*")),
            string.Empty,
            string.Empty),
        ["sound: administrators who cannot decrypt"] = new(
            s => s.StateAsync(Statement("Allow", s.Aws.Aws.Admin.Arn, "kms:Put* kms:Get* kms:Describe*")),
            string.Empty,
            string.Empty),
    };

    public static TheoryData<string> Names => [.. Table.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task TheRightChecksAreOffAndAgreeWithWhatHappens(string name)
    {
        await using DefectScene scene = await DefectScene.StartAsync(google: false, shared.Session);
        await PreflightDefectTests.ProveAsync(scene, Table[name]);
    }

    private static Defect Without(string action) => new(
        s => s.KeyPolicyAsync(
            (_, ours) => ours["Action"] = new JsonArray([.. FiveActions.Split(' ').Where(a => a != action).Select(a => (JsonNode)a)])),
        "Fail AwsKeyPolicyActions",
        Grant,
        InSession);

    private static Defect Conditional(JsonObject condition, string off) =>
        new(s => s.KeyPolicyAsync((_, ours) => ours["Condition"] = condition.DeepClone()), off, Grant, InSession);

    private static Defect Denies(Func<DefectScene, JsonObject> statement) =>
        new(s => s.StateAsync(statement(s)), "Fail AwsKeyPolicyDeny", "Take arn:aws:iam::");

    private static Defect Widens(Func<DefectScene, JsonObject> statement) =>
        new(s => s.StateAsync(statement(s)), "Warn AwsKeyPolicyScope", "Narrow these statements");

    private static Defect Trusts(Action<JsonObject> edit, string off) =>
        new(s => s.TrustAsync((_, ours) => edit(ours)), off, Grant, InSession, Everywhere: true);

    // One statement that names the cluster's principal is no proof that it is the cluster's alone.
    private static JsonObject Beside(string role, string other)
    {
        JsonObject statement = Statement("Allow", role, "kms:Decrypt");
        statement["Principal"] = new JsonObject { ["AWS"] = new JsonArray(role, other) };
        return statement;
    }

    private static JsonObject Action(string effect, string principal, string action)
    {
        JsonObject statement = Statement(effect, principal, action);
        statement.Remove("Resource");
        return statement;
    }

    private static JsonObject Service(string name) =>
        new() { ["Effect"] = "Allow", ["Principal"] = new JsonObject { ["Service"] = name }, ["Action"] = "sts:AssumeRole" };

    private static JsonObject Beside(JsonObject ours, JsonObject condition)
    {
        JsonObject copy = (JsonObject)ours.DeepClone();
        copy["Sid"] = "Beside";
        copy["Condition"] = condition;
        return copy;
    }

    private static async Task GrantedAsync(DefectScene s) => await s.Kms().CreateGrantAsync(
        new CreateGrantRequest { KeyId = s.Key, GranteePrincipal = s.Aws.Aws.Admin.Arn, Operations = ["Decrypt"] }, Cancel);

    private static JsonObject Renamed(JsonObject statement, string name)
    {
        statement[name] = statement["Principal"]!.DeepClone();
        statement.Remove("Principal");
        return statement;
    }

    private static Task Do(Action act)
    {
        act();
        return Task.CompletedTask;
    }

    private static async Task ScheduleAsync(DefectScene s) =>
        await s.Kms().ScheduleKeyDeletionAsync(new ScheduleKeyDeletionRequest { KeyId = s.Key, PendingWindowInDays = 7 }, Cancel);

    private static async Task DeleteKeyAsync(DefectScene s)
    {
        await ScheduleAsync(s);
        s.Aws.Pass(TimeSpan.FromDays(8));
    }

    private static async Task FarAwayAsync(DefectScene s)
    {
        await s.UseNewAsync(new CreateKeyRequest(), "eu-west-1");
        await s.Kms("eu-west-1").EnableKeyRotationAsync(new EnableKeyRotationRequest { KeyId = s.Key }, Cancel);
    }

    private static async Task RevokeAsync(DefectScene s)
    {
        (await s.EnableAsync()).Expect();
        (await s.Shell.RunAsync("Revoke-CmekAccess -ClusterName shop -Confirm:$false -WarningAction SilentlyContinue")).Expect();
    }

    // KMS refuses a policy that locks its writer out, so whoever writes it stays.
    private static Task NoRootAsync(DefectScene s) => s.KeyPolicyAsync((all, _) =>
        all[0] = Statement(
            "Allow",
            s.Aws.Aws.Admin.Arn,
            "kms:PutKeyPolicy kms:GetKeyPolicy kms:DescribeKey kms:GetKeyRotationStatus kms:ListGrants"));

    private static async Task DeadBesideAsync(DefectScene s)
    {
        string other = await s.Aws.RoleAsync("other");
        await s.StateAsync(Statement("Allow", other, "kms:Decrypt"));
        await s.Aws.IamAsync("DeleteRole", ("RoleName", "other"));
    }

    private static async Task MadeAnewAsync(DefectScene s)
    {
        string trust = Uri.UnescapeDataString(
            (await s.Aws.IamAsync("GetRole", ("RoleName", s.RoleName))).Descendants("AssumeRolePolicyDocument").Single().Value);
        await s.Aws.IamAsync("DeleteRole", ("RoleName", s.RoleName));
        await s.Aws.IamAsync("CreateRole", ("RoleName", s.RoleName), ("AssumeRolePolicyDocument", trust));
    }

    private static async Task AttachedDenyAsync(DefectScene s)
    {
        string arn = $"arn:aws:iam::{Account}:policy/no";
        s.Aws.Aws.AddManagedPolicy(arn, Policy(Statement("Deny", null, "kms:*")));
        await s.Aws.IamAsync("AttachRolePolicy", ("RoleName", s.RoleName), ("PolicyArn", arn));
    }
}
