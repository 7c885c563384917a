using System.Text.Json.Nodes;
using Xunit;

namespace CmekTools.Tests.Sandbox;

public sealed class CloudApiRevokeTests
{
    private static readonly JsonObject Revoke = new() { ["action"] = "REVOKE" };

    [Fact]
    public async Task RevokeIsTheOnlyActionAndNeedsKeys()
    {
        await using CloudApiWire wire = new();
        (await wire.CmekAsync("PATCH", Revoke)).Refused(400, 9, "not enabled");
        await wire.EnabledAsync();
        (await wire.CmekAsync("PATCH", new JsonObject { ["action"] = "RESTORE" })).Refused(400, 3, "RESTORE");
        (await wire.CmekAsync("PATCH", new JsonObject())).Refused(400, 3, "unknown action");
    }

    [Fact]
    public async Task RevokingTwiceIsTheSameAsOnce()
    {
        await using CloudApiWire wire = new();
        await wire.EnabledAsync();
        Assert.Equal("REVOKING", (await wire.CmekAsync("PATCH", Revoke)).Ok().CmekStatus);
        Assert.Equal("REVOKING", (await wire.CmekAsync("PATCH", Revoke)).Ok().CmekStatus);
        await wire.LaterAsync("REVOKED");
        Assert.Equal("REVOKED", (await wire.CmekAsync("PATCH", Revoke)).Ok().CmekStatus);
        Assert.False(wire.Cloud.IsReadable(wire.Shop));
    }

    [Fact]
    public async Task ARevokeWhoseAccessWasNeverCutDoesNotHealByItself()
    {
        await using CloudApiWire wire = new();
        await wire.EnabledAsync();
        await wire.RevokedAsync();
        await wire.LaterAsync("REVOKED");
        Assert.True(wire.Cloud.Recover(wire.Shop));
        Assert.Equal("ENABLING", (await wire.CmekAsync()).CmekStatus);
        await wire.LaterAsync("ENABLED");
        Assert.True(wire.Cloud.IsReadable(wire.Shop));
        Assert.Equal(0, wire.Cloud.Rewraps(wire.Shop, "us-east-1"));
    }

    [Fact]
    public async Task SupportBringsAClusterBackOnceItsKeysAreBack()
    {
        await using CloudApiWire wire = new();
        await wire.EnabledAsync();
        wire.Keys.Cut();
        await wire.RevokedAsync();
        await wire.LaterAsync("REVOKED");
        wire.Keys.Decide = (_, uri, _) => uri.Contains("us-west-2", StringComparison.Ordinal) ? "still cut" : null;
        await wire.LaterAsync("REVOKED");
        wire.Keys.Allow();
        Assert.Equal("ENABLING", (await wire.CmekAsync()).CmekStatus);
        await wire.LaterAsync("ENABLED");
        Assert.True(wire.Cloud.IsReadable(wire.Shop));
    }

    [Fact]
    public async Task ARecoveryThatLosesItsKeyIsRevokedAgain()
    {
        await using CloudApiWire wire = new();
        await wire.EnabledAsync();
        await wire.RevokedAsync();
        wire.Cloud.Recover(wire.Shop);
        wire.Keys.Cut("gone again");
        WireAnswer again = await wire.LaterAsync("REVOKED");
        Assert.Contains("gone again", (string?)again.Key("us-east-1")["user_message"], StringComparison.Ordinal);
        wire.Keys.Allow();
        Assert.Equal("ENABLING", (await wire.CmekAsync()).CmekStatus);
    }

    [Fact]
    public async Task WithoutSupportAClusterStaysRevoked()
    {
        await using CloudApiWire wire = new();
        wire.Server.Options = wire.Server.Options with { VendorRecovers = false };
        await wire.EnabledAsync();
        wire.Keys.Cut();
        await wire.RevokedAsync();
        wire.Keys.Allow();
        await wire.LaterAsync("REVOKED");
        await wire.LaterAsync("REVOKED");
    }

    [Fact]
    public async Task ABurntPrincipalIsReplacedOnARevokedCluster()
    {
        await using CloudApiWire wire = new();
        await wire.EnabledAsync();
        const string fresh = CloudApiWire.Role + "-fresh";
        wire.Keys.Decide = (_, _, principal) => principal == fresh ? null : "burnt";
        await wire.RevokedAsync();
        (await wire.CmekAsync("PUT", CloudApiWire.BothRegions(2))).Refused(400, 3, "burnt");
        (await wire.CmekAsync("POST", CloudApiWire.BothRegions())).Refused(400, 9, "already enabled");
        (
            await wire.CmekAsync(
                "PUT",
                CloudApiWire.Specs(
                    CloudApiWire.Spec("us-east-1", principal: fresh),
                    CloudApiWire.Spec("us-west-2", principal: fresh)))).Ok();
        WireAnswer enabled = await wire.LaterAsync("ENABLED");
        Assert.Equal(["ENABLED", "DISABLED"], enabled.KeyStates("us-east-1"));
        Assert.Equal(fresh, (string?)enabled.Key("us-east-1")["spec"]!["auth_principal"]);
        Assert.True(wire.Cloud.IsReadable(wire.Shop));
    }

    [Fact]
    public async Task NodesWithoutTheirKeyDoNotComeBack()
    {
        await using CloudApiWire wire = new();
        Assert.Equal(["us-east-1", "us-west-2"], wire.Cloud.RestartNodes(wire.Shop));
        await wire.EnabledAsync();
        wire.Keys.Decide = (_, uri, _) => uri.Contains("us-west-2", StringComparison.Ordinal) ? "cut" : null;
        Assert.Equal("ENABLED", (await wire.CmekAsync()).CmekStatus);
        Assert.True(wire.Cloud.IsReadable(wire.Shop));
        Assert.Equal(["us-east-1"], wire.Cloud.RestartNodes(wire.Shop));
        Assert.Equal(["us-west-2"], wire.Cloud.NodesDown(wire.Shop));
        wire.Keys.Allow();
        Assert.Equal(["us-west-2"], wire.Cloud.NodesDown(wire.Shop));
        Assert.True(wire.Cloud.Recover(wire.Shop));
        Assert.Empty(wire.Cloud.NodesDown(wire.Shop));
    }

    [Fact]
    public async Task TheAuditLogHoldsTheChanges()
    {
        await using CloudApiWire wire = new();
        await wire.EnabledAsync();
        await wire.RevokedAsync();
        JsonArray entries = (await wire.GetAsync("auditlogevents")).Ok().Body["entries"]!.AsArray();
        Assert.Equal(["AUDIT_LOG_ACTION_UPDATE_CMEK", "AUDIT_LOG_ACTION_REVOKE_CMEK"], entries.Select(e => (string)e!["action"]!));
        JsonObject newest = (await wire.GetAsync("auditlogevents?sort_order=DESC&limit=1")).Ok().Body;
        Assert.Equal("AUDIT_LOG_ACTION_REVOKE_CMEK", (string?)newest["entries"]![0]!["action"]);
        JsonObject next = (
            await wire.GetAsync("auditlogevents?sort_order=DESC&starting_from=" + (string)newest["next_starting_from"]!)).Ok().Body;
        Assert.Equal("AUDIT_LOG_ACTION_UPDATE_CMEK", (string?)Assert.Single(next["entries"]!.AsArray())!["action"]);
    }
}
