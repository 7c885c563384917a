<#
.SYNOPSIS
Mutates files of the life cycle and prints a table of what became of the mutants.
.DESCRIPTION
Stryker is run once for all the files that are named. It takes some three seconds a mutant on two busy cores: a quarter of an hour for the
three largest files. Reports are left in benchmarks/mutation/LifecycleTests/StrykerOutput.
.EXAMPLE
./benchmarks/mutation/Lifecycle.ps1 Granting, Enabling
.EXAMPLE
./benchmarks/mutation/Lifecycle.ps1
Every file of the life cycle.
#>
[CmdletBinding()]
param([string[]] $File = '*')

$ErrorActionPreference = 'Stop'
$tests = Join-Path $PSScriptRoot LifecycleTests
$output = Join-Path $tests 'StrykerOutput' (Get-Date -Format yyyyMMddHHmmss)
Push-Location $tests
try {
    $mutate = $File | ForEach-Object { '-m'; "**/Lifecycle/$_.cs" }
    dotnet tool exec --yes dotnet-stryker@5.1.0 -- @mutate -O $output | Out-Host
    if ($LASTEXITCODE -ne 0) { throw "Stryker ended with $LASTEXITCODE." }
}
finally {
    Pop-Location
}

# ConfigureAwait(true) is the same here as ConfigureAwait(false): no test could tell them apart. (Stryker's ignore-methods would leave out
# the removal of awaited calls as well.)
function Test-Counts($mutant, [string[]] $lines) {
    $start = $mutant.location.start
    -not $lines[$start.line - 1].Substring(0, $start.column - 1).EndsWith('ConfigureAwait(')
}

$report = Get-Content (Join-Path $output reports mutation-report.json) -Raw | ConvertFrom-Json -AsHashtable
$rows = foreach ($path in $report.files.Keys) {
    $lines = $report.files[$path].source -split '\r?\n'
    $of = $report.files[$path].mutants | Where-Object { Test-Counts $_ $lines } | Group-Object -Property { $_.status } -AsHashTable -AsString
    if ($null -eq $of) { continue }
    $count = @{}
    foreach ($status in 'Killed', 'Timeout', 'Survived', 'NoCoverage') { $count[$status] = @($of[$status]).Where({ $_ }).Count }
    $found = $count.Killed + $count.Timeout
    $all = $found + $count.Survived + $count.NoCoverage
    if ($all -eq 0) { continue }
    [pscustomobject]@{
        File = Split-Path $path -Leaf
        Killed = $count.Killed
        TimedOut = $count.Timeout
        Survived = $count.Survived
        NoCoverage = $count.NoCoverage
        Score = '{0:0.0} %' -f (100 * $found / $all)
    }
}

$rows | Sort-Object File | Format-Table
