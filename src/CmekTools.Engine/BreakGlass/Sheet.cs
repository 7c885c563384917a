using System.Globalization;
using System.Text;
using CmekTools.Engine.Access;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.BreakGlass;

/// <summary>
/// The sheet for the safe: one cluster's cut and restore as commands of aws, gcloud and curl, for a machine without CmekTools. It names
/// keys and principals, and
/// holds no secret.
/// </summary>
internal static class Sheet
{
    /// <summary>Writes it, in Markdown. What cannot be read of a key is said in it, and the other keys are written all the same.</summary>
    /// <exception cref="CmekException">The cluster's keys are not known.</exception>
    public static async Task<string> WriteAsync(ClusterRef named, Operation op)
    {
        RevocationSubject subject = await SubjectFinder.FindOneAsync(named, op).ConfigureAwait(false);
        if (subject.Targets.Count == 0)
        {
            throw new CmekException(
                "CmekNotEnabled",
                CmekErrorKind.InvalidOperation,
                $"{subject.Cluster.Name} has no customer-managed key that could be cut off ({subject.Status}).",
                "Get-CmekStatus shows its keys.",
                subject.Cluster);
        }

        IKeyProvider provider = op.Session.GetProvider(subject.Cluster.Provider);
        AccessTarget[][] keys = [.. subject.Targets.GroupBy(t => t.KeyUri).Select(g => g.ToArray())];
        ByHand[] parts = await Task.WhenAll(keys.Select((k, i) => provider.WriteByHandAsync(k, i + 1, op))).ConfigureAwait(false);
        StringBuilder text = new();
        CmekCluster cluster = subject.Cluster;
        string? cut = await CutAsync(subject, provider, keys, op).ConfigureAwait(false);
        if (cut is not null)
        {
            await op.Host.WarningAsync(
                $"{cluster.Name} is cut off now ({cut}): the sheet's restore gives back what is there now, which is the cut. Make the "
                    + "sheet anew when the access is back; Restore-CmekAccess gives it back.").ConfigureAwait(false);
        }

        string program = cluster.Provider == CmekProvider.AWS ? "aws" : "gcloud";
        Line($"# Cutting {Plain(cluster.Name)} off from its keys, without CmekTools");
        Line();
        Line(
            $"Cluster {Plain(cluster.Name)} ({cluster.Id}), {cluster.Provider}, organization {Plain(op.Session.Organization.Name)} "
                + $"({op.Session.Organization.Id}).");
        Line(
            $"Made by Export-CmekBreakGlass on {op.Session.Time.GetUtcNow().UtcDateTime:yyyy-MM-dd HH:mm}Z. Make it anew after each "
                + "change of keys, principals or policies.");
        if (cut is not null)
        {
            Line(
                $"**Made while the cluster was cut off ({Plain(cut)}): the restore below gives back the state of then, which is the cut. "
                    + "Make this sheet anew when the access is back.**");
        }

        Line();
        Line(
            $"Needed: a POSIX shell, {program} signed in as somebody who may change these keys, curl, and for the service an API key in "
                + "COCKROACH_API_KEY.");
        Line("Work in an empty folder and keep it: the files that the cut writes there are what the restore needs.");
        Line("**The database stops.** Restarted nodes do not come back, and coming back takes the restore below and a support ticket.");
        Line();
        Line("## Keys");
        Line();
        foreach ((AccessTarget[] key, int i) in keys.Select((k, i) => (k, i)))
        {
            ClusterKey? known = subject.Keys.All.FirstOrDefault(k => k.KeyUri == key[0].KeyUri);
            Line(
                $"{i + 1}. `{Plain(key[0].KeyUri)}` ({Plain(key[0].Region)}, "
                    + $"{(known is null ? "past" : KeyPlaceText.Of(known.Place))}), as "
                        + $"{string.Join(", ", key.Select(t => $"`{Plain(t.AuthPrincipal)}`"))}");
        }

        Section("Cut", "Each key by itself; where one command fails, go on with the next.", p => p.Cut);
        Section("Where a cut is refused", "This stops everybody who uses the key, and not only the cluster.", p => p.Last);
        Line();
        Line("## Tell the service");
        Line();
        Line("Beside the cuts. It is revoked where every region with a key says REVOKED.");
        Line();
        Fence([.. Service(cluster, op)]);
        Section("Look whether it is cut", "An answer that does not come, or that the key is not found, proves nothing.", p => p.Proof);
        Section("Restore", "In the folder of the cut. Nodes come back by a support ticket with the ids above.", p => p.Restore);
        string[] notes = [.. parts.SelectMany((p, i) => p.Notes.Select(n => $"Key {i + 1}: {n}"))];
        if (notes.Length > 0)
        {
            Line();
            Line("## What this sheet does not do");
            Line();
            foreach (string note in notes)
            {
                Line($"- {Plain(note)}");
            }
        }

        return text.ToString();

        void Line(string line = "") => text.Append(line).Append('\n');

        void Fence(IReadOnlyList<string> lines)
        {
            Line("```sh");
            foreach (string line in lines)
            {
                Line(line);
            }

            Line("```");
        }

        void Section(string title, string says, Func<ByHand, IReadOnlyList<string>> of)
        {
            Line();
            Line($"## {title}");
            Line();
            Line(says);
            for (int i = 0; i < parts.Length; i++)
            {
                Line();
                Line($"Key {(i + 1).ToString(CultureInfo.InvariantCulture)}:");
                Line();
                Fence(of(parts[i]));
            }
        }
    }

    // What says that a cut is in force, or null.
    private static async Task<string?> CutAsync(RevocationSubject subject, IKeyProvider provider, AccessTarget[][] keys, Operation op)
    {
        if (ClusterKeys.Receipts(subject.Cluster, op).FirstOrDefault(r => r.Document.IsOpen) is { } open)
        {
            return $"by the receipt of {open.Document.CreatedAt.UtcDateTime:yyyy-MM-dd HH:mm}Z";
        }

        foreach (AccessTarget[] key in keys)
        {
            try
            {
                KeyMarks marks = await provider.ReadMarksAsync(key[0].KeyUri, op).ConfigureAwait(false);
                if (marks.Cuts.FirstOrDefault(c => c.IsOf(subject.Cluster.Id)) is { } cut)
                {
                    return $"by {cut.Where}";
                }
            }
            catch (CmekException)
            {
                // The key's own part says what cannot be read of it.
            }
        }

        return subject.IsRevoked ? "the service says REVOKED" : null;
    }

    private static IEnumerable<string> Service(CmekCluster cluster, Operation op)
    {
        string url = BashText.Quote($"{op.Session.Cloud.Server.GetLeftPart(UriPartial.Authority)}/api/v1/clusters/{cluster.Id}/cmek");
        const string head = "-H \"Authorization: Bearer $COCKROACH_API_KEY\" -H 'Cc-Version: 2024-09-16'";
        yield return $"curl -sS --fail -X PATCH {url} {head} -H 'Content-Type: application/json' -d '{{\"action\":\"REVOKE\"}}'";
        yield return "# What it says now:";
        yield return $"curl -sS --fail {url} {head}";
    }

    // Outside of the commands: one line, with nothing that Markdown or a terminal would take for its own.
    private static string Plain(string text) => ViewText.Line(text).Replace("`", "'", StringComparison.Ordinal);
}
