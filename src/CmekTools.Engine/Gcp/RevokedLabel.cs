using System.Text.Json.Nodes;

namespace CmekTools.Engine.Gcp;

/// <summary>
/// The label by which a key says that a revocation switched it off: the cluster's id and, where the key rotated by itself, the period
/// in seconds ("…_7776000s"), which the scheduling of its destruction takes away.
/// </summary>
internal static class RevokedLabel
{
    /// <summary>The label's value, or null.</summary>
    public static string? Read(JsonObject key) => key["labels"]?[GcpNames.RevokedLabel]?.ToString();

    /// <summary>The automatic rotation that the label remembers, as it is written into a patch; null where there is none.</summary>
    public static JsonObject? Rotation(JsonObject key) =>
        Read(key)?.Split('_') is [_, { Length: > 1 } period] && period[^1] == 's' && period[..^1].All(char.IsAsciiDigit)
            ? new JsonObject { ["rotationPeriod"] = period }
            : null;

    /// <summary>Puts it on; one that is there stays as it is.</summary>
    public static Task PutAsync(IGoogleCloud cloud, string keyUri, CmekCluster cluster, Operation op) => KeyLabels.EditAsync(
        cloud,
        keyUri,
        (labels, key) =>
        {
            if (labels.ContainsKey(GcpNames.RevokedLabel))
            {
                return false;
            }

            string period = key["rotationPeriod"] is { } rotation ? $"_{rotation}" : string.Empty;
            labels[GcpNames.RevokedLabel] = GcpNames.Label(cluster.Id + period);
            return true;
        },
        $"label the key with {GcpNames.RevokedLabel}: a revocation of {cluster.Name} switches it off",
        op);

    /// <summary>Takes it off.</summary>
    public static Task TakeAsync(IGoogleCloud cloud, string keyUri, Operation op) => KeyLabels.EditAsync(
        cloud,
        keyUri,
        (labels, _) => labels.Remove(GcpNames.RevokedLabel),
        $"take the label {GcpNames.RevokedLabel} off the key",
        op);
}
