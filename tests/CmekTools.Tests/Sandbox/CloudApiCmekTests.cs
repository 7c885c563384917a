using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Sandbox.CloudApi;
using Xunit;

namespace CmekTools.Tests.Sandbox;

public sealed class CloudApiCmekTests
{
    [Fact]
    public async Task EnablingTakesItsTimeAndEndsEnabled()
    {
        await using CloudApiWire wire = new();
        (await wire.CmekAsync()).Refused(404, 5, "no CMEK");
        Assert.Equal("ENABLING", (await wire.CmekAsync("POST", CloudApiWire.BothRegions())).Ok().CmekStatus);
        Assert.Equal("CRDB_CMEK_OPERATION_RUNNING", (string?)(await wire.GetAsync("clusters/" + wire.Shop)).Body["operation_status"]);
        WireAnswer enabled = await wire.LaterAsync("ENABLED");
        Assert.Equal(["us-east-1", "us-west-2"], enabled.Body["region_infos"]!.AsArray().Select(r => (string)r!["region"]!));
        Assert.Equal(CloudApiWire.KeyUri("us-east-1"), (string?)enabled.Key("us-east-1")["spec"]!["uri"]);
        Assert.Equal("UNSPECIFIED", (string?)(await wire.GetAsync("clusters/" + wire.Shop)).Body["operation_status"]);
        (await wire.CmekAsync("POST", CloudApiWire.BothRegions())).Refused(400, 9, "already enabled");
    }

    [Fact]
    public async Task ATimeThatIsChangedHoldsForWhatRunsAlready()
    {
        await using CloudApiWire wire = new();
        wire.Server.Options = wire.Server.Options with { StateTime = TimeSpan.FromHours(2) };
        (await wire.CmekAsync("POST", CloudApiWire.BothRegions())).Ok();
        wire.Server.Options = wire.Server.Options with { StateTime = TimeSpan.FromMilliseconds(1) };
        await wire.LaterAsync("ENABLED");
    }

    [Fact]
    public async Task AzureKeysAreTakenOnTrust()
    {
        await using CloudApiWire wire = new();
        string id = wire.Cloud.IdOf("azure");
        (
            await wire.CmekAsync(
                "POST",
                CloudApiWire.Specs(CloudApiWire.Spec("eastus", "https://v.vault.azure.net/keys/k/1", "AZURE_KEY_VAULT", "app")),
                id)).Ok();
        wire.Clock.Advance(wire.Server.Options.StateTime);
        Assert.Equal("ENABLED", (await wire.CmekAsync(id: id)).CmekStatus);
    }

    [Theory]
    [InlineData("{}", "region_specs must not be empty")]
    [InlineData("""{"region_specs":[]}""", "region_specs must not be empty")]
    [InlineData("""{"region_specs":{}}""", "must be an array")]
    [InlineData("""{"region_specs":[{"region":"us-east-1"}]}""", "key_spec is missing")]
    [
        InlineData(
            """{"region_specs":[{"region":"mars","key_spec":"""
                + """{"type":"AWS_KMS","uri":"arn:aws:kms:us-east-1:111122223333:key/1","auth_principal":"arn:aws:iam::111122223333:"""
                + """role/r"}}]}""",
            "mars is not a region"),
    ]
    [
        InlineData(
            """{"region_specs":[{"region":"us-east-1","key_spec":{"type":"GCP_CLOUD_KMS","uri":"u","auth_principal":"p"}}]}""",
            "does not fit a cluster on AWS"),
    ]
    [
        InlineData(
            """{"region_specs":[{"region":"us-east-1","key_spec":"""
                + """{"type":"AWS_KMS","uri":"arn:aws:kms:us-east-1:111122223333:alias/a","auth_principal":"arn:aws:iam::111122223333:"""
                + """role/r"}}]}""",
            "malformed key URI"),
    ]
    [
        InlineData(
            """{"region_specs":[{"region":"us-east-1","key_spec":"""
                + """{"type":"AWS_KMS","uri":"arn:aws:kms:us-east-1:111122223333:key/1","auth_principal":"r"}}]}""",
            "malformed auth_principal"),
    ]
    [InlineData("""{"region_specs":[{"region":"us-east-1","key_spec":{"type":"NULL_KMS","uri":"u"}}]}""", "takes no uri")]
    [InlineData("{", "not JSON")]
    public async Task WrongSpecificationsAreRefusedAndChangeNothing(string body, string said)
    {
        await using CloudApiWire wire = new();
        (await wire.SendAsync("POST", $"clusters/{wire.Shop}/cmek", body)).Refused(400, 3, said);
        (await wire.SendAsync("PUT", $"clusters/{wire.Shop}/cmek", body)).Refused(400, 3, said);
        (await wire.CmekAsync()).Refused(404, 5, "no CMEK");
    }

