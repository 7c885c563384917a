using System.Management.Automation;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>What cannot work is said clearly, and before anything is sent that would change something.</summary>
public sealed class BadInputTests
{
    private const string Arn = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    private const string Role = "arn:aws:iam::111122223333:role/cmek";

    [Theory]
    [InlineData("Get-CmekKey alias/shop", "KeyUriInvalid", ErrorCategory.InvalidArgument)]
    [InlineData("Get-CmekKey 1234abcd-12ab-34cd-56ef-1234567890ab", "KeyUriInvalid", ErrorCategory.InvalidArgument)]
    [InlineData("Get-CmekKey arn:aws:kms:us-east-1:111122223333:alias/shop", "KeyUriInvalid", ErrorCategory.InvalidArgument)]
    [
        InlineData(
            "Grant-CmekAccess shop -Region us-east-1 -KeyUri "
                + "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "KeyUriInvalid",
            ErrorCategory.InvalidArgument),
    ]
    [InlineData("Grant-CmekAccess shop -Region us-east1 -KeyUri " + Arn, "RegionUnknown", ErrorCategory.InvalidArgument)]
    [InlineData("New-CmekKey shop -Region us-esat-1", "RegionUnknown", ErrorCategory.InvalidArgument)]
    [InlineData("New-CmekKey basic", "ClusterPlanUnsupported", ErrorCategory.InvalidOperation)]
    [InlineData("New-CmekKey open", "ClusterNotPrivate", ErrorCategory.InvalidOperation)]
    [InlineData("New-CmekKey shpo", "ClusterNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Get-CmekStatus -ClusterId 00000000-0000-0000-0000-000000000000", "CloudApiNotFound", ErrorCategory.ObjectNotFound)]
    [
        InlineData(
            "Enable-CmekCluster shop -Region us-east-1, us-west-2 -KeyUri " + Arn + " -AuthPrincipal " + Role,
            "RegionKeyCountMismatch",
            ErrorCategory.InvalidArgument),
    ]
    [
        InlineData(
            "Enable-CmekCluster shop -Region us-east-1, us-west-2 -KeyUri alias/a, alias/b -AuthPrincipal " + Role,
            "KeyUriInvalid",
            ErrorCategory.InvalidArgument),
    ]
    [
        InlineData(
            "Enable-CmekCluster shop -Region us-east-1, us-west-2 -KeyUri " + Arn + ", " + Arn + " -AuthPrincipal not-a-role",
            "PrincipalInvalid",
            ErrorCategory.InvalidArgument),
    ]
    [InlineData("New-CmekKey shop -RotationPeriod 12:00:00", "RotationPeriodInvalid", ErrorCategory.InvalidArgument)]
    [InlineData("New-CmekKey shop -RotationPeriod 30.00:00:00", "RotationPeriodInvalid", ErrorCategory.InvalidArgument)]
    [
        InlineData(
            "Grant-CmekAccess shop -Region us-east-1 -KeyUri " + Arn + " -RoleName a -RoleArn " + Role,
            "RoleAmbiguous",
            ErrorCategory.InvalidArgument),
    ]
    [InlineData("Revoke-CmekAccess shop -Force", "CmekNotEnabled", ErrorCategory.InvalidOperation)]
    [InlineData("Update-CmekCluster shop -Rewrap", "CmekNotEnabled", ErrorCategory.InvalidOperation)]
    [InlineData("Restore-CmekAccess shop", "NothingToRestore", ErrorCategory.InvalidOperation)]
    [InlineData("Export-CmekManifest shop", "CmekNotEnabled", ErrorCategory.InvalidOperation)]
    public async Task IsAClearErrorAndChangesNothing(string script, string id, ErrorCategory category)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws with
        {
            Clusters =
            [
                new SandboxClusterOptions("shop", "AWS", ["us-east-1", "us-west-2"]),
                new SandboxClusterOptions("basic", "AWS", ["us-east-1"]) { Plan = "BASIC" },
                new SandboxClusterOptions("open", "AWS", ["us-east-1"]) { NetworkVisibility = "PUBLIC" },
            ],
        });
        PowerShellResult result = await shell.RunAsync(script);
        Assert.NotEmpty(result.Errors);
        Assert.All(result.Errors, e =>
        {
            Assert.StartsWith(id, e.FullyQualifiedErrorId, StringComparison.Ordinal);
            Assert.Equal(category, e.CategoryInfo.Category);
            Assert.False(string.IsNullOrWhiteSpace(e.ErrorDetails?.RecommendedAction), "there is nothing to do about it");
        });
        Assert.Empty(result.Output);
        Assert.Empty(shell.Writes);
    }

    [Fact]
    public async Task ANearMissIsNamed()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        Assert.Contains(
            "Did you mean us-east-1?",
            (await shell.RunAsync("New-CmekKey shop -Region us-east1")).ExpectError("RegionUnknown").Exception.Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "Did you mean shop?",
            (await shell.RunAsync("Get-CmekCluster shpo")).ExpectError("ClusterNotFound").Exception.Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [
        InlineData(
            """Connect-CmekCloud -Server http://cockroachlabs.cloud -ApiKey (& { $s = [securestring]::new(); $s.AppendChar('x'); $s })""",
            "ServerInsecure"),
    ]
    [
        InlineData(
            """Connect-CmekCloud -Server ftp://cockroachlabs.cloud -ApiKey (& { $s = [securestring]::new(); $s.AppendChar('x'); $s })""",
            "ServerInvalid"),
    ]
    [InlineData("""Connect-CmekCloud -Server https://cockroachlabs.cloud -ApiKey ([securestring]::new())""", "ApiKeyMissing")]
    public async Task AConnectionThatCannotBeRightSendsNothing(string script, string id)
    {
        await using PowerShellSession shell = await PowerShellSession.OpenAsync();
        (await shell.InvokeAsync(script)).ExpectError(id);
    }

    [Fact]
    public async Task WithoutAConnectionEveryCommandSaysHowToGetOne()
    {
        await using PowerShellSession shell = await PowerShellSession.OpenAsync();
        ErrorRecord error = (await shell.InvokeAsync("Get-CmekCluster")).ExpectError("NotConnected");
        Assert.Contains("Connect-CmekCloud", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AWrongKeyIsRefusedAtOnceInTheServicesWords()
    {
        await using SandboxServer server = SandboxServer.Start(SandboxShell.Aws);
        await using PowerShellSession shell = await PowerShellSession.OpenAsync();
        ErrorRecord error = (await shell.InvokeAsync(
            "param($Server) $s = [securestring]::new(); 'wrong'.ToCharArray() | ForEach-Object { $s.AppendChar($_) }; Connect-CmekCloud "
                + "-Server $Server -ApiKey $s",
            new { Server = server.BaseAddress })).ExpectError("CloudApiKeyRejected");
        Assert.Equal(ErrorCategory.AuthenticationError, error.CategoryInfo.Category);
        Assert.Equal(401, Assert.IsType<CmekServiceException>(error.Exception).StatusCode);
        Assert.Single(server.Exchanges);
    }

    [Fact]
    public void EveryKindOfFailureHasItsCategory()
    {
        foreach (string kind in Enum.GetNames<CmekErrorKind>())
        {
            Assert.True(Enum.TryParse(kind, out ErrorCategory category) && category != ErrorCategory.NotSpecified, kind);
        }
    }
}
