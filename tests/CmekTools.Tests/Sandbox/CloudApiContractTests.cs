using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Sandbox;

public sealed class CloudApiContractTests
{
    [Fact]
    public async Task EveryAnswerIsOfTheVendorsForm()
    {
        OpenApiContract contract = OpenApiContract.LoadOrSkip();
        await using CloudApiWire wire = new(new SandboxOptions
        {
            RateLimit = 0,
            Clusters =
            [
                new("shop", "AWS", ["us-east-1", "us-west-2"]),
                new("basic", "GCP", ["us-central1"]) { Plan = "BASIC" },
                new("azure", "AZURE", ["eastus"]),
            ],
        });
        await wire.GetAsync("organization");
        await wire.CmekAsync();
        await wire.GetAsync("clusters?pagination.limit=1&show_inactive=true");
        await wire.EnabledAsync();
        await wire.CmekAsync("PUT", CloudApiWire.Specs(CloudApiWire.Spec("us-east-1", CloudApiWire.KeyUri("us-east-1", 2))));
        wire.Keys.Cut();
        await wire.LaterAsync("ROTATE_FAILED");
        await wire.CmekAsync("PUT", CloudApiWire.BothRegions());
        wire.Keys.Allow();
        await wire.SendAsync(
            "PATCH",
            "clusters/" + wire.Shop,
            """{"dedicated":{"region_nodes":{"us-east-1":3,"us-west-2":3},"cmek_region_specs":[]}}""");
        wire.Clock.Advance(wire.Server.Options.StateTime);
        await wire.RevokedAsync();
        await wire.SendAsync(
            "POST",
            "clusters",
            """{"name":"new-cluster","provider":"GCP","spec":{"plan":"ADVANCED","dedicated":{"region_nodes":{"us-east1":3},"hardware":"""
                + """{"machine_spec":{"num_virtual_cpus":4},"storage_gib":15},"network_visibility":"PRIVATE"}}}""");
        await wire.GetAsync("clusters");
        await wire.GetAsync("clusters/" + wire.Shop);
        await wire.GetAsync("clusters/unknown");
        await wire.GetAsync("auditlogevents?limit=2");
        await wire.SendAsync("GET", "organization", key: "wrong");

        Assert.True(wire.Server.Exchanges.Count > 15);
        foreach (SandboxExchange exchange in wire.Server.Exchanges)
        {
            SandboxRequest request = exchange.Request;
            string path = request.RawQuery.Length > 0 ? request.RawPath + "?" + request.RawQuery : request.RawPath;
            string[] faults =
            [
                .. contract.RequestFaults(request.Method, path, request.Text),
                .. contract.ResponseFaults(request.Method, path, exchange.Status, exchange.ResponseBody),
            ];
            Assert.True(faults.Length == 0, $"{exchange}: {string.Join("; ", faults)}\n{exchange.ResponseBody}");
        }
    }

    [Fact]
    public void TheJudgeSeesFaults()
    {
        OpenApiContract contract = OpenApiContract.LoadOrSkip();
        const string path = "/api/v1/clusters/some-id/cmek";
        JsonObject good = CloudApiWire.Specs(CloudApiWire.Spec("us-east-1"));
        Assert.Empty(contract.RequestFaults("POST", path, good.ToJsonString()));
        good["region_specs"]![0]!["key_spec"]!["type"] = "AWS";
        Assert.NotEmpty(contract.RequestFaults("POST", path, good.ToJsonString()));
        Assert.NotEmpty(contract.RequestFaults("POST", path, """{"regionSpecs":[]}"""));
        Assert.NotEmpty(contract.RequestFaults("POST", path, """{"region_specs":[{"region":"r","spec":{}}]}"""));
        Assert.NotEmpty(contract.RequestFaults("POST", path, null));
        Assert.NotEmpty(contract.RequestFaults("GET", "/api/v1/clusters?limit=1", null));
        Assert.NotEmpty(contract.RequestFaults("DELETE", path, null));
        Assert.NotEmpty(contract.ResponseFaults("GET", "/api/v1/organization", 200, """{"id":"x"}"""));
        Assert.NotEmpty(contract.ResponseFaults("GET", path, 200, """{"status":"ON"}"""));
        Assert.NotEmpty(contract.ResponseFaults("GET", path, 404, """{"error":"gone"}"""));
        Assert.NotEmpty(contract.ResponseFaults("GET", path, 404, "<html>"));
    }
}
