using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine;
using CmekTools.Engine.Aws.Policies;
using CmekTools.Engine.Access;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;

namespace CmekTools.Tests.Access;

/// <summary>
/// One cloud with two clusters on a sandbox, the provider under test, and a stranger who may do everything. What a further provider has
/// to bring for the conformance suite is a case in <see cref="StartAsync"/>, <see cref="PolicyAsync"/>, <see cref="StrangerAsync"/>,
/// <see cref="MissingKey"/> and <see cref="ForeignKey"/>.
/// </summary>
internal sealed class ProviderScene : IAsyncDisposable
{
    private const string StrangersId = "SomebodyElse";

    private readonly EngineKit _engine;
    private readonly AwsWire _aws;
    private readonly GcpWire _google;

    private ProviderScene(CmekProvider cloud, SandboxServer server, EngineKit engine, CmekCluster[] clusters)
    {
        Cloud = cloud;
        Server = server;
        _engine = engine;
        Cluster = clusters[0];
        Other = clusters[1];
        _aws = AwsWire.At(server);
        _google = GcpWire.At(server);
    }

    public CmekProvider Cloud { get; }

    public SandboxServer Server { get; }

    public CmekCluster Cluster { get; }

    /// <summary>A cluster beside it, in the same region.</summary>
    public CmekCluster Other { get; }

    public string Region => Cloud == CmekProvider.AWS ? "us-east-1" : "us-east1";

    public IKeyProvider Provider => _engine.Session.GetProvider(Cloud);

    public JournalLines Journal => new(_engine.Session.Journal.FilePath);

    /// <summary>A well-formed key of this cloud that is not there.</summary>
    public string MissingKey => Cloud == CmekProvider.AWS
        ? $"arn:aws:kms:{Region}:{AwsWire.Account}:key/00000000-0000-4000-8000-000000000000"
        : $"projects/{GcpWire.Project}/locations/{Region}/keyRings/nowhere/cryptoKeys/nothing";

    /// <summary>A well-formed key of another cloud.</summary>
    public string ForeignKey => Cloud == CmekProvider.AWS
        ? GcpWire.Key
        : $"arn:aws:kms:us-east-1:{AwsWire.Account}:key/00000000-0000-4000-8000-000000000000";

    public string ForeignPrincipal => Cloud == CmekProvider.AWS ? GcpWire.Email : $"arn:aws:iam::{AwsWire.Account}:role/reader";

    /// <summary>Who is let in behind everybody's back by <see cref="StrangerAsync"/>, as the policy names him.</summary>
    public string Stranger => Cloud == CmekProvider.AWS ? $"arn:aws:iam::{AwsWire.Account}:role/stranger" : "user:stranger@example.com";

    /// <summary>The requests that would have changed something.</summary>
    public string[] Writes => [.. Server.Exchanges.Where(e => e.Request.IsWrite).Select(e => e.Request.Operation)];

    public static async Task<ProviderScene> StartAsync(string cloud)
    {
        string region = cloud == "AWS" ? "us-east-1" : "us-east1";
        SandboxServer server = SandboxServer.Start(SandboxShell.Fast with
        {
            Clusters = [new SandboxClusterOptions("shop", cloud, [region]), new SandboxClusterOptions("orders", cloud, [region])],
        });
        EngineKit engine = EngineKit.Create(server);
        List<CmekCluster> clusters = [];
        await foreach (CmekCluster cluster in engine.Session.Cloud.ListClustersAsync(AwsWire.Cancel))
        {
            clusters.Add(cluster);
        }

        return new ProviderScene(
            Enum.Parse<CmekProvider>(cloud),
            server,
            engine,
            [.. clusters.OrderByDescending(c => c.Name, StringComparer.Ordinal)]);
    }

    public Operation Run(TestOperationHost? host = null) => _engine.Run(host ?? new TestOperationHost());

    /// <summary>A run in which every change is declined.</summary>
    public Operation Planned() => Run(new TestOperationHost { WhatIf = true });

    public Task<CmekKey> KeyAsync(CmekCluster? cluster = null) =>
        Provider.EnsureKeyAsync(cluster ?? Cluster, Region, new KeyOptions { EnableRotation = true }, Run());

