using System.Management.Automation;

namespace CmekTools.Module.Commands;

/// <summary>Reads the organization; its id is the external ID of the AWS trust.</summary>
[Cmdlet(VerbsCommon.Get, "CmekOrganization")]
[OutputType(typeof(CmekOrganization))]
public sealed class GetCmekOrganizationCommand : SessionCommand
{
    internal override async Task EndAsync() =>
        await Pipeline.OutputAsync(await Context.Cloud.GetOrganizationAsync(Cancellation).ConfigureAwait(false)).ConfigureAwait(false);
}
