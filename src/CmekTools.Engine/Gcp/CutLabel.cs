using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Gcp;

/// <summary>
/// The label that a cut leaves on a key. A binding that was taken away leaves nothing that says so: without a mark another machine
/// takes the key for one that was never granted, and lets in whom a revocation cut off.
/// </summary>
internal static class CutLabel
{
    private const string Prefix = "cmektools-cut-";
    private const string Ending = ".iam.gserviceaccount.com";

    /// <summary>The accounts that are marked as cut off, with the cluster's mark.</summary>
    public static IEnumerable<CutMark> Read(JsonObject key) =>
        Read((key["labels"] as JsonObject ?? []).Select(l => KeyValuePair.Create(l.Key, l.Value?.ToString() ?? string.Empty)));

    /// <summary>The same from labels that were read before.</summary>
    public static IEnumerable<CutMark> Read(IEnumerable<KeyValuePair<string, string>> labels)
    {
        foreach ((string name, string value) in labels.OrderBy(l => l.Key, StringComparer.Ordinal))
        {
            string[] mark = name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..].Split('-') : [];
            string[] account = value.Split('_');
            if (mark.Length > 0 && account.Length == 2)
            {
                yield return new CutMark($"{account[0]}@{account[1]}{Ending}", mark[0], $"the label {name}");
            }
        }
    }

    /// <summary>
    /// Throws where a revocation, of this cluster or another, has cut the account off from the key: a binding is the account's,
    /// whoever acts as it.
    /// </summary>
    /// <exception cref="CmekException"><c>AccessRevoked</c>.</exception>
    public static void RequireNone(CmekCluster cluster, CmekKey key, string email)
    {
        if (Read(key.Tags).FirstOrDefault(c => c.Principal == email) is { } cut)
        {
            string whose = cut.IsOf(cluster.Id)
                ? PowerShellText.Quote(cluster.Name)
                : $"the cluster whose id begins with {cut.ClusterMark}";
            throw new CmekException(
                "AccessRevoked",
                CmekErrorKind.InvalidOperation,
                $"The access of {email} to {key.KeyUri} was revoked: {cut.Where} says so. A grant does not undo that. Nothing was changed.",
                $"Restore-CmekAccess for {whose} gives the access back; with -ServiceAccount it moves that cluster to a new principal. "
                    + "Or name another account here.",
                key.KeyUri);
        }
    }

    /// <summary>Puts the mark on. What keeps it from being written keeps nothing from being cut.</summary>
    public static async Task PutAsync(IGoogleCloud cloud, AccessTarget target, Operation op)
    {
        if (!target.AuthPrincipal.EndsWith(Ending, StringComparison.Ordinal)
            || !Guid.TryParse(target.Cluster.Id, out Guid id)
            || id == Guid.Empty)
        {
            return;
        }

        string value = target.AuthPrincipal[..^Ending.Length].Replace('@', '_');
        await EditAsync(
            cloud,
            target,
            labels =>
            {
                string name = Prefix + target.Cluster.Id[..8].ToLowerInvariant();
                string[] own =
                [
                    .. labels.Where(
                        l => l.Key == name || l.Key.StartsWith(name + "-", StringComparison.Ordinal)).Select(l => l.Value!.ToString()),
                ];
                if (GcpNames.Label(value) != value || own.Contains(value))
                {
                    return false;
                }

                int number = 1;
                string free = name;
                while (labels.ContainsKey(free))
                {
                    free = $"{name}-{++number}";
                }

                labels[free] = value;
                return true;
            },
            $"mark the key: {target.AuthPrincipal} is cut off",
            op).ConfigureAwait(false);
    }

    /// <summary>Takes the mark of this cluster and account away.</summary>
    public static Task TakeAsync(IGoogleCloud cloud, AccessTarget target, Operation op) => EditAsync(
        cloud,
        target,
        labels =>
        {
            string[] names =
            [
                .. labels.Select(l => l.Key)
                    .Where(
                        n => Read([KeyValuePair.Create(n, labels[n]?.ToString() ?? string.Empty)]).Any(
                            c => c.Principal == target.AuthPrincipal && c.IsOf(target.Cluster.Id))),
            ];
            foreach (string name in names)
            {
                labels.Remove(name);
            }

            return names.Length > 0;
        },
        $"take the mark off the key: {target.AuthPrincipal} is not cut off any more",
        op);

    // A mark is worth a moment: a service that does not answer now keeps neither a cut nor a restore from its end.
    private static async Task EditAsync(
        IGoogleCloud cloud,
        AccessTarget target,
        Func<JsonObject, bool> edit,
        string summary,
        Operation outer)
    {
        using CancellationTokenSource soon = CancellationTokenSource.CreateLinkedTokenSource(outer.Cancellation);
        using ITimer limit = soon.CancelAfter(outer.Timings.OthersPatience, outer.Session.Time);
        Operation op = outer.ForRecord(outer.Host, soon.Token, outer.Abort);
        try
        {
            await KeyLabels.EditAsync(cloud, target.KeyUri, (labels, _) => edit(labels), summary, op).ConfigureAwait(false);
        }
        catch (Exception e) when (
            e is CmekServiceException || (e is OperationCanceledException && !outer.Cancellation.IsCancellationRequested))
        {
            string why = e is CmekServiceException ? e.Message : "no answer in time";
            await outer.Host.WarningAsync(
                $"{target}: the labels of {target.KeyUri} could not be written, so that they do not tell other machines "
                    + $"what was cut there: {why}").ConfigureAwait(false);
        }
    }
}
