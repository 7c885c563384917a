using System.Globalization;
using System.Text;
using CmekTools.Engine.Access;
using CmekTools.Engine.Clusters;

namespace CmekTools.Engine.BreakGlass;

/// <summary>What is going to be revoked: every cluster of one run, its keys, and who else is hit. It is asked about once.</summary>
internal sealed record RevocationPlan(IReadOnlyList<RevocationSubject> Subjects, IReadOnlyList<OtherHit> Others, RevokeOptions Options)
{
    /// <summary>Every key of the plan with what is to be cut from it, whichever cluster it is listed by.</summary>
    public IEnumerable<IGrouping<(CmekProvider Provider, string Uri), (RevocationSubject Subject, AccessTarget Target)>> Keys =>
        Subjects.SelectMany(
            s => s.Targets.Select(t => (Subject: s, Target: t))).GroupBy(p => (p.Subject.Cluster.Provider, p.Target.KeyUri));

    /// <summary>Makes the plan. Nothing is changed, and no provider is asked.</summary>
    /// <exception cref="CmekException"><c>ConfirmNameMismatch</c>, or there is nothing that could be cut
    /// (<c>CmekNotEnabled</c>).</exception>
    public static async Task<RevocationPlan> MakeAsync(IReadOnlyList<RevocationSubject> found, RevokeOptions options, Operation op)
    {
        List<RevocationSubject> subjects = [];
        foreach (RevocationSubject subject in found.DistinctBy(s => s.Cluster.Id))
        {
            // Whoever names another cluster than the one at hand may mean another one altogether: noticed before anything is cut.
            if (options.ConfirmedName is { } name && !string.Equals(name, subject.Cluster.Name, StringComparison.Ordinal))
            {
                throw new CmekException(
                    "ConfirmNameMismatch",
                    CmekErrorKind.InvalidArgument,
                    $"-ConfirmClusterName is '{name}', the cluster is '{subject.Cluster.Name}'. Nothing was changed.",
                    $"Give the exact name, -ConfirmClusterName {subject.Cluster.Name}, or leave it away to be asked.",
                    subject.Cluster);
            }

            if (subject.Targets.Count > 0
                || (options.Tells && subject.Silent is null && subject.Status.Regions.Any(r => r.KeyUri is not null)))
            {
                subjects.Add(subject);
            }
            else
            {
                await op.Host.ErrorAsync(Nothing(subject)).ConfigureAwait(false);
            }
        }

        IReadOnlyList<OtherHit> others = await OthersHit.FindAsync(subjects, !options.Unasked, op).ConfigureAwait(false);
        return new RevocationPlan(subjects, others, options);
    }

    /// <summary>The one question.</summary>
    public string Question(Operation op)
    {
        StringBuilder text = new();
        string also = Options.Tells && Options.Cuts ? ", then tell the service to revoke" : string.Empty;
        text.Append(Options.Cuts ? $"cut the access to these keys{also}." : "tell the service to revoke.").AppendLine();
        foreach (RevocationSubject subject in Subjects)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {subject.Cluster}, {subject.Cluster.Provider}, {State(subject)}");
            foreach (ClusterKey key in subject.Keys.All.Where(_ => Options.Cuts))
            {
                text.AppendLine(
                    CultureInfo.InvariantCulture,
                    $"    {key.KeyUri} ({key.Region}, {KeyPlaceText.Of(key.Place)}) as {string.Join(", ", key.Principals)}");
            }
        }

