using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.CloudApi;

/// <summary>GET, POST, PUT and PATCH of <c>/api/v1/clusters/{id}/cmek</c>.</summary>
internal sealed class CmekCalls(CmekEngine engine, KeyAccess access, ClusterLock clusterLock, AuditLog audit, Func<SandboxOptions> options)
{
    public static JsonNode Get(CloudCluster cluster) =>
        cluster.EverEncrypted ? CmekJson.Info(cluster) : throw CloudApiFault.NotFound($"no CMEK information for cluster {cluster.Id}");

    public JsonNode Enable(CloudCluster cluster, SandboxRequest request, DateTimeOffset now)
    {
        IReadOnlyList<(string Region, KeySpec Key)> specs = ReadSpecs(cluster, request);
        RequireFit(cluster);
        clusterLock.RequireFree(cluster);
        if (CmekStates.Of(cluster) is not (CmekState.DISABLED or CmekState.ENABLE_FAILED))
        {
            throw CloudApiFault.Precondition(
                cluster.Regions.Exists(r => r.Sealed) ? "CMEK is already enabled, and revoked" : "CMEK is already enabled");
        }

        Begin(cluster, specs, request, now);
        return CmekJson.Info(cluster);
    }

    public JsonNode Update(CloudCluster cluster, SandboxRequest request, DateTimeOffset now)
    {
        IReadOnlyList<(string Region, KeySpec Key)> specs = ReadSpecs(cluster, request);
        RequireFit(cluster);
        clusterLock.RequireFree(cluster);
        if (!cluster.IsEncrypted && !specs.All(s => s.Key.IsNull))
        {
            Begin(cluster, specs, request, now);
            return CmekJson.Info(cluster);
        }

        if (!cluster.EverEncrypted)
        {
            throw CloudApiFault.Precondition("CMEK is not enabled");
        }

        Change(cluster, specs, now);
        audit.Add(request, cluster, "AUDIT_LOG_ACTION_UPDATE_CMEK", now);
        return CmekJson.Info(cluster);
    }

    public JsonNode Revoke(CloudCluster cluster, SandboxRequest request, DateTimeOffset now)
    {
        string? action = JsonBody.Read(request).Text("action");
        if (action != "REVOKE")
        {
            throw CloudApiFault.Invalid($"unknown action '{action}'");
        }

        CloudRegion[] held = [.. cluster.Regions.Where(r => r.Current is not null)];
        if (held.Length > 0 && held.All(r => r.Status is CmekState.REVOKING or CmekState.REVOKED))
        {
            return CmekJson.Info(cluster);
        }

        clusterLock.RequireFree(cluster);
        if (held.Length == 0)
        {
            throw CloudApiFault.Precondition("CMEK is not enabled");
        }

        engine.Revoke(cluster, now);
        audit.Add(request, cluster, "AUDIT_LOG_ACTION_REVOKE_CMEK", now);
        return CmekJson.Info(cluster);
    }

    private IReadOnlyList<(string Region, KeySpec Key)> ReadSpecs(CloudCluster cluster, SandboxRequest request)
    {
        IReadOnlyList<(string Region, KeySpec Key)> specs = KeySpecs.Read(
            JsonBody.Read(request).Objects("region_specs"),
            "region_specs",
            cluster.Provider);
        foreach ((string region, KeySpec key) in specs)
        {
            if (cluster.Region(region) is null)
            {
                throw CloudApiFault.Invalid($"region {region} is not a region of the cluster");
            }

            if (key.IsNull && !options().TakesNullKms)
            {
                throw CloudApiFault.Invalid("NULL_KMS is not supported");
            }
        }

        return specs;
    }

    private static void RequireFit(CloudCluster cluster)
    {
        if (!cluster.IsDedicated)
        {
            throw CloudApiFault.Precondition(
                $"CMEK is only available for clusters of the plan ADVANCED; this cluster's plan is {cluster.Plan}");
        }

        if (cluster.NetworkVisibility != "PRIVATE")
        {
            throw CloudApiFault.Precondition("CMEK is only available for private clusters; this cluster's network visibility is PUBLIC");
        }
    }

    // The first time, every region has to come along: data moves between them.
    private void Begin(CloudCluster cluster, IReadOnlyList<(string Region, KeySpec Key)> specs, SandboxRequest request, DateTimeOffset now)
    {
        if (cluster.Regions.Find(r => !specs.Any(s => s.Region == r.Name)) is { } missing)
        {
            throw CloudApiFault.Invalid($"region_specs must hold every region of the cluster; {missing.Name} is missing");
        }

        if (specs.Any(s => s.Key.IsNull))
        {
            throw CloudApiFault.Invalid("NULL_KMS cannot be used to enable CMEK");
        }

        Change(cluster, specs, now);
        audit.Add(request, cluster, "AUDIT_LOG_ACTION_UPDATE_CMEK", now);
    }

    // All keys are tried before the first region changes, so that a refused request changes nothing.
    private void Change(CloudCluster cluster, IReadOnlyList<(string Region, KeySpec Key)> specs, DateTimeOffset now)
    {
        foreach ((string name, KeySpec key) in specs)
        {
            KeySpec? needed = key.IsNull ? cluster.Region(name)!.Current?.Spec : key;
            if (needed is not null)
            {
                access.Require(cluster, name, needed);
            }
        }

        foreach ((string name, KeySpec key) in specs)
        {
            CloudRegion region = cluster.Region(name)!;
            if (key.IsNull)
            {
                CmekEngine.Disable(region, now);
            }
            else
            {
                CmekEngine.Use(cluster, region, key, now);
            }
        }

        cluster.UpdatedAt = now;
    }
}
