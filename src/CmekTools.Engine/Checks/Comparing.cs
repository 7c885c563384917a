using CmekTools.Engine.Clusters;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Checks;

/// <summary>Holds what was declared against what is: one difference each, none where all is as declared.</summary>
internal static class Comparing
{
    /// <summary>Compares.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="declared">What it should be; null: only what the providers say about the keys in use is looked at.</param>
    /// <param name="accepted">What is known and agreed to: told to those who ask for details, and no difference.</param>
    /// <param name="op">The run.</param>
    public static async IAsyncEnumerable<CmekDifference> RunAsync(
        CmekCluster cluster,
        IReadOnlyList<CmekAccess>? declared,
        IReadOnlyList<AcceptedDifference> accepted,
        Operation op)
    {
        await foreach (CmekDifference difference in AllAsync(cluster, declared, op).ConfigureAwait(false))
        {
            if (accepted.FirstOrDefault(a => a.Covers(difference)) is { } agreed)
            {
                await op.Host.VerboseAsync($"Accepted ({agreed.Reason}): {difference}").ConfigureAwait(false);
                continue;
            }

            yield return difference;
        }
    }

    private static async IAsyncEnumerable<CmekDifference> AllAsync(CmekCluster cluster, IReadOnlyList<CmekAccess>? declared, Operation op)
    {
        CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
        CmekAccess[] wanted =
        [
            .. declared is not null
                ? ClusterRequirements.InOwnSpelling(cluster, declared)
                : [.. status.Regions.Where(r => r.Current is not null).Select(r => Specs.ToAccess(cluster, r))],
        ];
        foreach (CmekDifference difference in OfStatus(cluster, status, wanted, declared is not null))
        {
            yield return difference;
        }

        // Whether the cluster runs hangs on the key that it uses, whatever was declared; a declared key is judged where none is in use.
        // A region that was not declared has a key too. One that the cluster does not have is one difference: its key is not looked at.
        CmekAccess[] inUse = [.. status.Regions.Where(r => r.Current is not null).Select(r => Specs.ToAccess(cluster, r))];
        CmekAccess[] used =
        [
            .. inUse,
            .. AccessTest.Complete(wanted).Where(
                a => cluster.Regions.Any(r => r.Name == a.Region) && !inUse.Any(u => u.Region == a.Region)),
        ];
        await foreach (CmekCheck check in Preflight.AccessesAsync(cluster, used, op).ConfigureAwait(false))
        {
            if (check.Result != CmekCheckResult.Pass)
            {
                yield return new CmekDifference
                {
                    ClusterId = cluster.Id,
                    ClusterName = cluster.Name,
                    Region = check.Region,
                    Kind = Kind(check),
                    Actual = check.Target,
                    Message = $"{check.Name}: {check.Seen}",
                    Remedy = check.Remedy,
                };
            }
        }
    }

    private static string Kind(CmekCheck check) => check switch
    {
        { Result: CmekCheckResult.Unknown } => "NotVisible",
        { Name: var n } when n.EndsWith("Rotation", StringComparison.Ordinal) => "RotationOff",
        { Name: var n } when n.EndsWith("Scope", StringComparison.Ordinal) => "OthersCanDecrypt",
        { Name: var n } when n.Contains("Trust", StringComparison.Ordinal) || n.Contains("ExternalId", StringComparison.Ordinal)
            || n.Contains("TokenCreator", StringComparison.Ordinal) => "TrustWeakened",
        { Result: CmekCheckResult.Fail } => "AccessBroken",
        _ => "Weakened",
    };

    private static IEnumerable<CmekDifference> OfStatus(CmekCluster cluster, CmekStatus status, CmekAccess[] wanted, bool isDeclared)
    {
        foreach (CmekAccess access in wanted)
        {
            CmekRegionStatus? region = status.Regions.FirstOrDefault(
                r => string.Equals(r.Region, access.Region, StringComparison.OrdinalIgnoreCase));
            if (region is null)
            {
                yield return Make(
                    cluster,
                    access.Region,
                    "RegionMissing",
                    access.ToString(),
                    null,
                    $"The cluster has no region {access.Region}.",
                    $"Grant-CmekAccess … | Add-CmekRegion -NodeCount n, or take the region out of the declaration.");
                continue;
            }

            if (region.State != CmekState.ENABLED)
            {
                yield return Make(
                    cluster,
                    region.Region,
                    "StateNotEnabled",
                    "ENABLED",
                    region.State.ToString(),
                    $"The region is {region.State}{(region.UserMessage is null ? string.Empty : ": " + region.UserMessage)}.",
                    $"Get-CmekStatus {PowerShellText.Quote(cluster.Name)}");
            }

            if (region.Current is { } current && !string.Equals(current.KeyUri, access.KeyUri, StringComparison.Ordinal))
            {
                yield return Make(
                    cluster,
                    region.Region,
                    "KeyChanged",
                    access.KeyUri,
                    current.KeyUri,
                    "The region uses another key than declared.",
                    "Update-CmekCluster moves it to the declared key, or correct the declaration with Export-CmekManifest.");
            }

            if (region.Current is { } used && !string.Equals(used.AuthPrincipal, access.AuthPrincipal, StringComparison.Ordinal))
            {
                yield return Make(
                    cluster,
                    region.Region,
                    "PrincipalChanged",
                    access.AuthPrincipal,
                    used.AuthPrincipal,
                    "The cluster acts as another principal than declared.",
                    "Update-CmekCluster sets the declared principal, or correct the declaration with Export-CmekManifest.");
            }
        }

        foreach (
            CmekRegionStatus region in status.Regions.Where(
                r => !wanted.Any(w => string.Equals(w.Region, r.Region, StringComparison.OrdinalIgnoreCase))))
        {
            yield return region.Current is null
                ? Make(
                    cluster,
                    region.Region,
                    "RegionMissing",
                    null,
                    region.State.ToString(),
                    $"The region has no customer-managed key ({region.State}).",
                    $"Get-CmekCluster {PowerShellText.Quote(cluster.Name)} | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster")
                : Make(
                    cluster,
                    region.Region,
                    "RegionUndeclared",
                    null,
                    region.KeyUri,
                    isDeclared ? "The cluster has a region that the declaration does not name." : "The region could not be compared.",
                    "Export-CmekManifest writes the declaration anew.");
        }
    }

    private static CmekDifference Make(
        CmekCluster cluster,
        string region,
        string kind,
        string? declared,
        string? actual,
        string message,
        string? remedy) => new()
    {
        ClusterId = cluster.Id,
        ClusterName = cluster.Name,
        Region = region,
        Kind = kind,
        Declared = declared,
        Actual = actual,
        Message = message,
        Remedy = remedy,
    };
}
