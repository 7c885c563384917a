# Only what Microsoft.PowerShell.Core and .NET have may be used here: the module also runs on a bare engine.

# CmekTools.dll (public types and the loader) lives in the default load context, once a process; everything else in the module's own.
if (-not ('CmekTools.ModuleLoader' -as [type])) {
    $null = [System.Reflection.Assembly]::LoadFrom([System.IO.Path]::Combine($PSScriptRoot, 'bin', 'CmekTools.dll'))
}

$assembly = [CmekTools.ModuleLoader]::Load([System.IO.Path]::Combine($PSScriptRoot, 'bin'))
$inner = Import-Module -Assembly $assembly -PassThru

# A binary module that is imported by Import-Module -Assembly from a script module does not hand its cmdlets on
# (PowerShell/PowerShell#20710): they are added to this module's exports by hand.
$addCmdlet = [System.Management.Automation.PSModuleInfo].GetMethod('AddExportedCmdlet', [System.Reflection.BindingFlags]'Instance, NonPublic')
if ($addCmdlet) {
    foreach ($cmdlet in $inner.ExportedCmdlets.Values) {
        $addCmdlet.Invoke($ExecutionContext.SessionState.Module, @(, $cmdlet))
    }
}
