using CmekTools.Engine.Access;
using CmekTools.Engine.Clusters;

namespace CmekTools.Engine.BreakGlass;

/// <summary>
/// A key that is switched off lets nobody in, and has nobody's cut in its policy: whoever a revocation means to keep out gets one before
/// the key is enabled, or it is not enabled.
/// </summary>
internal static class KeepingOut
{
    /// <summary>Cuts off from a key that is about to be enabled whom it would let in.</summary>
    /// <param name="plan">The restore.</param>
    /// <param name="item">The key's part of it.</param>
    /// <param name="provider">The key's cloud.</param>
    /// <param name="op">The run.</param>
    public static async Task CutAsync(RestorePlan plan, RestoreItem item, IKeyProvider provider, Operation op)
    {
        AccessTarget[] others =
        [
            .. plan.Items.Where(i => i.Shown.Action == CmekRestoreAction.StaysCut && i.Target.KeyUri == item.Target.KeyUri)
                .Select(i => i.Target),
        ];
        if ((others.Length == 0 && !Enables(item))
            || (await provider.GetKeyAsync(item.Target.KeyUri, op).ConfigureAwait(false)).State == CmekKeyState.Enabled)
        {
            return;
        }

        IReadOnlyList<AccessTarget> more = Enables(item) ? await LetInAsync(plan, item, provider, op).ConfigureAwait(false) : [];
        foreach (AccessTarget other in others.Concat(more).DistinctBy(t => t.AuthPrincipal))
        {
            await provider.CutAsync(other, new CutOptions(false), op).ConfigureAwait(false);
        }
    }

    private static bool Enables(RestoreItem item) => item.Revives || item.Target.Revival != Revival.None;

    // Whom the key's policy or a grant lets in and a revocation cut off elsewhere: by this cluster's other keys, or by those of another
    // cluster that was given this key too.
    private static async Task<IReadOnlyList<AccessTarget>> LetInAsync(
        RestorePlan plan,
        RestoreItem item,
        IKeyProvider provider,
        Operation op)
    {
        KeyMarks marks = await provider.ReadMarksAsync(item.Target.KeyUri, op).ConfigureAwait(false);
        string[] meant =
        [
            .. plan.Items.Where(i => i.Acts && i.Target.KeyUri == item.Target.KeyUri).Select(i => i.Target.AuthPrincipal),
            .. plan.Named ? [] : plan.Acting,
        ];
        OtherAccess other = await provider.ReadOtherAccessAsync(item.Target.KeyUri, op).ConfigureAwait(false);
        IEnumerable<string> grantees = other.Grants.Where(g => g.Opens).Select(g => g.Grantee);
        string[] asked = [.. marks.Users.Concat(grantees).Except(meant, StringComparer.Ordinal)];
        if (asked.Length == 0)
        {
            return [];
        }

        List<AccessTarget> found = [];
        foreach (ClusterKeys keys in (IEnumerable<ClusterKeys>)[plan.Keys, .. await OthersAsync(plan, op).ConfigureAwait(false)])
        {
            foreach (string principal in asked.Intersect(keys.Principals, StringComparer.Ordinal))
            {
                if (await StandingCuts.FromAsync(keys, principal, op).ConfigureAwait(false) is not { } from)
                {
                    continue;
                }

                await op.Host.VerboseAsync(
                    $"{principal} is cut off from {from.KeyUri} of {keys.Cluster.Name}, and the policy of {item.Target.KeyUri} would let "
                        + "it in: it is cut off from that too before the key is enabled.").ConfigureAwait(false);
                found.Add(
                    new AccessTarget(
                        keys.Cluster,
                        op.Session.Organization.Id,
                        item.Target.Region,
                        item.Target.KeyUri,
                        principal));
            }
        }

        return found;
    }

    // What the service says of the other clusters; where it does not say, what was seen of them here.
    private static async Task<IReadOnlyList<ClusterKeys>> OthersAsync(RestorePlan plan, Operation op)
    {
        CmekCluster own = plan.Keys.Cluster;
        IEnumerable<SeenCluster> seen;
        try
        {
            seen = op.Session.Offline is null ? await KeyUses.FleetAsync(op).ConfigureAwait(false) : Remembered();
        }
        catch (CmekException e)
        {
            await op.Host.VerboseAsync($"The other clusters are looked at as they were last seen: {e.Message}").ConfigureAwait(false);
            seen = Remembered();
        }

        List<ClusterKeys> others = [];
        foreach (SeenCluster one in seen.Where(s => s.Cluster.Id != own.Id && s.Cluster.Provider == own.Provider))
        {
            others.Add(
                await ClusterKeys.ReadAsync(one.Cluster, one.Status ?? SubjectFinder.Unseen(one.Cluster), op).ConfigureAwait(false));
        }

        return others;

        IEnumerable<SeenCluster> Remembered() =>
            op.Session.Inventory.List().Select(e => new SeenCluster(e.Cluster, null, "the service was not asked"));
    }
}