    /// <summary>A key and a principal that may use it.</summary>
    public async Task<AccessTarget> GrantedAsync()
    {
        CmekKey key = await KeyAsync();
        return Target(await Provider.GrantAsync(Cluster, key, Region, new PrincipalOptions(), Run()));
    }

    public AccessTarget Target(CmekAccess access) =>
        new(Cluster, _engine.Session.Organization.Id, access.Region, access.KeyUri!, access.AuthPrincipal!);

    public async Task<CmekCheck[]> ChecksAsync(AccessTarget target)
    {
        List<CmekCheck> checks = [];
        await foreach (CmekCheck check in Provider.CheckAsync(target, Run()))
        {
            checks.Add(check);
        }

        return [.. checks];
    }

    public async Task<string[]> FoundAsync(CmekCluster cluster)
    {
        List<string> found = [];
        await foreach (CmekKey key in Provider.FindKeysAsync(cluster, null, new KeyOptions(), Run()))
        {
            found.Add(key.KeyUri!);
        }

        return [.. found];
    }

    /// <summary>Every marked key of the region or project.</summary>
    public async Task<CmekKey[]> DiscoveredAsync()
    {
        TestOperationHost host = new();
        DiscoveryPlaces places = Cloud == CmekProvider.AWS
            ? new DiscoveryPlaces([Region], [])
            : new DiscoveryPlaces([], [GcpWire.Project]);
        await Provider.DiscoverAsync(places, Run(host));
        return [.. host.Output.OfType<CmekKey>()];
    }

    /// <summary>The key's policy as the cloud has it, as a text that is the same for the same content.</summary>
    public async Task<string> PolicyAsync(string keyUri)
    {
        if (Cloud == CmekProvider.AWS)
        {
            return (
                await _aws.Kms.GetKeyPolicyAsync(
                    new GetKeyPolicyRequest { KeyId = keyUri, PolicyName = "default" },
                    AwsWire.Cancel)).Policy;
        }

        // A policy without a binding has no list of them once it was written.
        JsonObject policy = _google.Google.Policies.Get(keyUri).DeepClone().AsObject();
        policy.Remove("etag");
        policy.Remove("version");
        return policy["bindings"] is JsonArray { Count: > 0 } bindings
            ? string.Join('\n', bindings.Select(b => b!.ToJsonString()).Order(StringComparer.Ordinal))
            : string.Empty;
    }

    /// <summary>
    /// Lets <see cref="Stranger"/> use the key, past CmekTools; on AWS by a statement that looks like ours where told so.
    /// </summary>
    public async Task StrangerAsync(string keyUri, bool underOurName = false)
    {
        if (Cloud == CmekProvider.AWS)
        {
            await _aws.RoleAsync("stranger");
            JsonObject policy = JsonNode.Parse(await PolicyAsync(keyUri))!.AsObject();
            policy["Statement"]!.AsArray().Add(new JsonObject
            {
                ["Sid"] = underOurName ? OurStatements.UseSid(Cluster) + "x2" : StrangersId,
                ["Effect"] = "Allow",
                ["Principal"] = new JsonObject { ["AWS"] = Stranger },
                ["Action"] = new JsonArray(
                    [.. (underOurName ? OurStatements.Actions : ["kms:Decrypt", "kms:DescribeKey"]).Select(a => (JsonNode)a)]),
                ["Resource"] = "*",
            });
            await _aws.Kms.PutKeyPolicyAsync(
                new PutKeyPolicyRequest { KeyId = keyUri, PolicyName = "default", Policy = policy.ToJsonString() },
                AwsWire.Cancel);
            return;
        }

        Server.Exclusively(() =>
        {
            JsonObject policy = _google.Google.Policies.Get(keyUri).DeepClone().AsObject();
            JsonArray bindings = policy["bindings"] as JsonArray ?? (JsonArray)(policy["bindings"] = new JsonArray());
            bindings.Add(new JsonObject { ["role"] = "roles/cloudkms.cryptoKeyDecrypter", ["members"] = new JsonArray(Stranger) });
            return _google.Google.Policies.Put(keyUri, policy, DateTimeOffset.MinValue);
        });
    }

    public async ValueTask DisposeAsync()
    {
        await _aws.DisposeAsync();
        await _google.DisposeAsync();
        _engine.Dispose();
        await Server.DisposeAsync();
    }
}
