using System.Management.Automation;
using CmekTools.Engine.Clusters;

namespace CmekTools.Module.Commands;

/// <summary>Lists who uses a key: clusters, principals, grants, copies, and what could not be read. Reads only.</summary>
[Cmdlet(VerbsCommon.Get, "CmekKeyUse")]
[OutputType(typeof(CmekKeyUse))]
public sealed class GetCmekKeyUseCommand : SessionCommand
{
    private readonly List<string> _uris = [];

    /// <summary>The key's ARN or resource name.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(KeyUriCompleter))]
    public string[] KeyUri { get; set; } = [];

    internal override Task ProcessAsync()
    {
        _uris.AddRange(KeyUri.Where(u => !_uris.Contains(u)));
        return Task.CompletedTask;
    }

    // The clusters are read once for all keys that were piped.
    internal override async Task EndAsync()
    {
        foreach (string uri in _uris)
        {
            Context.GetProvider(Engine.KeyProviders.FromKeyUri(uri)).ValidateKeyUri(uri);
        }

        ILookup<string, CmekKeyUse> uses = await KeyUses.ReadAsync(_uris, null, [], Op).ConfigureAwait(false);
        foreach (CmekKeyUse use in _uris.SelectMany(u => uses[u]))
        {
            await Pipeline.OutputAsync(use).ConfigureAwait(false);
        }
    }
}
