namespace CmekTools.Sandbox.CloudApi;

/// <summary>The organization's clusters.</summary>
internal sealed class ClusterStore
{
    private readonly List<CloudCluster> _clusters = [];
    private readonly Dictionary<string, CloudCluster> _byId = new(StringComparer.Ordinal);

    public IReadOnlyList<CloudCluster> All => _clusters;

    /// <summary>Adds a cluster that the sandbox begins with.</summary>
    public void Add(SandboxClusterOptions options, DateTimeOffset now)
    {
        string id = options.Id ?? Identities.Guid("cluster " + options.Name);
        CloudCluster cluster = new()
        {
            Id = id,
            Name = options.Name,
            Provider = options.Provider,
            AccountId = Identities.Account(options.Provider, id),
            Plan = options.Plan,
            NetworkVisibility = options.NetworkVisibility,
            CreatedAt = now,
            UpdatedAt = now,
        };
        cluster.Regions.AddRange(options.Regions.Select(r => new CloudRegion(r, 3)));
        Add(cluster);
    }

    public void Add(CloudCluster cluster)
    {
        _clusters.Add(cluster);
        _byId[cluster.Id] = cluster;
    }

    public CloudCluster? Find(string id) => _byId.GetValueOrDefault(id);

    public CloudCluster Get(string id) => Find(id) ?? throw CloudApiFault.NotFound($"cluster {id} not found");

    public bool IsTaken(string name) => _clusters.Exists(c => c.Name == name && c.ForcedState is not "DELETED");
}
