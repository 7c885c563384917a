using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.CloudApi;

/// <summary>Listing, making and changing clusters.</summary>
internal sealed class ClusterCalls(ClusterStore store, KeyAccess access, ClusterLock clusterLock, AuditLog audit)
{
    public JsonNode List(Query query)
    {
        bool inactive = query.OneOf("show_inactive", "false", "true") == "true";
        bool descending = query.OneOf("pagination.sort_order", "ASC", "DESC") == "DESC";
        string by = query.OneOf("pagination.sort_by", "NAME", "CREATED_AT", "DELETED_AT");
        IEnumerable<CloudCluster> sorted = store.All.Where(c => inactive || c.State is not ("DELETED" or "CREATION_FAILED"));
        sorted = by == "NAME"
            ? sorted.OrderBy(c => c.Name, StringComparer.Ordinal)
            : sorted.OrderBy(c => c.CreatedAt).ThenBy(c => c.Name, StringComparer.Ordinal);
        CloudCluster[] all = [.. descending ? sorted.Reverse() : sorted];

        // A page is named by the last cluster of the one before: clusters made in between shift nothing.
        int start = query["pagination.page"] is { Length: > 0 } page ? 1 + Array.FindIndex(all, c => "after-" + c.Id == page) : 0;
        if (start == 0 && query["pagination.page"] is { Length: > 0 })
        {
            throw CloudApiFault.Invalid("pagination.page is not a page of this list");
        }

        CloudCluster[] shown = [.. all.Skip(start).Take(query.Limit("pagination.limit"))];
        JsonObject pagination = [];
        if (shown.Length > 0 && start + shown.Length < all.Length)
        {
            pagination["next_page"] = "after-" + shown[^1].Id;
        }

        return new JsonObject { ["clusters"] = new JsonArray([.. shown.Select(c => ClusterJson.Cluster(c))]), ["pagination"] = pagination };
    }

    public JsonNode Create(SandboxRequest request, DateTimeOffset now)
    {
        JsonObject body = JsonBody.Read(request);
        string name = ClusterRules.Name(body.Text("name"));
        string provider = ClusterRules.OneOf("provider", body.Text("provider"), string.Empty, "AWS", "GCP", "AZURE");
        JsonObject spec = body.Object("spec") ?? throw CloudApiFault.Invalid("spec is missing");
        JsonObject dedicated = spec.Object("dedicated") ?? throw CloudApiFault.Invalid(
            "spec.dedicated is missing: the sandbox only makes ADVANCED clusters");
        ClusterRules.OneOf("spec.plan", spec.Text("plan"), "ADVANCED", "ADVANCED");
        JsonObject hardware = dedicated.Object("hardware") ?? throw CloudApiFault.Invalid("spec.dedicated.hardware is missing");
        if (hardware.Object("machine_spec")?.Number("num_virtual_cpus") is null || hardware.Number("storage_gib") is null)
        {
            throw CloudApiFault.Invalid("spec.dedicated.hardware: machine_spec.num_virtual_cpus and storage_gib are needed");
        }

        string id = Identities.Guid($"cluster {name} {store.All.Count}");
        CloudCluster cluster = new()
        {
            Id = id,
            Name = name,
            Provider = provider,
            AccountId = Identities.Account(provider, id),
            Plan = "ADVANCED",
            NetworkVisibility = ClusterRules.OneOf(
                "spec.dedicated.network_visibility",
                dedicated.Text("network_visibility"),
                "PUBLIC",
                "PUBLIC",
                "PRIVATE"),
            CreatedAt = now,
            UpdatedAt = now,
            CreatingSince = now,
            CockroachVersion = dedicated.Text("cockroach_version") is { Length: > 0 } version ? version : "v25.2.3",
            CidrRange = dedicated.Text("cidr_range") is { Length: > 0 } range ? range : "172.28.0.0/14",
            Hardware = ClusterRules.Hardware(hardware, new CloudHardware(4, 15)),
            Labels = spec.Texts("labels") ?? [],
            DeleteProtection = ClusterRules.OneOf(
                "spec.delete_protection",
                spec.Text("delete_protection"),
                "DISABLED",
                "ENABLED",
                "DISABLED"),
        };
        JsonObject nodes = dedicated.Object("region_nodes") ?? throw CloudApiFault.Invalid("spec.dedicated.region_nodes is missing");
        cluster.Regions.AddRange(ClusterRules.RegionNodes(nodes, provider).Select(r => new CloudRegion(r.Key, r.Value)));
        if (store.IsTaken(name))
        {
            throw new CloudApiFault(409, 6, $"a cluster with the name {name} already exists");
        }

        store.Add(cluster);
        audit.Add(request, cluster, "AUDIT_LOG_ACTION_CREATE_CLUSTER", now);
        return ClusterJson.Cluster(cluster);
    }