    [Fact]
    public async Task EveryRegionIsNeededExactlyOnce()
    {
        await using CloudApiWire wire = new();
        (await wire.CmekAsync("POST", CloudApiWire.Specs(CloudApiWire.Spec("us-east-1")))).Refused(400, 3, "us-west-2 is missing");
        (await wire.CmekAsync("PUT", CloudApiWire.Specs(CloudApiWire.Spec("us-east-1")))).Refused(400, 3, "us-west-2 is missing");
        (
            await wire.CmekAsync(
                "POST",
                CloudApiWire.Specs(CloudApiWire.Spec("us-east-1"), CloudApiWire.Spec("us-east-1")))).Refused(400, 3, "given twice");
        Assert.Equal("ENABLING", (await wire.CmekAsync("PUT", CloudApiWire.BothRegions())).Ok().CmekStatus);
    }

    [Fact]
    public async Task OnlyPrivateAdvancedClustersFit()
    {
        await using CloudApiWire wire = new();
        wire.Cloud.SetPlan(wire.Shop, "STANDARD");
        (await wire.CmekAsync("POST", CloudApiWire.BothRegions())).Refused(400, 9, "STANDARD");
        wire.Cloud.SetPlan(wire.Shop, "ADVANCED");
        wire.Cloud.SetNetworkVisibility(wire.Shop, "PUBLIC");
        (await wire.CmekAsync("POST", CloudApiWire.BothRegions())).Refused(400, 9, "PUBLIC");
        wire.Cloud.SetNetworkVisibility(wire.Shop, "PRIVATE");
        wire.Cloud.SetPlan(wire.Shop, "DEDICATED");
        (await wire.CmekAsync("POST", CloudApiWire.BothRegions())).Ok();
    }

    [Fact]
    public async Task ABusyClusterIsRefusedInOneOfTwoWays()
    {
        await using CloudApiWire wire = new();
        wire.Cloud.SetState(wire.Shop, "LOCKED");
        (await wire.CmekAsync("POST", CloudApiWire.BothRegions())).Refused(503, 14, "cluster is locked");
        wire.Cloud.BusyAnswer = BusyAnswer.Locked;
        (await wire.CmekAsync("POST", CloudApiWire.BothRegions())).Refused(400, 9, "cluster is locked");
        wire.Cloud.SetState(wire.Shop, null);
        (await wire.CmekAsync("POST", CloudApiWire.BothRegions())).Ok();
        (await wire.CmekAsync("PUT", CloudApiWire.BothRegions())).Refused(400, 9, "cluster is locked");
    }

