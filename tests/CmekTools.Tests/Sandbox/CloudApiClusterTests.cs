using System.Diagnostics;
using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using Xunit;

namespace CmekTools.Tests.Sandbox;

public sealed class CloudApiClusterTests
{
    private static JsonObject NewCluster(string name = "new-cluster", string provider = "AWS", string region = "eu-west-1") => new()
    {
        ["name"] = name,
        ["provider"] = provider,
        ["spec"] = new JsonObject
        {
            ["plan"] = "ADVANCED",
            ["dedicated"] = new JsonObject
            {
                ["region_nodes"] = new JsonObject { [region] = 3 },
                ["hardware"] = new JsonObject { ["machine_spec"] = new JsonObject { ["num_virtual_cpus"] = 4 }, ["storage_gib"] = 15 },
                ["network_visibility"] = "PRIVATE",
            },
        },
    };

    private static string Nodes(JsonObject nodes, params JsonObject[] specs) =>
        new JsonObject
        {
            ["dedicated"] = new JsonObject { ["region_nodes"] = nodes, ["cmek_region_specs"] = new JsonArray([.. specs]) },
        }.ToJsonString();

    [Fact]
    public async Task TheListIsSortedAndPaged()
    {
        await using CloudApiWire wire = new();
        List<string> names = [];
        string? page = null;
        do
        {
            WireAnswer answer = (
                await wire.GetAsync("clusters?pagination.limit=2" + (page is null ? "" : "&pagination.page=" + page))).Ok();
            names.AddRange(answer.Body["clusters"]!.AsArray().Select(c => (string)c!["name"]!));
            page = (string?)answer.Body["pagination"]!["next_page"];
        }
        while (page is not null);
        Assert.Equal(["azure", "ledger", "shop"], names);
        (await wire.GetAsync("clusters?pagination.page=elsewhere")).Refused(400, 3, "pagination.page");
        (await wire.GetAsync("clusters?pagination.limit=many")).Refused(400, 3, "pagination.limit");
    }

    [Fact]
    public async Task InactiveClustersAreShownOnRequest()
    {
        await using CloudApiWire wire = new();
        wire.Cloud.SetState(wire.Shop, "DELETED");
        Assert.Equal(2, (await wire.GetAsync("clusters")).Ok().Body["clusters"]!.AsArray().Count);
        Assert.Equal(3, (await wire.GetAsync("clusters?show_inactive=true")).Ok().Body["clusters"]!.AsArray().Count);
    }

    [Fact]
    public async Task AccountsAreStableAndOfTheProvidersForm()
    {
        await using CloudApiWire one = new();
        await using CloudApiWire two = new();
        JsonObject shop = (await one.GetAsync("clusters/" + one.Shop)).Ok().Body;
        Assert.Matches(@"^\d{12}$", (string)shop["account_id"]!);
        Assert.Equal((string)shop["account_id"]!, two.Cloud.AccountOf(two.Shop));
        Assert.NotEqual((string)shop["account_id"]!, one.Server.Options.AwsAccountId);
        Assert.Matches("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", one.Cloud.AccountOf(one.Cloud.IdOf("ledger")));
        Assert.Equal(["us-west-2", "us-east-1"], shop["regions"]!.AsArray().Select(r => (string)r!["name"]!));
    }

    [Fact]
    public async Task ANewClusterIsCreatingAndThenCreated()
    {
        await using CloudApiWire wire = new();
        JsonObject made = (await wire.SendAsync("POST", "clusters", NewCluster().ToJsonString())).Ok().Body;
        Assert.Equal("CREATING", (string?)made["state"]);
        Assert.Equal("PRIVATE", (string?)made["network_visibility"]);
        string id = (string)made["id"]!;
        (await wire.CmekAsync("POST", CloudApiWire.Specs(CloudApiWire.Spec("eu-west-1")), id)).Refused(503, 14, "cluster is locked");
        (await wire.SendAsync("POST", "clusters", NewCluster().ToJsonString())).Refused(409, 6, "already exists");
        wire.Clock.Advance(wire.Server.Options.CreateTime);
        Assert.Equal("CREATED", (string?)(await wire.GetAsync("clusters/" + id)).Ok().Body["state"]);
        (await wire.CmekAsync("POST", CloudApiWire.Specs(CloudApiWire.Spec("eu-west-1")), id)).Ok();
    }

    [Fact]
    public async Task ANewClusterIsReadyByTheWallClockToo()
    {
        await using CloudApiWire wire = new(new SandboxOptions { CreateTime = TimeSpan.FromMilliseconds(200), RateLimit = 0 });
        wire.Cloud.Clock = TimeProvider.System;
        string id = (string)(await wire.SendAsync("POST", "clusters", NewCluster().ToJsonString())).Ok().Body["id"]!;
        Stopwatch watch = Stopwatch.StartNew();
        while ((string?)(await wire.GetAsync("clusters/" + id)).Ok().Body["state"] != "CREATED")
        {
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(30), "still not CREATED");
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }

