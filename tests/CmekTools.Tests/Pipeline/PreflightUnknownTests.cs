using CmekTools.Sandbox.Aws;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;
using static CmekTools.Tests.Sandbox.AwsWire;

namespace CmekTools.Tests.Pipeline;

/// <summary>What whoever runs it may not see is unknown, names what is missing, and is never a pass.</summary>
public sealed class PreflightUnknownTests
{
    private static readonly string[] s_googlePermissions =
    [
        "cloudkms.cryptoKeys.get",
        "cloudkms.cryptoKeys.getIamPolicy",
        "cloudkms.keyRings.getIamPolicy",
        "resourcemanager.projects.getIamPolicy",
        "iam.serviceAccounts.get", "iam.serviceAccounts.getIamPolicy", "cloudkms.cryptoKeyVersions.list", "resourcemanager.projects.get",
        "iam.denypolicies.list", "iam.denypolicies.get", "iam.roles.get",
    ];

    [Theory]
    [InlineData("kms:DescribeKey", "AwsKeyExists AwsKeyState AwsKeyType")]
    [InlineData("kms:GetKeyRotationStatus", "AwsKeyRotation")]
    [InlineData("kms:ListGrants", "AwsKeyGrants")]
    [InlineData("kms:GetKeyPolicy", "AwsKeyPolicyActions AwsKeyPolicyDeny AwsKeyPolicyPrincipal AwsKeyPolicyScope AwsKeyPolicyRoot")]
    [InlineData("iam:GetRole", "AwsRoleExists AwsRoleTrust AwsRoleExternalId AwsRoleBoundary")]
    [InlineData("iam:ListRolePolicies", "AwsRolePolicies")]
    [InlineData("iam:ListAttachedRolePolicies", "AwsRolePolicies")]
    [InlineData("iam:GetPolicyVersion", "AwsRoleBoundary")]
    public async Task OnAws(string missing, string unknown)
    {
        await using DefectScene scene = await DefectScene.StartAsync(google: false, null);
        await scene.BoundAsync(Statement("Allow", null, "*"));
        AwsKeyPair reader = scene.Aws.Aws.AddCredentials(
            Account,
            $"arn:aws:iam::{Account}:user/reader",
            Policy(Statement("Allow", null, "*"), Statement("Deny", null, missing)));
        await ConnectAsync(scene, ("AWS_ACCESS_KEY_ID", reader.AccessKeyId), ("AWS_SECRET_ACCESS_KEY", reader.SecretAccessKey));
        await ProveAsync(scene, missing, unknown);
    }

    [Theory]
    [InlineData("cloudkms.cryptoKeys.get", "GcpKeyExists")]
    [InlineData("cloudkms.cryptoKeys.getIamPolicy", "GcpKeyBinding")]
    [InlineData("iam.serviceAccounts.get", "GcpServiceAccount")]
    [InlineData("iam.serviceAccounts.getIamPolicy", "GcpTokenCreator")]
    [InlineData("iam.denypolicies.list", "GcpDenyPolicies")]
    [InlineData("everything", "GcpKeyExists GcpServiceAccount GcpTokenCreator")]
    public async Task OnGoogleCloud(string missing, string unknown)
    {
        await using DefectScene scene = await DefectScene.StartAsync(google: true, null);
        const string role = $"projects/{GcpWire.Project}/roles/reader";
        const string reader = "user:reader@example.com";
        scene.Google.Google.Authorizer.AddCustomRole(role, [.. s_googlePermissions.Where(p => p != missing && missing != "everything")]);
        scene.Bind("projects/" + GcpWire.Project, role, reader);
        await ConnectAsync(scene, ("GOOGLE_SANDBOX_ACCESS_TOKEN", scene.Google.Google.Tokens.Add(reader)));
        await ProveAsync(scene, missing == "everything" ? "." : missing, unknown);
    }

