using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp;

/// <summary>
/// The labels by which a key says that a revocation switched it off: the cluster's id and, where the key rotated by itself, the period
/// in seconds ("…_7776000s"), which the scheduling of its destruction takes away; the ids of more clusters; and the versions that were off
/// before it ("2d_3s": version 2 disabled, version 3 scheduled to be destroyed), which are to stay so.
/// </summary>
internal static class RevokedLabel
{
    private const int LongestValue = 63;
    private const int MostAlso = (LongestValue + 1) / (GcpNames.ShortLength + 1);

    // There were more of them than a label holds.
    private const string More = "more";

    /// <summary>The label's value, or null.</summary>
    public static string? Read(JsonObject key) => key["labels"]?[GcpNames.RevokedLabel]?.ToString();

    /// <summary>The clusters whose revocation it was.</summary>
    public static IReadOnlyList<KeyMark> Clusters(JsonObject? labels) => labels?[GcpNames.RevokedLabel]?.ToString() is not { } own
        ? []
        :
        [
            .. from id in (string[])[own.Split('_')[0], .. Also(labels)]
               where id.Length >= GcpNames.ShortLength
               select new KeyMark(id, $"the label {GcpNames.RevokedLabel}"),
        ];

    /// <summary>The automatic rotation that the label remembers, as it is written into a patch; null where there is none.</summary>
    public static JsonObject? Rotation(JsonObject key) =>
        Read(key)?.Split('_') is [_, { Length: > 1 } period] && period[^1] == 's' && period[..^1].All(char.IsAsciiDigit)
            ? new JsonObject { ["rotationPeriod"] = period }
            : null;

    /// <summary>The versions that were off before the revocation, with their states then.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Off(JsonObject key) =>
        from part in OffParts(key)
        where part.Length > 1 && part[..^1].All(char.IsAsciiDigit) && part[^1] is 'd' or 's'
        select KeyValuePair.Create(part[..^1], part[^1] == 'd' ? "DISABLED" : "DESTROY_SCHEDULED");

    /// <summary>True where more versions were off than the label could name.</summary>
    public static bool TellsNotAll(JsonObject key) => OffParts(key).Contains(More);

    /// <summary>Puts them on; what is there stays as it is, and names these clusters too.</summary>
    /// <param name="cloud">Google Cloud.</param>
    /// <param name="keyUri">The key.</param>
    /// <param name="clusters">Whose revocation.</param>
    /// <param name="before">The versions that the revocation has not touched.</param>
    /// <param name="op">The run.</param>
    public static async Task PutAsync(
        IGoogleCloud cloud,
        string keyUri,
        IReadOnlyList<CmekCluster> clusters,
        IReadOnlyList<JsonObject> before,
        Operation op)
    {
        CmekCluster[] untold = [];
        await KeyLabels.EditAsync(
            cloud,
            keyUri,
            (labels, key) =>
            {
                bool first = !labels.ContainsKey(GcpNames.RevokedLabel);
                if (first)
                {
                    string period = key["rotationPeriod"] is { } rotation ? $"_{rotation}" : string.Empty;
                    labels[GcpNames.RevokedLabel] = GcpNames.Label(clusters[0].Id + period);
                    labels.Remove(GcpNames.RevokedAlsoLabel);
                    labels.Remove(GcpNames.RevokedOffLabel);
                    if (OffText(before) is { Length: > 0 } off)
                    {
                        labels[GcpNames.RevokedOffLabel] = off;
                    }
                }

                IReadOnlyList<KeyMark> named = Clusters(labels);
                CmekCluster[] more = [.. clusters.Where(c => !named.Any(m => m.IsOf(c.Id)))];
                CmekCluster[] added = [.. more.Take(MostAlso - Also(labels).Length)];
                untold = more[added.Length..];
                if (added.Length > 0)
                {
                    labels[GcpNames.RevokedAlsoLabel] = string.Join('_', Also(labels).Concat(added.Select(GcpNames.Short)));
                }

                return first || added.Length > 0;
            },
            $"label the key with {GcpNames.RevokedLabel}: a revocation of "
                + $"{string.Join(", ", clusters.Select(c => c.Name))} switches it off",
            op).ConfigureAwait(false);
        await KeyMarks.TellNoRoomAsync(keyUri, untold, op).ConfigureAwait(false);
    }

    /// <summary>Takes them off.</summary>
    public static Task TakeAsync(IGoogleCloud cloud, string keyUri, Operation op) => KeyLabels.EditAsync(
        cloud,
        keyUri,
        (labels, _) => labels.Remove(GcpNames.RevokedLabel) | labels.Remove(GcpNames.RevokedAlsoLabel)
            | labels.Remove(GcpNames.RevokedOffLabel),
        $"take the label {GcpNames.RevokedLabel} off the key",
        op);

    private static string[] Also(JsonObject labels) => labels[GcpNames.RevokedAlsoLabel]?.ToString().Split('_') ?? [];

    private static string[] OffParts(JsonObject key) => Read(key) is null
        ? []
        : key["labels"]?[GcpNames.RevokedOffLabel]?.ToString().Split('_') ?? [];

    private static string OffText(IEnumerable<JsonObject> versions)
    {
        string text = string.Empty;
        foreach (JsonObject version in versions)
        {
            string? part = GcpKeyReader.State(version) switch
            {
                "DISABLED" => $"{GcpKeyReader.Version(version)}d",
                "DESTROY_SCHEDULED" => $"{GcpKeyReader.Version(version)}s",
                _ => null,
            };
            if (part is not null && text.Length + part.Length + More.Length + 2 > LongestValue)
            {
                return $"{text}_{More}";
            }

            text += part is null ? string.Empty : text.Length == 0 ? part : "_" + part;
        }

        return text;
    }
}
