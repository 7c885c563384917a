using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>A multi-region key whose primary was moved: everything goes on where the primary is now, and while it is on its way.</summary>
public sealed class MovedPrimaryTests
{
    private static async Task<(Life Life, string Old, string Now)> MoveAsync(TimeSpan lasts)
    {
        Life life = await Life.StartAsync("AWS", enable: false);
        await life.RunAsync("$null = New-CmekKey shop -MultiRegion | Grant-CmekAccess | Enable-CmekCluster -Wait");
        (string old, string now) = (await life.KeyAsync("us-east-1"), await life.KeyAsync("us-west-2"));
        SandboxOptions before = life.Server.Options;
        life.Server.Options = before with { IamLag = lasts };
        await life.Aws.KmsAs(life.Aws.Aws.Admin, "us-east-1").UpdatePrimaryRegionAsync(
            new UpdatePrimaryRegionRequest { KeyId = old, PrimaryRegion = "us-west-2" },
            AwsWire.Cancel);
        life.Server.Options = before;
        return (life, old, now);
    }

    [Fact]
    public async Task CopiesAndVersionsAreMadeWhereThePrimaryIsNow()
    {
        (Life life, string old, string now) = await MoveAsync(TimeSpan.Zero);
        await using Life _ = life;
        DescribeKeyResponse seen = await life.Aws.KmsAs(life.Aws.Aws.Admin, "us-east-1").DescribeKeyAsync(old, AwsWire.Cancel);
        Assert.Equal(
            ("REPLICA", now),
            (seen.KeyMetadata.MultiRegionConfiguration.MultiRegionKeyType.Value, seen.KeyMetadata.MultiRegionConfiguration.PrimaryKey.Arn));

        // The same keys; nothing is made a second time.
        CmekKey[] keys = [.. (await life.RunAsync("New-CmekKey shop -MultiRegion")).Values<CmekKey>()];
        Assert.Equal([old, now], keys.Select(k => k.KeyUri));
        Assert.Empty(life.Writes);

        await life.RunAsync("$null = New-CmekKey shop -Region eu-west-1 -NewRegion -MultiRegion -WarningAction SilentlyContinue");
        SentToThePrimary(life, "ReplicateKey");
        await life.RunAsync("$null = Update-CmekCluster shop -Rewrap -RotateKey -Wait -WarningAction SilentlyContinue");
        SentToThePrimary(life, "RotateKeyOnDemand");
    }

    // The region that a request is signed for is the one that it goes to.
    private static void SentToThePrimary(Life life, string operation) => Assert.Contains(
        "/us-west-2/kms/",
        Assert.Single(life.Server.Exchanges, e => e.Request.Operation == operation).Request.Headers["Authorization"],
        StringComparison.Ordinal);

    [Fact]
    public async Task AKeyThatIsUpdatingCanBeUsed()
    {
        (Life life, string old, string now) = await MoveAsync(TimeSpan.FromHours(1));
        await using Life _ = life;
        foreach (string key in (string[])[old, now])
        {
            Assert.Equal(
                "Updating",
                (
                    await life.Aws.KmsAs(
                        life.Aws.Aws.Admin,
                        key.Split(':')[3]).DescribeKeyAsync(key, AwsWire.Cancel)).KeyMetadata.KeyState.Value);
            Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(key));
        }

        Assert.DoesNotContain(
            (await life.RunAsync("Test-CmekAccess shop")).Values<CmekCheck>(),
            c => c.Result is CmekCheckResult.Fail or CmekCheckResult.Unknown);
        await life.RunAsync("$null = Update-CmekCluster shop -Rewrap -Wait -WarningAction SilentlyContinue");
        await life.RunAsync("$null = Revoke-CmekAccess shop -Force; $null = Restore-CmekAccess shop -Wait -WarningAction SilentlyContinue");
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
    }

    [Theory]
    [InlineData("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.", false)]
    [InlineData("MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals.", true)]
    public async Task APolicyThatIsRefusedForAnythingButAPrincipalIsNotSentAgain(string code, string message, bool again)
    {
        await using Life life = await Life.StartAsync("AWS", enable: false);
        int tries = 0;
        life.Server.Before = r => Task.FromResult(r.Operation == "PutKeyPolicy" && Interlocked.Increment(ref tries) <= (again ? 2 : 50)
            ? new SandboxResponse { Status = 400, Body = new JsonObject { ["__type"] = code, ["message"] = message }.ToJsonString() }
            : null);
        PowerShellResult result = await life.TryAsync(
            "New-CmekKey shop -Region us-east-1 | Grant-CmekAccess -WarningAction SilentlyContinue");
        Assert.Equal(again, result.Errors.Count == 0);
        Assert.Equal(again ? 3 : 1, tries);
    }
}