    [Fact]
    public async Task AccessIsTriedAtOnceAsTheClusterItself()
    {
        await using CloudApiWire wire = new();
        List<ClusterIdentity> asked = [];
        wire.Keys.Decide = (who, uri, _) =>
        {
            asked.Add(who);
            return uri.Contains("us-west-2", StringComparison.Ordinal) ? "AccessDeniedException: no" : null;
        };
        WireAnswer refused = await wire.CmekAsync("POST", CloudApiWire.BothRegions());
        refused.Refused(
            400,
            3,
            $"Insufficient permissions to access the KMS key {CloudApiWire.KeyUri("us-west-2")}: AccessDeniedException: no");
        Assert.StartsWith("invalid argument: ", refused.Message, StringComparison.Ordinal);
        Assert.All(
            asked,
            who => Assert.Equal(new ClusterIdentity(wire.Shop, wire.Cloud.AccountOf(wire.Shop), wire.Server.Options.OrganizationId), who));
        (await wire.CmekAsync()).Refused(404, 5, "no CMEK");
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    public async Task AKeyLostWhileEnablingFailsAndCanBeTriedAgain(string again)
    {
        await using CloudApiWire wire = new();
        (await wire.CmekAsync("POST", CloudApiWire.BothRegions())).Ok();
        wire.Keys.Cut("KMSInvalidStateException");
        WireAnswer failed = await wire.LaterAsync("ENABLE_FAILED");
        Assert.Contains("KMSInvalidStateException", (string?)failed.Key("us-east-1")["user_message"], StringComparison.Ordinal);
        Assert.Equal("CRDB_CMEK_OPERATION_FAILED", (string?)(await wire.GetAsync("clusters/" + wire.Shop)).Body["operation_status"]);
        wire.Keys.Allow();
        (await wire.CmekAsync(again, CloudApiWire.BothRegions())).Ok();
        WireAnswer enabled = await wire.LaterAsync("ENABLED");
        Assert.Equal(["ENABLED"], enabled.KeyStates("us-east-1"));
        Assert.Equal("", (string?)enabled.Key("us-east-1")["user_message"]);
    }

    [Fact]
    public async Task TheSameUriWrapsAgain()
    {
        await using CloudApiWire wire = new();
        WireAnswer before = await wire.EnabledAsync();
        Assert.Equal(0, wire.Cloud.Rewraps(wire.Shop, "us-east-1"));
        Assert.Equal("ROTATING", (await wire.CmekAsync("PUT", CloudApiWire.Specs(CloudApiWire.Spec("us-east-1")))).Ok().CmekStatus);
        WireAnswer after = await wire.LaterAsync("ENABLED");
        Assert.Equal(1, wire.Cloud.Rewraps(wire.Shop, "us-east-1"));
        Assert.Equal(0, wire.Cloud.Rewraps(wire.Shop, "us-west-2"));
        Assert.Equal(["ENABLED"], after.KeyStates("us-east-1"));
        Assert.Equal((string?)before.Key("us-east-1")["created_at"], (string?)after.Key("us-east-1")["created_at"]);
        Assert.NotEqual((string?)before.Key("us-east-1")["updated_at"], (string?)after.Key("us-east-1")["updated_at"]);
        Assert.Equal((string?)before.Key("us-west-2")["updated_at"], (string?)after.Key("us-west-2")["updated_at"]);
    }

    [Fact]
    public async Task ANewUriMovesAndTheOldKeyStaysAsHistory()
    {
        await using CloudApiWire wire = new();
        await wire.EnabledAsync();
        string newer = CloudApiWire.KeyUri("us-east-1", 2);
        Assert.Equal(
            ["ROTATING", "ENABLED"],
            (await wire.CmekAsync("PUT", CloudApiWire.Specs(CloudApiWire.Spec("us-east-1", newer)))).Ok().KeyStates("us-east-1"));
        WireAnswer after = await wire.LaterAsync("ENABLED");
        Assert.Equal(["ENABLED", "DISABLED"], after.KeyStates("us-east-1"));
        Assert.Equal(newer, (string?)after.Key("us-east-1")["spec"]!["uri"]);
        Assert.Equal(["ENABLED"], after.KeyStates("us-west-2"));
    }

    [Fact]
    public async Task ARotationThatFailsKeepsTheOldKey()
    {
        await using CloudApiWire wire = new();
        await wire.EnabledAsync();
        string newer = CloudApiWire.KeyUri("us-east-1", 2);
        (await wire.CmekAsync("PUT", CloudApiWire.Specs(CloudApiWire.Spec("us-east-1", newer)))).Ok();
        wire.Keys.Decide = (_, uri, _) => uri == newer ? "gone" : null;
        WireAnswer failed = await wire.LaterAsync("ROTATE_FAILED");
        Assert.Equal(["ROTATE_FAILED", "ENABLED"], failed.KeyStates("us-east-1"));
        Assert.Equal(["us-east-1", "us-west-2"], wire.Cloud.RestartNodes(wire.Shop));
        (await wire.CmekAsync("PUT", CloudApiWire.Specs(CloudApiWire.Spec("us-east-1", newer)))).Refused(400, 3, "gone");
        wire.Keys.Allow();
        (await wire.CmekAsync("PUT", CloudApiWire.Specs(CloudApiWire.Spec("us-east-1", newer)))).Ok();
        Assert.Equal(["ENABLED", "DISABLED"], (await wire.LaterAsync("ENABLED")).KeyStates("us-east-1"));
    }

    [Fact]
    public async Task DisablingNeedsTheKeyAndEndsDisabled()
    {
        await using CloudApiWire wire = new();
        JsonObject none = CloudApiWire.Specs(
            CloudApiWire.Spec("us-east-1", type: "NULL_KMS"),
            CloudApiWire.Spec("us-west-2", type: "NULL_KMS"));
        (await wire.CmekAsync("PUT", none)).Refused(400, 9, "not enabled");
        await wire.EnabledAsync();
        wire.Keys.Cut();
        (await wire.CmekAsync("PUT", none)).Refused(400, 3, "Insufficient permissions");
        wire.Keys.Allow();
        Assert.Equal("DISABLING", (await wire.CmekAsync("PUT", none)).Ok().CmekStatus);
        wire.Keys.Cut();
        await wire.LaterAsync("DISABLE_FAILED");
        wire.Keys.Allow();
        (await wire.CmekAsync("PUT", none)).Ok();
        Assert.Equal(["DISABLED"], (await wire.LaterAsync("DISABLED")).KeyStates("us-east-1"));
        Assert.Equal("DISABLED", (await wire.CmekAsync("PUT", none)).Ok().CmekStatus);
        (await wire.CmekAsync("POST", CloudApiWire.BothRegions())).Ok();
        Assert.Equal(["ENABLED", "DISABLED"], (await wire.LaterAsync("ENABLED")).KeyStates("us-east-1"));
    }

    [Fact]
    public async Task AServiceWithoutNullKmsSaysSo()
    {
        await using CloudApiWire wire = new();
        await wire.EnabledAsync();
        wire.Server.Options = wire.Server.Options with { TakesNullKms = false };
        (
            await wire.CmekAsync(
                "PUT",
                CloudApiWire.Specs(CloudApiWire.Spec("us-east-1", type: "NULL_KMS")))).Refused(
                    400,
                    3,
                    "invalid argument: NULL_KMS is not supported");
    }
}