    [Theory]
    [InlineData("""{"name":"new-cluster"}""", "provider")]
    [InlineData("""{"name":"x","provider":"AWS","spec":{}}""", "name must be")]
    [InlineData("""{"name":"new-cluster","provider":"AWS","spec":{}}""", "spec.dedicated")]
    [InlineData("""{"name":"new-cluster","provider":"AWS","spec":{"plan":"BASIC","dedicated":{}}}""", "spec.plan")]
    [
        InlineData(
            """{"name":"new-cluster","provider":"AWS","spec":{"dedicated":{"hardware":{"machine_spec":"""
                + """{"num_virtual_cpus":4},"storage_gib":15}}}}""",
            "region_nodes is missing"),
    ]
    [
        InlineData(
            """{"name":"new-cluster","provider":"GCP","spec":{"dedicated":{"region_nodes":{"us-east-1":3},"hardware":{"machine_spec":"""
                + """{"num_virtual_cpus":4},"storage_gib":15}}}}""",
            "unknown region us-east-1"),
    ]
    [
        InlineData(
            """{"name":"new-cluster","provider":"AWS","spec":{"dedicated":{"region_nodes":{"us-east-1":"3"},"hardware":"""
                + """{"machine_spec":{"num_virtual_cpus":4},"storage_gib":15}}}}""",
            "whole number"),
    ]
    [
        InlineData(
            """{"name":"new-cluster","provider":"AWS","spec":{"dedicated":{"region_nodes":{"us-east-1":3},"hardware":"""
                + """{"storage_gib":15}}}}""",
            "num_virtual_cpus"),
    ]
    [InlineData("[]", "JSON object")]
    [InlineData("{", "not JSON")]
    public async Task AWrongNewClusterIsRefused(string body, string said)
    {
        await using CloudApiWire wire = new();
        (await wire.SendAsync("POST", "clusters", body)).Refused(400, 3, said);
    }

    [Fact]
    public async Task ARegionJoinsAnEncryptedClusterWithAKeyOfItsOwn()
    {
        await using CloudApiWire wire = new();
        await wire.EnabledAsync();
        string path = "clusters/" + wire.Shop;
        JsonObject nodes = new() { ["us-west-2"] = 3, ["us-east-1"] = 5, ["eu-west-1"] = 3 };
        (await wire.SendAsync("PATCH", path, Nodes(nodes.DeepClone().AsObject()))).Refused(400, 3, "eu-west-1 is missing");
        (
            await wire.SendAsync(
                "PATCH",
                path,
                Nodes(
                    nodes.DeepClone().AsObject(),
                    CloudApiWire.Spec("eu-west-1"),
                    CloudApiWire.Spec("us-east-1")))).Refused(400, 3, "us-east-1 is a region of the cluster already");
        (await wire.SendAsync("PATCH", path, Nodes(new JsonObject { ["us-west-2"] = 3 }))).Refused(400, 3, "removing a region");
        wire.Keys.Cut();
        (
            await wire.SendAsync(
                "PATCH",
                path,
                Nodes(
                    nodes.DeepClone().AsObject(),
                    CloudApiWire.Spec("eu-west-1")))).Refused(400, 3, "Insufficient permissions to access the KMS key");
        wire.Keys.Allow();
        JsonObject changed = (await wire.SendAsync("PATCH", path, Nodes(nodes, CloudApiWire.Spec("eu-west-1")))).Ok().Body;
        Assert.Equal([3, 5, 3], changed["regions"]!.AsArray().Select(r => (int)r!["node_count"]!));
        Assert.Equal("CRDB_CMEK_OPERATION_RUNNING", (string?)changed["operation_status"]);
        Assert.Equal("ENABLING", (await wire.CmekAsync()).CmekStatus);
        WireAnswer later = await wire.LaterAsync("ENABLED");
        Assert.Equal(["eu-west-1", "us-east-1", "us-west-2"], later.Body["region_infos"]!.AsArray().Select(r => (string)r!["region"]!));
    }

    [Fact]
    public async Task ARegionJoinsAPlainClusterWithoutAKey()
    {
        await using CloudApiWire wire = new();
        string path = "clusters/" + wire.Shop;
        JsonObject nodes = new() { ["us-west-2"] = 3, ["us-east-1"] = 3, ["eu-west-1"] = 3 };
        (
            await wire.SendAsync(
                "PATCH",
                path,
                Nodes(nodes.DeepClone().AsObject(), CloudApiWire.Spec("eu-west-1")))).Refused(400, 3, "does not use CMEK");
        JsonObject changed = (await wire.SendAsync("PATCH", path, Nodes(nodes))).Ok().Body;
        Assert.Equal("CRDB_SCALE_RUNNING", (string?)changed["operation_status"]);
        wire.Clock.Advance(wire.Server.Options.StateTime);
        Assert.Equal("UNSPECIFIED", (string?)(await wire.GetAsync(path)).Ok().Body["operation_status"]);
    }

    [Fact]
    public async Task OtherFieldsOfAClusterChangeOrAreRefused()
    {
        await using CloudApiWire wire = new();
        JsonObject changed = (
            await wire.SendAsync(
                "PATCH",
                "clusters/" + wire.Shop,
                """{"labels":{"team":"payments"},"delete_protection":"ENABLED"}""")).Ok().Body;
        Assert.Equal("payments", (string?)changed["labels"]!["team"]);
        Assert.Equal("ENABLED", (string?)changed["delete_protection"]);
        (await wire.SendAsync("PATCH", "clusters/" + wire.Shop, """{"cockroach_version":"v26.1"}""")).Refused(400, 3, "cockroach_version");
    }
}
