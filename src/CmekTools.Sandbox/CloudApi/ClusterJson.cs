using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.CloudApi;

/// <summary>Cluster as the contract has it, with every required field.</summary>
internal static class ClusterJson
{
    public static JsonObject Cluster(CloudCluster cluster)
    {
        JsonObject json = new()
        {
            ["id"] = cluster.Id,
            ["name"] = cluster.Name,
            ["cockroach_version"] = cluster.CockroachVersion,
            ["upgrade_status"] = "FINALIZED",
            ["plan"] = cluster.Plan,
            ["cloud_provider"] = cluster.Provider,
            ["account_id"] = cluster.AccountId,
            ["state"] = cluster.State,
            ["creator_id"] = Identities.Guid("creator"),
            ["operation_status"] = cluster.OperationStatus,
            ["config"] = Config(cluster),
            ["regions"] = new JsonArray([.. cluster.Regions.Select(r => Region(cluster, r))]),
            ["created_at"] = JsonBody.Time(cluster.CreatedAt),
            ["updated_at"] = JsonBody.Time(cluster.UpdatedAt),
            ["sql_dns"] = $"{cluster.Name}.{Identities.Short(cluster.Id)}.sandbox.invalid",
            ["cidr_range"] = cluster.IsDedicated ? cluster.CidrRange : string.Empty,
            ["labels"] = new JsonObject(cluster.Labels.Select(l => KeyValuePair.Create(l.Key, (JsonNode?)l.Value))),
            ["parent_id"] = "root",
            ["delete_protection"] = cluster.DeleteProtection,
            ["egress_traffic_policy"] = "ALLOW_ALL",
            ["is_customer_cloud_account"] = false,
        };
        if (cluster.IsDedicated)
        {
            json["network_visibility"] = cluster.NetworkVisibility;
        }

        return json;
    }

    private static JsonObject Config(CloudCluster cluster) => cluster.IsDedicated
        ? new JsonObject
        {
            ["dedicated"] = new JsonObject
            {
                ["machine_type"] = CloudHardware.MachineType(cluster.Provider, cluster.Hardware.VirtualCpus),
                ["num_virtual_cpus"] = cluster.Hardware.VirtualCpus,
                ["storage_gib"] = cluster.Hardware.StorageGib,
                ["memory_gib"] = cluster.Hardware.MemoryGib,
                ["disk_iops"] = 450,
            },
        }
        : new JsonObject
        {
            ["serverless"] = new JsonObject
            {
                ["routing_id"] = $"{cluster.Name}-{Identities.Short(cluster.Id)}",
                ["upgrade_type"] = "AUTOMATIC",
            },
        };

    // ".invalid" is reserved: nobody can be connected to by mistake.
    private static JsonObject Region(CloudCluster cluster, CloudRegion region)
    {
        string host = $"{cluster.Name}-{Identities.Short(cluster.Id)}.{region.Name}.sandbox.invalid";
        return new JsonObject
        {
            ["name"] = region.Name,
            ["sql_dns"] = host,
            ["ui_dns"] = "admin-" + host,
            ["internal_dns"] = "internal-" + host,
            ["private_endpoint_dns"] = "private-" + host,
            ["node_count"] = cluster.IsDedicated ? region.NodeCount : 0,
            ["primary"] = false,
        };
    }
}
