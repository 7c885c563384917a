using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Aws;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Sandbox.Gcp;
using WireState = CmekTools.Sandbox.CloudApi.CmekState;

namespace CmekTools.Tests.Lives;

/// <summary>One cluster, key and principal.</summary>
internal sealed record Pair(string Cluster, string KeyUri, string Principal);

/// <summary>One region of a cluster as the service has it.</summary>
/// <param name="Name">The region.</param>
/// <param name="Status">Its state.</param>
/// <param name="Current">The key that its data hangs on, or null.</param>
/// <param name="Coming">The key that an operation under way puts in its place, or null.</param>
/// <param name="Listed">Every entry, newest first.</param>
internal sealed record RegionPicture(string Name, WireState Status, KeySpec? Current, KeySpec? Coming, IReadOnlyList<KeySpec> Listed)
{
    /// <summary>What the region is to run on when everything under way is over.</summary>
    public KeySpec? Goal => Coming ?? Current;

    /// <summary>Whom it acts as. One key under another principal: the one that comes counts.</summary>
    public IEnumerable<string> Acting => (Current, Coming) switch
    {
        (null, null) => Listed.Take(1).Select(k => k.Principal),
        ({ } now, { } next) when now.Uri != next.Uri => [now.Principal, next.Principal],
        _ => [Goal!.Principal],
    };
}

/// <summary>
/// The whole world at one moment, read from the sandbox's inside and judged by its own authorizer: it shares nothing with the engine.
/// Who can use which key is tried, not worked out.
/// </summary>
internal sealed class Picture
{
    private Picture(
        IReadOnlyDictionary<string, IReadOnlyList<RegionPicture>> clusters,
        IReadOnlyDictionary<string, string> keys,
        IReadOnlySet<Pair> open,
        IReadOnlyList<string> foreign)
    {
        Clusters = clusters;
        Keys = keys;
        Open = open;
        Foreign = foreign;
    }

    /// <summary>The regions by the cluster's name.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<RegionPicture>> Clusters { get; }

    /// <summary>Every key's state by its URI: Enabled, Disabled, Doomed.</summary>
    public IReadOnlyDictionary<string, string> Keys { get; }

    /// <summary>Who can use what now.</summary>
    public IReadOnlySet<Pair> Open { get; }

    /// <summary>What belongs to others, as text.</summary>
    public IReadOnlyList<string> Foreign { get; }

    /// <summary>Whom a cluster acts as.</summary>
    public IReadOnlyList<string> Acting(string cluster) => [.. Clusters[cluster].SelectMany(r => r.Acting).Distinct()];

    /// <summary>Is it of a key that the cluster runs on, or is to?</summary>
    public bool Needs(Pair access) => Clusters[access.Cluster].Any(r => r.Goal?.Uri == access.KeyUri);

    /// <summary>Every access that the service lists for a cluster.</summary>
    public IEnumerable<Pair> Listed(string cluster) =>
        Clusters[cluster].SelectMany(r => r.Listed).Select(k => new Pair(cluster, k.Uri, k.Principal)).Distinct();

    /// <summary>Takes one, after what is due has been done.</summary>
    /// <param name="server">The sandbox.</param>
    /// <param name="theirs">What belongs to others: a key or role, or one statement or binding.</param>
    public static Picture Take(SandboxServer server, IReadOnlyCollection<Others> theirs)
    {
        CloudApiService cloud = server.Get<CloudApiService>();
        foreach (string id in server.Exclusively(() => cloud.Store.All.Select(c => c.Id).ToArray()))
        {
            _ = cloud.AccountOf(id);
        }

        return server.Exclusively(() =>
        {
            AwsService aws = server.Get<AwsService>();
            GcpService google = server.Get<GcpService>();
            Dictionary<string, IReadOnlyList<RegionPicture>> clusters = [];
            Dictionary<string, string> keys = [];
            HashSet<Pair> open = [];
            foreach (CmekTools.Sandbox.Aws.Kms.KmsKey key in aws.Keys.Keys)
            {
                keys[key.Arn] = key.State(DateTimeOffset.UtcNow);
            }

            foreach (GcpKey key in google.Keys)
            {
                keys[key.Name] = key.Versions.Any(v => v.State is "DESTROY_SCHEDULED" or "DESTROYED")
                    ? "PendingDeletion"
                    : key.Primary?.State == "ENABLED"
                    ? "Enabled"
                    : "Disabled";
            }

            foreach (CloudCluster cluster in cloud.Store.All)
            {
                clusters[cluster.Name] =
                [
                    .. cluster.Regions.Select(r => new RegionPicture(
                        r.Name,
                        r.Status,
                        r.Current?.Spec,
                        r.Operation is { Goal: WireState.ENABLED } operation ? operation.Key.Spec : null,
                        [.. r.Keys.Select(k => k.Spec)])),
                ];
                ClusterIdentity identity = new(cluster.Id, cluster.AccountId, server.Options.OrganizationId);
                foreach (string key in keys.Keys)
                {
                    bool isAws = key.StartsWith("arn:", StringComparison.Ordinal);
                    IClusterKeyService service = isAws ? aws : google;
                    foreach (string principal in isAws ? aws.Roles : google.AccountEmails)
                    {
                        if (service.TryUse(identity, key, principal) is null)
                        {
                            open.Add(new Pair(cluster.Name, key, principal));
                        }
                    }
                }
            }

            return new Picture(clusters, keys, open, [.. theirs.Select(t => t.Read(server))]);
        });
    }
}

/// <summary>Something that belongs to others and has to stay as it is.</summary>
/// <param name="KeyUri">The key that it is on.</param>
/// <param name="Text">A statement or binding, as JSON; null where the whole policy is theirs.</param>
internal sealed record Others(string KeyUri, string? Text)
{
    /// <summary>How it stands there now.</summary>
    public string Read(SandboxServer server)
    {
        JsonNode policy = KeyUri.StartsWith("arn:", StringComparison.Ordinal)
            ? JsonNode.Parse(server.Get<AwsService>().Keys.Find(KeyUri)!.Policy.Current.Show())!
            : server.Get<GcpService>().Policies.Get(KeyUri);
        if (Text is null)
        {
            return KeyUri + policy["Statement"]?.ToJsonString() + policy["bindings"]?.ToJsonString();
        }

        JsonArray rules = (policy["Statement"] ?? policy["bindings"])!.AsArray();
        return $"{KeyUri} {rules.Count(r => r!.ToJsonString() == Text)}x {Text}";
    }
}
