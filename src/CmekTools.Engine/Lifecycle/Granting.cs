using CmekTools.Engine.Clusters;
using CmekTools.Engine.State;
using CmekTools.Engine.Access;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Lifecycle;

/// <summary>Lets a cluster use a key.</summary>
internal static class Granting
{
    /// <summary>Makes or completes one region's access.</summary>
    public static async Task<CmekAccess> GrantAsync(CmekCluster cluster, string region, CmekKey? known, string? keyUri, PrincipalOptions options, Operation op)
    {
        op.About(cluster);
        ClusterLookup.RequireCmekPossible(cluster);
        CmekRegion? own = cluster.Regions.FirstOrDefault(r => string.Equals(r.Name, region, StringComparison.OrdinalIgnoreCase));
        if (own is null && !IsWhereTheKeyIs(region, keyUri ?? known?.KeyUri, known) && Names.DidYouMean(region, cluster.Regions.Select(r => r.Name)).Length > 0)
        {
            throw ClusterLookup.RegionUnknown(cluster, region);
        }

        if (own is null)
        {
            await op.Host.WarningAsync($"{cluster.Name} has no region {region} yet; Add-CmekRegion adds it with this key.").ConfigureAwait(false);
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
        CmekKey key;
        if (known is { State: CmekKeyState.Planned })
        {
            key = op.Host.WhatIf
                ? known
                : throw new CmekException(
                    "KeyPlanned",
                    CmekErrorKind.InvalidArgument,
                    $"The key for {cluster.Name}/{region} was only planned (-WhatIf, or answered with no).",
                    "Run New-CmekKey without -WhatIf first.",
                    known);
        }
        else
        {
            string uri = keyUri ?? known?.KeyUri ?? throw new CmekException("KeyUriInvalid", CmekErrorKind.InvalidArgument, $"No key is given for {cluster.Name}/{region}.", "Give -KeyUri, or pipe New-CmekKey or Get-CmekKey.", region);
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
            await RequireNotRevokedAsync(cluster, uri, op).ConfigureAwait(false);
            key = await provider.GetKeyAsync(uri, op).ConfigureAwait(false);
            provider.RequireUsable(key);
        }

        CmekAccess access = await provider.GrantAsync(cluster, key, region, options, op).ConfigureAwait(false);
        if (!access.Changed && !access.Planned)
        {
            await op.Host.VerboseAsync($"{cluster.Name}/{region}: {access.AuthPrincipal} has its access to {access.KeyUri}; nothing was changed.").ConfigureAwait(false);
        }

        return access;
    }

    // A region that the cluster does not have may be misspelt (us-east-2 for us-east-1), but not where there is a key in it.
    private static bool IsWhereTheKeyIs(string region, string? keyUri, CmekKey? known) =>
        known is { State: CmekKeyState.Planned }
        || string.Equals(known?.Region, region, StringComparison.OrdinalIgnoreCase)
        || (keyUri is not null && (keyUri.Contains($":kms:{region}:", StringComparison.OrdinalIgnoreCase) || keyUri.Contains($"/locations/{region}/", StringComparison.OrdinalIgnoreCase)));

    // On Google Cloud a cut leaves nothing in the policies that tells it from an access that never was: the receipts here and the service know.
    private static async Task RequireNotRevokedAsync(CmekCluster cluster, string uri, Operation op)
    {
        string? reason = null;
        // Any receipt that stands open is reason enough to refuse, also one that nothing may be given back from.
        if (new ReceiptStore(op.Session.Journal.Folder).Open(cluster.Id).FirstOrDefault(r => r.Document.Accesses.Any(a => a.KeyUri == uri)) is { } receipt)
        {
            reason = $"the receipt {receipt.Path} stands open";
        }
        else
        {
            CmekStatus status = await op.FirstStatusAsync(cluster).ConfigureAwait(false);
            CmekRegionStatus? revoked = status.Regions.FirstOrDefault(r => r.State is CmekState.REVOKED or CmekState.REVOKING or CmekState.REVOKE_FAILED && r.Keys.Any(k => k.KeyUri == uri));
            reason = revoked is null ? null : $"the service says {revoked}";
        }

        if (reason is not null)
        {
            throw new CmekException(
                "AccessRevoked",
                CmekErrorKind.InvalidOperation,
                $"The access of {cluster.Name} to {uri} was revoked: {reason}. A grant does not undo that. Nothing was changed.",
                $"Restore-CmekAccess -ClusterName {PowerShellText.Quote(cluster.Name)} gives the access back; with -RoleName or -ServiceAccount it moves the cluster to a new principal.",
                uri);
        }
    }
}
