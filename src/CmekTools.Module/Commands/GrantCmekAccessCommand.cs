using CmekTools.Engine;
using CmekTools.Engine.CloudApi;
using System.Management.Automation;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.Access;
using CmekTools.Engine.Text;

namespace CmekTools.Module.Commands;

/// <summary>
/// Lets a cluster use a key: makes or completes the principal and its access, waits until it has spread, and reads it back.
/// </summary>
[Cmdlet(VerbsSecurity.Grant, "CmekAccess", DefaultParameterSetName = KeySet, SupportsShouldProcess = true)]
[OutputType(typeof(CmekAccess))]
public sealed class GrantCmekAccessCommand : FleetCommand
{
    private const string KeySet = "Key";
    private const string NameSet = "Name";

    // The regions of a cluster share its principal, and clusters may share one that is named.
    private readonly OneAtATime _principals = new();

    /// <summary>The key, from New-CmekKey or Get-CmekKey.</summary>
    [Parameter(ParameterSetName = KeySet, ValueFromPipeline = true)]
    [ValidateNotNull]
    [KeyTransformation]
    public object? Key { get; set; }

    /// <summary>The cluster: its name, its id, or an object that says one of them; the key's where not given.</summary>
    [Parameter(Position = 0, ParameterSetName = KeySet)]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = NameSet)]
    [ValidateCount(1, 1)]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public object[] ClusterName { get; set; } = [];

    /// <summary>The cluster's region that the key is for; the key's where not given.</summary>
    [Parameter(ParameterSetName = KeySet)]
    [Parameter(Mandatory = true, ParameterSetName = NameSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(RegionCompleter))]
    public string Region { get; set; } = string.Empty;

    /// <summary>The key's ARN or resource name.</summary>
    [Parameter(Mandatory = true, ParameterSetName = NameSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(KeyUriCompleter))]
    public string KeyUri { get; set; } = string.Empty;

    /// <summary>AWS: the role's name, made if absent; derived from the cluster where not given.</summary>
    [Parameter]
    [ValidatePattern(@"^[\w+=,.@-]{1,64}$")]
    [ArgumentCompleter(typeof(RoleNameCompleter))]
    public string? RoleName { get; set; }

    /// <summary>AWS: the ARN of a role that others manage; its trust is checked and never written.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(PrincipalCompleter))]
    public string? RoleArn { get; set; }

    /// <summary>Google Cloud: the service account, its email or its id; made if absent; derived from the cluster where not given.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(PrincipalCompleter))]
    public string? ServiceAccount { get; set; }

    /// <summary>Google Cloud: a narrower role to grant on the key, in place of roles/cloudkms.cryptoKeyEncrypterDecrypter.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? RoleId { get; set; }

    internal override Task BeginAsync()
    {
        if (RoleName is not null && RoleArn is not null)
        {
            throw new CmekException(
                "RoleAmbiguous",
                CmekErrorKind.InvalidArgument,
                "-RoleName and -RoleArn exclude each other.",
                "Give -RoleName for a role that CmekTools manages, or -RoleArn for one that others manage.");
        }

        return Task.CompletedTask;
    }

    internal override Task ProcessAsync()
    {
        if (Key is null && KeyUri.Length == 0)
        {
            string name = ClusterArgument.All(ClusterName).FirstOrDefault()?.ToString() ?? "shop";
            throw new CmekException(
                "KeysMissing",
                CmekErrorKind.InvalidArgument,
                "Grant-CmekAccess was given no key.",
                $"Pipe keys: New-CmekKey {PowerShellText.Quote(name)} | Grant-CmekAccess. Or give -Region and -KeyUri for a key that is "
                    + "there already.",
                name);
        }

        KeyArgument? from = KeyArgument.From(Key);
        CmekKey? key = from?.Known;
        string? uri = KeyUri.Length > 0 ? KeyUri : key is null ? from?.KeyUri : null;
        ClusterArgument given = ClusterArgument.All(ClusterName).FirstOrDefault() ?? from?.Cluster ?? throw new CmekException(
            "ClusterMissing",
            CmekErrorKind.InvalidArgument,
            $"The key {from?.KeyUri} was looked up by its URI and belongs to no cluster yet.",
            "Name the cluster and region: Get-CmekKey … | Grant-CmekAccess -ClusterName shop -Region us-east-1.",
            key);
        string region = Region.Length > 0 ? Region : from?.Region ?? throw new CmekException(
            "RegionMissing", CmekErrorKind.InvalidArgument, "The key does not say which region it is for.", "Give -Region.", key);
        PrincipalOptions options = new() { RoleName = RoleName, RoleArn = RoleArn, ServiceAccount = ServiceAccount, RoleId = RoleId };
        string principal = RoleName ?? RoleArn ?? ServiceAccount ?? given.Id ?? given.ToString();
        return BesideAsync($"{given}/{region}", async op =>
        {
            using IDisposable hold = await _principals.HoldAsync(principal, op.Cancellation).ConfigureAwait(false);
            CmekCluster cluster = await ResolveAsync(given, RecentClusters.Lasting, op).ConfigureAwait(false);
            await op.Host.OutputAsync(
                await Granting.GrantAsync(cluster, region, key, uri, options, op).ConfigureAwait(false)).ConfigureAwait(false);
        });
    }
}