    public JsonNode Update(CloudCluster cluster, SandboxRequest request, DateTimeOffset now)
    {
        JsonObject body = JsonBody.Read(request);
        if (body.Select(f => f.Key).FirstOrDefault(f => f is not ("dedicated" or "labels" or "delete_protection")) is { } other)
        {
            throw CloudApiFault.Invalid($"{other} cannot be changed in the sandbox");
        }

        string protection = ClusterRules.OneOf(
            "delete_protection",
            body.Text("delete_protection"),
            cluster.DeleteProtection,
            "ENABLED",
            "DISABLED");
        SortedDictionary<string, string>? labels = body.Texts("labels");
        if (body.Object("dedicated") is { } dedicated)
        {
            Scale(cluster, dedicated, now);
        }

        cluster.DeleteProtection = protection;
        cluster.Labels = labels ?? cluster.Labels;
        cluster.UpdatedAt = now;
        audit.Add(request, cluster, "AUDIT_LOG_ACTION_UPDATE_CLUSTER", now);
        return ClusterJson.Cluster(cluster);
    }

    private void Scale(CloudCluster cluster, JsonObject dedicated, DateTimeOffset now)
    {
        CloudHardware hardware = dedicated.Object("hardware") is { } wanted
            ? ClusterRules.Hardware(wanted, cluster.Hardware)
            : cluster.Hardware;
        IReadOnlyDictionary<string, int> nodes = dedicated.Object("region_nodes") is { } given
            ? ClusterRules.RegionNodes(given, cluster.Provider)
            : cluster.Regions.ToDictionary(r => r.Name, r => r.NodeCount);
        IReadOnlyList<JsonObject> items = dedicated.Objects("cmek_region_specs") ?? [];
        IReadOnlyList<(string Region, KeySpec Key)> specs = items.Count > 0
            ? KeySpecs.Read(items, "cmek_region_specs", cluster.Provider)
            : [];
        if (!cluster.IsDedicated)
        {
            throw CloudApiFault.Invalid($"dedicated does not fit a cluster of the plan {cluster.Plan}");
        }

        clusterLock.RequireFree(cluster);
        if (cluster.Regions.Find(r => !nodes.ContainsKey(r.Name)) is { } gone)
        {
            throw CloudApiFault.Invalid($"region_nodes: {gone.Name} is missing; removing a region is not supported in the sandbox");
        }

        string[] added = [.. nodes.Keys.Where(n => cluster.Region(n) is null)];
        RequireSpecs(cluster, added, specs);
        foreach (CloudRegion region in cluster.Regions)
        {
            region.NodeCount = nodes[region.Name];
        }

        cluster.Hardware = hardware;
        cluster.ScalingSince = now;
        foreach (string name in added)
        {
            CloudRegion region = new(name, nodes[name]);
            cluster.Regions.Add(region);
            if (cluster.IsEncrypted)
            {
                CmekEngine.Use(cluster, region, specs.First(s => s.Region == name).Key, now);
            }
        }
    }

    private void RequireSpecs(CloudCluster cluster, string[] added, IReadOnlyList<(string Region, KeySpec Key)> specs)
    {
        foreach ((string region, KeySpec key) in specs)
        {
            string? fault = cluster.Region(region) is not null
                ? $"{region} is a region of the cluster already; its key is changed with PUT cmek"
                : !added.Contains(region) ? $"{region} is not in region_nodes"
                : !cluster.IsEncrypted ? "the cluster does not use CMEK"
                : key.IsNull ? "NULL_KMS cannot be used for a new region"
                : null;
            if (fault is not null)
            {
                throw CloudApiFault.Invalid("cmek_region_specs: " + fault);
            }
        }

        if (cluster.IsEncrypted && added.Length > 0)
        {
            if (cluster.Regions.Exists(r => r.Sealed))
            {
                throw CloudApiFault.Precondition("a region cannot be added: CMEK is revoked");
            }

            if (Array.Find(added, n => !specs.Any(s => s.Region == n)) is { } bare)
            {
                throw CloudApiFault.Invalid(
                    $"cmek_region_specs: the cluster uses CMEK; a specification for the new region {bare} is missing");
            }
        }

        foreach ((string region, KeySpec key) in specs)
        {
            access.Require(cluster, region, key);
        }
    }
}
