using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.State;
using CmekTools.Engine.Access;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Lifecycle;

/// <summary>Lets a cluster use a key.</summary>
internal static class Granting
{
    /// <summary>Makes or completes one region's access.</summary>
    public static async Task<CmekAccess> GrantAsync(
        CmekCluster cluster,
        string region,
        CmekKey? known,
        string? keyUri,
        PrincipalOptions options,
        Operation op)
    {
        op.About(cluster);
        ClusterRequirements.RequireCmekPossible(cluster);
        ForeignOptions.Require(cluster, options);
        CmekRegion? own = cluster.Regions.FirstOrDefault(r => string.Equals(r.Name, region, StringComparison.OrdinalIgnoreCase));
        if (own is null
            && !IsWhereTheKeyIs(region, keyUri ?? known?.KeyUri, known)
            && Names.DidYouMean(region, cluster.Regions.Select(r => r.Name)).Length > 0)
        {
            throw ClusterRequirements.RegionUnknown(cluster, region);
        }

        if (own is null)
        {
            await op.Host.WarningAsync(
                $"{cluster.Name} has no region {region} yet; Add-CmekRegion adds it with this key.").ConfigureAwait(false);
        }

        region = own?.Name ?? region;
        if (cluster.AccountId is null)
        {
            throw new CmekException(
                "ClusterAccountUnknown",
                CmekErrorKind.InvalidData,
                $"The Cloud API does not say which {cluster.Provider} account belongs to {cluster.Name}.",
                "Wait until the cluster's state is CREATED and run the command again.",
                cluster);
        }

        IKeyProvider provider = op.Session.GetProvider(cluster.Provider);
        GrantBesideRevocation? beside = null;
        IReadOnlyList<string> principals = [];
        CmekKey key;
        if (known is { State: CmekKeyState.Planned })
        {
            if (!op.Host.WhatIf)
            {
                throw new CmekException(
                    "KeyPlanned",
                    CmekErrorKind.InvalidArgument,
                    $"The key for {cluster.Name}/{region} was only planned (-WhatIf, or answered with no).",
                    "Run New-CmekKey without -WhatIf first.",
                    known);
            }

            // The plan names whom the run would let in, and refuses whom it would refuse.
            CmekStatus status = await op.FirstStatusAsync(cluster).ConfigureAwait(false);
            ClusterKeys keys = await ClusterKeys.ReadAsync(cluster, status, op).ConfigureAwait(false);
            options = await RequireNotCutAsync(keys, status, region, null, options, op).ConfigureAwait(false);
            key = known;
        }
        else
        {
            string uri = keyUri ?? known?.KeyUri ?? throw new CmekException(
                "KeyUriInvalid",
                CmekErrorKind.InvalidArgument,
                $"No key is given for {cluster.Name}/{region}.",
                "Give -KeyUri, or pipe New-CmekKey or Get-CmekKey.",
                region);
            if (KeyProviders.FromKeyUri(uri) != cluster.Provider)
            {
                throw new CmekException(
                    "KeyProviderMismatch",
                    CmekErrorKind.InvalidArgument,
                    $"{uri} is not a key on {cluster.Provider}, where {cluster.Name} runs.",
                    $"Give a key on {cluster.Provider}: New-CmekKey -ClusterName {PowerShellText.Quote(cluster.Name)} makes one.",
                    uri);
            }

            provider.ValidateKeyUri(uri, cluster, region);
            CmekStatus status = known?.KeylessBefore is { } before && IsOf(cluster, before, op)
                ? before
                : await op.FirstStatusAsync(cluster).ConfigureAwait(false);
            ClusterKeys keys = await ClusterKeys.ReadAsync(cluster, status, op).ConfigureAwait(false);
            options = await RequireNotCutAsync(keys, status, region, uri, options, op).ConfigureAwait(false);
            principals = keys.Principals;
            beside = GrantBesideRevocation.Before(cluster, status, [.. keys.Acting], op);
            key = await provider.GetKeyAsync(uri, op).ConfigureAwait(false);
            provider.RequireUsable(key);
        }

        CmekAccess access;
        try
        {
            access = await provider.GrantAsync(cluster, key, region, options, op).ConfigureAwait(false);
        }
        catch (CmekException e) when (beside is not null && !op.Host.WhatIf && e.ErrorId != "AccessRevoked")
        {
            // What it had written before it failed lets in all the same.
            await beside.AfterFailureAsync(region, key.KeyUri!, [.. principals.Where(options.Names)], e, provider, op)
                .ConfigureAwait(false);
            throw;
        }

        if (beside is not null && access is { Changed: true, Planned: false })
        {
            await beside.AfterAsync(access, provider, op).ConfigureAwait(false);
        }

        if (!access.Changed && !access.Planned)
        {
            await op.Host.VerboseAsync(
                $"{cluster.Name}/{region}: {access.AuthPrincipal} has its access to {access.KeyUri}; nothing was changed.")
                    .ConfigureAwait(false);
        }

        return access;
    }