        foreach (IGrouping<bool, OtherHit> group in Others.GroupBy(o => o.Stops).OrderByDescending(g => g.Key))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{(group.Key ? "ALSO HIT" : "MAY BE HIT")}: {string.Join("; ", group)}.");
        }

        text.Append(Subjects.Any(s => s.InUse)
            ? InUseConsequence()
            : "No cluster uses them any more and each goes on; what was written under them, managed backups too, cannot be read. "
                + "Restore-CmekAccess gives the access back.");
        if (Options.Permanent)
        {
            text.AppendLine().Append(
                CultureInfo.InvariantCulture,
                $"PERMANENT: after a second question the keys are scheduled to be destroyed {End(Subjects.Select(s => s.Cluster), op)}; "
                    + $"from then on nobody can ever read the data or its backups again.");
        }

        return text.ToString();
    }

    /// <summary>
    /// When scheduled keys will be gone, before any key is read: the date that is ours to set on AWS, and that of Google Cloud's default
    /// where a key says nothing else.
    /// </summary>
    public string End(IEnumerable<CmekCluster> clusters, Operation op)
    {
        CmekProvider[] clouds = [.. clusters.Select(c => c.Provider).Distinct().Order()];
        return string.Join(" and ", clouds.Select(c => c == CmekProvider.AWS
            ? $"on {EndOf(CmekProvider.AWS, null, op)} on AWS ({Options.DeletionDays} days)"
            : $"on {EndOf(CmekProvider.GCP, null, op)} on Google Cloud (30 days; sooner or later where a key has a waiting time of its "
                + "own, which the second question says)"));
    }

    /// <summary>The day on which a key is gone that is scheduled now.</summary>
    /// <param name="cloud">Its cloud.</param>
    /// <param name="own">The key's own waiting time, where it has one.</param>
    /// <param name="op">The run.</param>
    public string EndOf(CmekProvider cloud, TimeSpan? own, Operation op) => op.Session.Time.GetUtcNow()
        .Add(cloud == CmekProvider.AWS ? TimeSpan.FromDays(Options.DeletionDays) : own ?? TimeSpan.FromDays(30))
        .ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    // What each half stops, in the words of the help: a cut alone ends nothing at once, and the service alone leaves the key open.
    private string InUseConsequence() => Options.Tells
        ? "The database stops: no reads, no writes, managed backups fail, restarted nodes do not come back. Coming back takes "
            + (Options.Cuts ? "Restore-CmekAccess and a support ticket." : "a support ticket; the keys stay as they are.")
        : "Running nodes go on with the data key that they hold until they need the key again; restarted nodes do not come back, and "
            + "managed backups fail. The service is not told. Coming back takes Restore-CmekAccess, and a support ticket for nodes "
            + "that have stopped.";

    /// <summary>Whose it is: the organization, and whether it is only a sandbox.</summary>
    public string Target(Operation op)
    {
        CmekOrganization organization = op.Session.Organization;
        string kind = op.Session.IsSandbox ? ", a SANDBOX" : string.Empty;
        string clusters = Subjects.Count == 1 ? Subjects[0].Cluster.Name : $"{Subjects.Count} clusters";
        string known = op.Session.Who.ActingOn(Subjects.Select(s => s.Cluster.Provider));
        string acting = known.Length > 0 ? $", {known}" : string.Empty;
        return (organization.Id.Length == 0 ? clusters : $"{clusters} of the organization {organization.Name}{kind}") + acting;
    }

    private static string State(RevocationSubject subject) =>
        subject.Silent is null ? subject.Status.State.ToString() : "the service does not say; by what was seen before";

    private static CmekException Nothing(RevocationSubject subject) => subject.Silent is { } silent
        ? new CmekException(
            "ClusterKeysUnknown",
            CmekErrorKind.ObjectNotFound,
            $"Which keys {(string.IsNullOrEmpty(subject.Cluster.Name) ? subject.Cluster.Id : subject.Cluster.Name)} has is not known "
                + $"here, and the service does not say: {silent.Message} Nothing was cut for it.",
            "Give them: Revoke-CmekAccess -KeyUri … -AuthPrincipal …, or -ManifestPath with the cluster's cmek_config.json.",
            subject.Cluster,
            silent)
        : new CmekException(
            "CmekNotEnabled",
            CmekErrorKind.InvalidOperation,
            $"{subject.Cluster.Name} has no customer-managed key that could be cut off ({subject.Status}).",
            "Get-CmekStatus shows its keys.",
            subject.Status);
}
