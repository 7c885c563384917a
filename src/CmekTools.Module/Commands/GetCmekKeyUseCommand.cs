using System.Management.Automation;
using CmekTools.Engine.Clusters;

namespace CmekTools.Module.Commands;

/// <summary>Lists who uses a key: clusters, principals, grants, copies, and what could not be read. Reads only.</summary>
[Cmdlet(VerbsCommon.Get, "CmekKeyUse")]
[OutputType(typeof(CmekKeyUse))]
public sealed class GetCmekKeyUseCommand : FleetCommand
{
    private readonly HashSet<string> _seen = [];

    /// <summary>The key's ARN or resource name.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(KeyUriCompleter))]
    public string[] KeyUri { get; set; } = [];

    internal override async Task ProcessAsync()
    {
        foreach (string uri in KeyUri.Where(_seen.Add).ToArray())
        {
            // The clusters are read once for all keys that come shortly after each other.
            await BesideAsync(uri, async op =>
            {
                op.Session.GetProvider(Engine.KeyProviders.FromKeyUri(uri)).ValidateKeyUri(uri);
                foreach (CmekKeyUse use in (await KeyUses.ReadAsync([uri], null, [], op).ConfigureAwait(false))[uri])
                {
                    await op.Host.OutputAsync(use).ConfigureAwait(false);
                }
            }).ConfigureAwait(false);
        }
    }
}
