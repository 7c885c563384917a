using CmekTools.Engine.Clusters;
using System.Management.Automation;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.Access;

namespace CmekTools.Module.Commands;

/// <summary>Lets a cluster use a key: makes or completes the principal and its access, waits until it has spread, and reads it back.</summary>
[Cmdlet(VerbsSecurity.Grant, "CmekAccess", DefaultParameterSetName = KeySet, SupportsShouldProcess = true)]
[OutputType(typeof(CmekAccess))]
public sealed class GrantCmekAccessCommand : SessionCommand
{
    private const string KeySet = "Key";
    private const string KeyNameSet = "KeyAndName";
    private const string NameSet = "Name";
    private const string IdSet = "Id";

    /// <summary>The key, from New-CmekKey or Get-CmekKey.</summary>
    [Parameter(Mandatory = true, ParameterSetName = KeySet, ValueFromPipeline = true)]
    [Parameter(Mandatory = true, ParameterSetName = KeyNameSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public CmekKey? Key { get; set; }

    /// <summary>The cluster's exact name.</summary>
    [Parameter(Mandatory = true, ParameterSetName = KeyNameSet)]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = NameSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public string ClusterName { get; set; } = string.Empty;

    /// <summary>The cluster's id.</summary>
    [Parameter(Mandatory = true, ParameterSetName = IdSet, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterIdCompleter))]
    public string ClusterId { get; set; } = string.Empty;

    /// <summary>The cluster's region that the key is for.</summary>
    [Parameter(Mandatory = true, ParameterSetName = KeyNameSet)]
    [Parameter(Mandatory = true, ParameterSetName = NameSet)]
    [Parameter(Mandatory = true, ParameterSetName = IdSet, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(RegionCompleter))]
    public string Region { get; set; } = string.Empty;

    /// <summary>The key's ARN or resource name.</summary>
    [Parameter(Mandatory = true, ParameterSetName = NameSet)]
    [Parameter(Mandatory = true, ParameterSetName = IdSet, ValueFromPipelineByPropertyName = true)]
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
            throw new CmekException("RoleAmbiguous", CmekErrorKind.InvalidArgument, "-RoleName and -RoleArn exclude each other.", "Give -RoleName for a role that CmekTools manages, or -RoleArn for one that others manage.");
        }

        return Task.CompletedTask;
    }

    internal override async Task ProcessAsync()
    {
        string? id = ClusterId.Length > 0 ? ClusterId : Key?.ClusterId;
        CmekCluster cluster = ClusterName.Length > 0
            ? await ClusterLookup.ByNameAsync(ClusterName, Op).ConfigureAwait(false)
            : await Op.GetClusterAsync(id ?? throw new CmekException(
                "ClusterMissing",
                CmekErrorKind.InvalidArgument,
                $"The key {Key?.KeyUri} was looked up by its URI and belongs to no cluster yet.",
                "Name the cluster and region: Get-CmekKey … | Grant-CmekAccess -ClusterName shop -Region us-east-1.",
                Key)).ConfigureAwait(false);
        string region = Region.Length > 0 ? Region : Key?.Region ?? throw new CmekException("RegionMissing", CmekErrorKind.InvalidArgument, "The key does not say which region it is for.", "Give -Region.", Key);
        PrincipalOptions options = new() { RoleName = RoleName, RoleArn = RoleArn, ServiceAccount = ServiceAccount, RoleId = RoleId };
        CmekAccess access = await Granting.GrantAsync(cluster, region, Key, KeyUri.Length > 0 ? KeyUri : null, options, Op).ConfigureAwait(false);
        await Pipeline.OutputAsync(access).ConfigureAwait(false);
    }
}
