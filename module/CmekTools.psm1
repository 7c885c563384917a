# Only what Microsoft.PowerShell.Core and .NET have may be used here: the C# tests import the module into a bare engine. Script is slow at its first run
# and import has to be quick, so that everything that can be is done in CmekTools.dll.

# CmekTools.dll (public types and the loader) lives in the default load context, once a process; everything else in the module's own.
$loader = 'CmekTools.ModuleLoader' -as [type]
if (-not $loader) {
    $null = [System.Reflection.Assembly]::LoadFrom("$PSScriptRoot/bin/CmekTools.dll")
}
else {
    # Another version would be shown by Get-Module while the code of the one that was loaded first runs.
    $loaded, $asked = foreach ($file in $loader.Assembly.Location, "$PSScriptRoot/bin/CmekTools.dll") {
        ([System.Diagnostics.FileVersionInfo]::GetVersionInfo($file).ProductVersion -split '\+')[0]
    }
    if ($loaded -ne $asked) {
        $message = "CmekTools $loaded is loaded in this process, and its code cannot be replaced by that of $asked. " +
            "Start a new PowerShell session, and import $asked there."
        throw [System.Management.Automation.ErrorRecord]::new(
            [System.InvalidOperationException]::new($message), 'VersionConflict', 'InvalidOperation', $PSScriptRoot)
    }
}

$inner = Import-Module -Assembly ([CmekTools.ModuleLoader]::Load("$PSScriptRoot/bin")) -PassThru
[CmekTools.ModuleLoader]::AddCmdlets($ExecutionContext.SessionState.Module, $inner)