    [Fact]
    public async Task OfTheApiKeysRole()
    {
        await using DefectScene scene = await DefectScene.StartAsync(google: false, null);
        await ConnectAsync(scene, ("COCKROACH_API_KEY", scene.Cloud.ReadOnlyKey));
        CmekCheck role = await RoleAsync(scene);
        Assert.Equal(CmekCheckResult.Warn, role.Result);
        Assert.Contains("CLUSTER_ADMIN or CLUSTER_OPERATOR_WRITER on shop", role.Remedy, StringComparison.Ordinal);

        // Once it was refused a change it is known; and so it is once one was taken.
        (await scene.EnableAsync()).ExpectError("CloudApiPermissionDenied");
        Assert.Equal(CmekCheckResult.Fail, (await RoleAsync(scene)).Result);
        Assert.False(await QuietAsync(scene));
        await ConnectAsync(scene);
        Assert.Equal(CmekCheckResult.Warn, (await RoleAsync(scene)).Result);
        Assert.True(await QuietAsync(scene));
        (await scene.EnableAsync()).Expect();
        Assert.Equal(CmekCheckResult.Pass, (await RoleAsync(scene)).Result);
    }

    [Fact]
    public async Task QuietIsOneAnswerForManyClusters()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast);
        await shell.EnableAllAsync();
        Assert.Equal([true], (await shell.RunAsync("Get-CmekCluster | Test-CmekAccess -Quiet")).Expect().Values<bool>());
        shell.Server.Get<CmekTools.Sandbox.CloudApi.CloudApiService>().SetState(
            shell.Server.Get<CmekTools.Sandbox.CloudApi.CloudApiService>().IdOf("shop"),
            "LOCKED");
        Assert.Equal([false], (await shell.RunAsync("Get-CmekCluster | Test-CmekAccess -Quiet")).Expect().Values<bool>());
    }

    private static async Task ProveAsync(DefectScene scene, string missing, string unknown)
    {
        CmekCheck[] off = await scene.OffAsync();
        Assert.Equal(
            unknown.Split(' ').Order(StringComparer.Ordinal),
            off.Where(c => c.Region == scene.First.Region).Select(c => c.Name).Order(StringComparer.Ordinal));
        Assert.All(off, c => Assert.Equal(CmekCheckResult.Unknown, c.Result));
        Assert.All(off, c => Assert.Contains(missing, c.Remedy, StringComparison.Ordinal));
        Assert.All(off, c => Assert.EndsWith("granted to whoever runs this.", c.Remedy, StringComparison.Ordinal));
        Assert.False(await QuietAsync(scene));
    }

    private static async Task<bool> QuietAsync(DefectScene scene) =>
        Assert.Single(
            (
                await scene.Shell.RunAsync(
                    "param($Access) $Access | Test-CmekAccess -Quiet",
                    new { Access = scene.Accesses.ToArray() })).Expect().Values<bool>());

    private static async Task<CmekCheck> RoleAsync(DefectScene scene) =>
        Assert.Single(
            (
                await scene.Shell.RunAsync(
                    "param($Access) $Access | Test-CmekAccess",
                    new { Access = scene.Accesses.ToArray() })).Expect().Values<CmekCheck>(),
            c => c.Name == "CloudApiRole");

    /// <summary>Connects as somebody else.</summary>
    private static async Task ConnectAsync(DefectScene scene, params (string Name, string Value)[] instead)
    {
        Dictionary<string, string> environment = new(scene.Shell.Server.Environment);
        foreach ((string name, string value) in instead)
        {
            environment[name] = value;
        }

        (await scene.Shell.RunAsync("param($Sandbox, $State) $null = Connect-CmekCloud -Sandbox $Sandbox -StateFolder $State", new
        {
            Sandbox = new CmekSandbox { BaseAddress = scene.Shell.Server.BaseAddress, Environment = environment },
            State = scene.Shell.StateFolder,
        })).Expect();
    }
}
