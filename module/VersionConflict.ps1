# Another version would be shown by Get-Module while the code of the one that was loaded first runs.
$loaded, $asked = foreach ($file in [CmekTools.ModuleLoader].Assembly.Location, "$PSScriptRoot/bin/CmekTools.dll") {
    ([System.Diagnostics.FileVersionInfo]::GetVersionInfo($file).ProductVersion -split '\+')[0]
}
$message = "CmekTools $loaded is loaded in this process, and its code cannot be replaced by that of $asked. " +
    "Start a new PowerShell session, and import $asked there."
throw [System.Management.Automation.ErrorRecord]::new(
    [System.InvalidOperationException]::new($message), 'VersionConflict', 'InvalidOperation', $PSScriptRoot)
