<#
.SYNOPSIS
Measures how long importing the module takes, in milliseconds, each time in a process of its own.

.DESCRIPTION
An empty module is imported first, so that what PowerShell itself does once in a process is not counted. Build in Release first for the figures
that users see.

.PARAMETER Runs
How many processes are started.

.PARAMETER Module
The module's manifest.

.PARAMETER Limit
The median that is still good enough, in milliseconds. Above it the script ends with code 1.
#>
param(
    [int] $Runs = 15,
    [string] $Module,
    [int] $Limit = 100
)

$root = [IO.Path]::GetFullPath([IO.Path]::Combine($PSScriptRoot, '..'))
if (-not $Module) {
    $Module = [IO.Directory]::GetFiles([IO.Path]::Combine($root, 'out'), 'CmekTools.psd1', 'AllDirectories')[0]
}
$empty = [IO.Path]::Combine([IO.Path]::GetTempPath(), "cmek-empty-$PID.psm1")
[IO.File]::WriteAllText($empty, 'function Test-Nothing { }')
$code = "Import-Module '$empty'; `$watch = [Diagnostics.Stopwatch]::StartNew(); Import-Module '$Module'; `$watch.Elapsed.TotalMilliseconds.ToString('F1', [cultureinfo]::InvariantCulture)"
# The PowerShell that runs this: a program of its own, or `dotnet` where it is a dotnet tool.
$start = [Diagnostics.ProcessStartInfo]::new([Environment]::ProcessPath)
$start.RedirectStandardOutput = $true
$arguments = @(
    if ([IO.Path]::GetFileNameWithoutExtension([Environment]::ProcessPath) -eq 'dotnet') { "$PSHOME/pwsh.dll" }
    '-NoProfile', '-NonInteractive', '-Command', $code
)
foreach ($argument in $arguments) { $start.ArgumentList.Add($argument) }

try {
    $times = foreach ($run in 1..$Runs) {
        $process = [Diagnostics.Process]::Start($start)
        $text = $process.StandardOutput.ReadToEnd()
        $process.WaitForExit()
        [double]::Parse($text.Trim(), [cultureinfo]::InvariantCulture)
    }
}
finally { [IO.File]::Delete($empty) }

$sorted = [double[]] $times
[Array]::Sort($sorted)
$median = $sorted[[int][Math]::Floor($Runs / 2)]
"import: median $median ms, fastest $($sorted[0]) ms, slowest $($sorted[-1]) ms, $Runs processes; the limit is $Limit ms"
if ($median -gt $Limit) { exit 1 }