    // A key may be made for one cluster and granted to another.
    private static bool IsOf(CmekCluster cluster, CmekStatus status, Operation op)
    {
        if (!string.Equals(status.ClusterId, cluster.Id, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        TimeSpan age = op.Session.Time.GetUtcNow() - status.AsOf;
        return age >= TimeSpan.Zero && age <= RecentClusters.Momentary;
    }

    // A region that the cluster does not have may be misspelt (us-east-2 for us-east-1), but not where there is a key in it.
    private static bool IsWhereTheKeyIs(string region, string? keyUri, CmekKey? known) =>
        known is { State: CmekKeyState.Planned }
        || string.Equals(known?.Region, region, StringComparison.OrdinalIgnoreCase)
        || (
            keyUri is not null
                && (
                    keyUri.Contains($":kms:{region}:", StringComparison.OrdinalIgnoreCase)
                        || keyUri.Contains($"/locations/{region}/", StringComparison.OrdinalIgnoreCase)));

    // An emergency revocation is not undone in passing, neither on the key that was cut nor by giving another key to a principal that
    // was cut off.
    private static async Task<PrincipalOptions> RequireNotCutAsync(
        ClusterKeys keys,
        CmekStatus status,
        string region,
        string? uri,
        PrincipalOptions options,
        Operation op)
    {
        CmekCluster cluster = keys.Cluster;
        string[] acting = [.. keys.Acting];
        PrincipalOptions wanted = Default(keys, region, uri, options);
        string? principal = keys.Principals.FirstOrDefault(p => wanted.Names(p));

        // Any receipt will do to refuse by, also one that is not to be trusted for giving; those that the truth has overtaken are
        // closed first.
        ReceiptStore store = new(op.Session.Journal.Folder);
        if (store.Open(cluster.Id).Count > 0)
        {
            await ReceiptSettling.SettleAsync(keys, store.Open(cluster.Id), [], op).ConfigureAwait(false);
        }

        // A receipt may stand open for another key: what counts is this one.
        StoredReceipt? open = store.Open(cluster.Id).FirstOrDefault(
            r => r.Document.Accesses.Any(a => a.KeyUri == uri && acting.Contains(a.AuthPrincipal)));
        if (uri is not null
            && open?.Document.Accesses.First(a => a.KeyUri == uri && acting.Contains(a.AuthPrincipal)) is { } cut
            && (await op.Session.GetProvider(cluster.Provider)
                .EvaluateAsync(
                    new AccessTarget(cluster, keys.OrganizationId, region, uri, cut.AuthPrincipal),
                    op).ConfigureAwait(false)).Use == Decision.Allowed)
        {
            open = null;
        }

        CmekRegionStatus? revoked = status.Regions.FirstOrDefault(
            r => r.State is CmekState.REVOKED or CmekState.REVOKING or CmekState.REVOKE_FAILED && r.Keys.Any(k => k.KeyUri == uri));
        if (open is not null || revoked is not null)
        {
            throw new CmekException(
                "AccessRevoked",
                CmekErrorKind.InvalidOperation,
                $"The access of {cluster.Name} to {uri} was revoked: "
                    + $"{(open is not null ? $"the receipt {open.Path} stands open" : $"the service says {revoked}")}. A grant does not "
                        + "undo that. Nothing was changed.",
                $"Restore-CmekAccess -ClusterName {PowerShellText.Quote(cluster.Name)} gives the access back; with -RoleName or "
                    + "-ServiceAccount it moves the cluster to a new principal.",
                uri);
        }

        if (principal is not null && await StandingCuts.FromAsync(keys, principal, op).ConfigureAwait(false) is { } from)
        {
            string option = cluster.Provider == CmekProvider.AWS ? "-RoleName" : "-ServiceAccount";
            string now = acting.Length == 0 ? "no principal" : string.Join(", ", acting);
            throw new CmekException(
                "AccessRevoked",
                CmekErrorKind.InvalidOperation,
                acting.Contains(principal)
                    ? $"{principal}, as which {cluster.Name} acts, is cut off from {from.KeyUri}. A grant does not let it in again, on no "
                        + "key. Nothing was changed."
                    : $"{principal} was cut off from the keys of {cluster.Name}, which acts as {now} now. A grant does not let it in "
                        + "again, on no key. Nothing was changed.",
                acting.Contains(principal)
                    ? $"Restore-CmekAccess -ClusterName {PowerShellText.Quote(cluster.Name)} gives it its access back; with {option} it "
                        + $"moves the cluster to another principal. For other keys under another principal, name that one with {option}."
                    : $"Name the principal in use, or a new one, with {option}. Restore-CmekAccess -ClusterName "
                        + $"{PowerShellText.Quote(cluster.Name)} {option} NAME lets this one in again, where that is meant.",
                principal);
        }

        if (principal is null && uri is not null)
        {
            await RequireNotCutElsewhereAsync(cluster, uri, wanted, op).ConfigureAwait(false);
        }

        return wanted;
    }

    // A role that a revocation of another cluster cut off still lets that cluster in where it is given a key.
    private static async Task RequireNotCutElsewhereAsync(CmekCluster cluster, string uri, PrincipalOptions wanted, Operation op)
    {
        if (wanted.RoleName is null && wanted.RoleArn is null && wanted.ServiceAccount is null)
        {
            return;
        }

        IKeyProvider provider = op.Session.GetProvider(cluster.Provider);
        foreach (CmekCluster other in await OthersAsync(cluster, op).ConfigureAwait(false))
        {
            (ClusterKey Key, CutMark Cut)? found = null;
            foreach ((ClusterKey key, string principal) in await OfOtherAsync(other, uri, wanted, op).ConfigureAwait(false))
            {
                KeyMarks marks = await provider.ReadMarksAsync(key.KeyUri, op).ConfigureAwait(false);
                if (marks.Unread.Count > 0)
                {
                    await op.Host.WarningAsync(
                        $"{other.Name} acts as {principal} too, and whether a revocation cut it off could not be seen: "
                            + string.Join("; ", marks.Unread)).ConfigureAwait(false);
                }

                if (marks.Cuts.FirstOrDefault(c => c.Principal == principal && c.IsOf(other.Id)) is { } cut)
                {
                    found = (key, cut);
                    break;
                }
            }

            if (found is not var (of, by))
            {
                continue;
            }

            string option = cluster.Provider == CmekProvider.AWS ? "-RoleName" : "-ServiceAccount";
            throw new CmekException(
                "AccessRevoked",
                CmekErrorKind.InvalidOperation,
                $"{by.Principal} was cut off from {of.KeyUri} by a revocation of {other.Name} ({by.Where}), and whoever acts as it could "
                    + $"use {uri} too. A grant does not let it in again. Nothing was changed.",
                $"Name another principal with {option}. Restore-CmekAccess -ClusterName {PowerShellText.Quote(other.Name)} gives this one "
                    + "its access back, where that is meant.",
                by.Principal);
        }
    }

    private static async Task<IReadOnlyList<CmekCluster>> OthersAsync(CmekCluster cluster, Operation op)
    {
        List<CmekCluster> others = [];
        try
        {
            await foreach (CmekCluster other in op.Session.Cloud.ListClustersAsync(op.Cancellation).ConfigureAwait(false))
            {
                if (other.Id != cluster.Id && other.Provider == cluster.Provider && other is { SupportsCmek: true, State: not "DELETED" })
                {
                    others.Add(other);
                }
            }
        }
        catch (CmekException e)
        {
            await op.Host.VerboseAsync(
                $"Whether another cluster acts as the same principal could not be read: {e.Message}").ConfigureAwait(false);
        }

        return others;
    }

    private static async Task<IReadOnlyList<(ClusterKey Key, string Principal)>> OfOtherAsync(
        CmekCluster other,
        string uri,
        PrincipalOptions wanted,
        Operation op)
    {
        try
        {
            CmekStatus status = await op.FirstStatusAsync(other).ConfigureAwait(false);
            ClusterKeys keys = await ClusterKeys.ReadAsync(other, status, op).ConfigureAwait(false);
            return
            [
                .. from key in keys.All
                   from principal in key.Principals
                   where wanted.Names(principal) && IsNear(principal, uri, wanted)
                   select (key, principal),
            ];
        }
        catch (CmekException e)
        {
            await op.Host.VerboseAsync(
                $"Whether {other.Name} acts as the same principal could not be read: {e.Message}").ConfigureAwait(false);
            return [];
        }
    }

    // A role's name is made in the key's own account: one of the same name in another account is another role.
    private static bool IsNear(string principal, string uri, PrincipalOptions wanted) =>
        !principal.StartsWith("arn:", StringComparison.Ordinal)
        || wanted.RoleArn is not null
        || principal.Split(':')[4] == uri.Split(':')[4];

    // Without a name it is the principal that the cluster acts as: the derived one may be long replaced.
    private static PrincipalOptions Default(ClusterKeys keys, string region, string? uri, PrincipalOptions options)
    {
        if (options.RoleName is not null || options.RoleArn is not null || options.ServiceAccount is not null)
        {
            return options;
        }

        string[] acting = keys.InUse(region)?.Principal is { } own ? [own] : [.. keys.Acting];
        // A key that is not made yet will be where those are that the principal uses.
        string? near = uri ?? keys.All.FirstOrDefault(k => acting.Length == 1 && k.Principals.Contains(acting[0]))?.KeyUri;
        return acting.Length == 1 && near is not null ? options.For(acting[0], near) : options;
    }
}
