using System.Management.Automation;
using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>A cluster to start from.</summary>
public sealed class NewClusterTests
{
    private const string Make = "New-CmekCluster orders -Provider AWS -RegionNodes @{ 'us-west-2' = 3; 'us-east-1' = 5 } ";

    private static SandboxOptions Empty { get; } = SandboxShell.Fast with { Clusters = [], CreateTime = TimeSpan.FromMilliseconds(300) };

    [Theory]
    [InlineData(
        Make,
        """{"name":"orders","provider":"AWS","spec":{"dedicated":{"region_nodes":{"us-east-1":5,"us-west-2":3},"hardware":"""
            + """{"machine_spec":{"num_virtual_cpus":4},"storage_gib":150},"network_visibility":"PRIVATE"},"plan":"ADVANCED"}}""")]
    [InlineData(
        "New-CmekCluster books-1 -Provider GCP -RegionNodes @{ 'us-east1' = '3' } -VirtualCpuCount 8 -StorageGib 500 -CockroachVersion "
            + "v25.1 -CidrRange 172.30.0.0/16",
        """{"name":"books-1","provider":"GCP","spec":{"dedicated":{"region_nodes":{"us-east1":3},"hardware":{"machine_spec":"""
            + """{"num_virtual_cpus":8},"storage_gib":"""
            + """500},"network_visibility":"PRIVATE","cockroach_version":"v25.1","cidr_range":"172.30.0.0/16"},"plan":"ADVANCED"}}""")]
    [InlineData(
        "New-CmekCluster vaults -Provider AZURE -RegionNodes @{ eastus = 3 }",
        """{"name":"vaults","provider":"AZURE","spec":{"dedicated":{"region_nodes":{"eastus":3},"hardware":{"machine_spec":"""
            + """{"num_virtual_cpus":4},"storage_gib":150},"network_visibility":"PRIVATE"},"plan":"ADVANCED"}}""")]
    public async Task TheBodyIsWhatWasAskedFor(string script, string body)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Empty);
        CmekCluster made = Assert.Single((await shell.RunAsync(script)).Expect().Values<CmekCluster>());
        Assert.Equal(("CREATING", "PRIVATE", "ADVANCED"), (made.State, made.NetworkVisibility, made.Plan));
        SandboxExchange sent = Assert.Single(shell.Writes);
        Assert.Equal("CreateCluster", sent.Request.Operation);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(body), JsonNode.Parse(sent.Request.Text)), sent.Request.Text);
        Assert.Empty(OpenApiContract.LoadOrSkip().RequestFaults("POST", "/api/v1/clusters", sent.Request.Text));
    }

    [Fact]
    public async Task ItIsWaitedForAndThenTakesKeys()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Empty);
        PowerShellResult result = (await shell.RunAsync(Make + "-Wait")).Expect();
        Assert.Equal("CREATED", Assert.Single(result.Values<CmekCluster>()).State);
        Assert.Contains(result.Progress, p => p.Activity == "Making orders" && p.StatusDescription == "CREATING");
        await shell.EnableAllAsync();
        Assert.Equal(CmekState.ENABLED, Assert.Single((await shell.RunAsync("Get-CmekStatus orders")).Expect().Values<CmekStatus>()).State);
    }

    [Fact]
    public async Task ARepeatedRunMakesNothingTwiceAndGoesOnWaiting()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Empty);
        CmekCluster first = Assert.Single((await shell.RunAsync(Make)).Expect().Values<CmekCluster>());
        shell.Server.ClearExchanges();
        CmekCluster again = Assert.Single((await shell.RunAsync(Make + "-Wait")).Expect().Values<CmekCluster>());
        Assert.Equal((first.Id, "CREATED"), (again.Id, again.State));
        ErrorRecord other = (
            await shell.RunAsync("New-CmekCluster orders -Provider AWS -RegionNodes @{ 'eu-west-1' = 3 }")).ExpectError("ClusterExists");
        Assert.Equal(ErrorCategory.ResourceExists, other.CategoryInfo.Category);
        Assert.Empty(shell.Writes);
    }

    [Fact]
    public async Task WhatIfShowsTheBodyAndSendsNothing()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Empty);
        Assert.Empty((await shell.RunAsync(Make + "-Wait -WhatIf")).Expect().Output);
        string shown = shell.Shell.Host.TakeText();
        Assert.Contains("make an Advanced private cluster on AWS", shown, StringComparison.Ordinal);
        Assert.Contains("\"network_visibility\": \"PRIVATE\"", shown, StringComparison.Ordinal);
        Assert.Contains("\"us-east-1\": 5", shown, StringComparison.Ordinal);
        Assert.Empty(shell.Writes);
    }

    [Fact]
    public async Task AFailureOfTheServiceIsSaid()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Empty);
        (await shell.RunAsync(Make)).Expect();
        CloudApiService cloud = shell.Server.Get<CloudApiService>();
        cloud.SetState(cloud.IdOf("orders"), "LOCKED");
        ErrorRecord late = (await shell.RunAsync(Make + "-Wait -TimeoutSeconds 1")).ExpectError("StatusTimeout");
        Assert.Equal(ErrorCategory.OperationTimeout, late.CategoryInfo.Category);
        Assert.Contains("LOCKED", late.Exception.Message, StringComparison.Ordinal);
        shell.Server.Before = request => Task.FromResult(request.Operation == "GetCluster" ? Failed(request, shell) : null);
        (await shell.RunAsync(Make + "-Wait")).ExpectError("ClusterCreationFailed");
    }

    [Theory]
    [InlineData("New-CmekCluster shop -Provider AWS -RegionNodes @{ 'us-east-1' = 3 }", "ParameterArgumentValidationError")]
    [InlineData("New-CmekCluster Orders! -Provider AWS -RegionNodes @{ 'us-east-1' = 3 }", "ParameterArgumentValidationError")]
    [
        InlineData(
            "New-CmekCluster a-name-that-is-far-too-long -Provider AWS -RegionNodes @{ 'us-east-1' = 3 }",
            "ParameterArgumentValidationError"),
    ]
    [InlineData("New-CmekCluster orders -Provider UNKNOWN -RegionNodes @{ 'us-east-1' = 3 }", "ParameterArgumentValidationError")]
    [InlineData("New-CmekCluster orders -Provider AWS -RegionNodes @{}", "ParameterArgumentValidationError")]
    [
        InlineData(
            "New-CmekCluster orders -Provider AWS -RegionNodes @{ 'us-east-1' = 3 } -VirtualCpuCount 0",
            "ParameterArgumentValidationError"),
    ]
    [InlineData("New-CmekCluster orders -Provider AWS -RegionNodes @{ 'us-east-1' = 0 }", "RegionNodesInvalid")]
    [InlineData("New-CmekCluster orders -Provider AWS -RegionNodes @{ 'us-east-1' = 'three' }", "RegionNodesInvalid")]
    [InlineData("New-CmekCluster orders -Provider AWS -RegionNodes @{ ' ' = 3 }", "RegionNodesInvalid")]
    [InlineData("New-CmekCluster orders -Provider AWS -RegionNodes @{ 'us-east-1' = 3 } -CidrRange 172.30.0.0/16", "CidrRangeNotSupported")]
    public async Task BadInputIsRefusedBeforeAnyRequest(string script, string id)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Empty);
        ErrorRecord error = (await shell.RunAsync(script)).ExpectError(id);
        Assert.Contains(error.CategoryInfo.Category, (ErrorCategory[])[ErrorCategory.InvalidData, ErrorCategory.InvalidArgument]);
        Assert.Empty(shell.Server.Exchanges);
    }

    // The service's own answer, with the one field changed.
    private static SandboxResponse? Failed(SandboxRequest request, SandboxShell shell)
    {
        CloudApiService cloud = shell.Server.Get<CloudApiService>();
        cloud.SetState(cloud.IdOf("orders"), "CREATION_FAILED");
        return shell.Server.Exclusively(() => cloud.Answer(request));
    }
}
