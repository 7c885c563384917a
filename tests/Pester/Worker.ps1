#Requires -Version 7.4

<#
.SYNOPSIS
Runs test files, one after another, until none is left, and writes what became of each test.

.DESCRIPTION
Several of these run side by side. In the folder Queue lies one file for each test file, in the order in which they are to be taken: whoever
moves it away has it. What became of the tests is written into the folder Results, a JSON file for each test file. A file that is not
written was not run to its end.

.PARAMETER Queue
The folder of what is to be run. Each file's name begins with its number, and the test file's path is in it.

.PARAMETER Results
The folder of what became of them. It is there already.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory)] [string] $Queue,
    [Parameter(Mandatory)] [string] $Results
)

# No preference is set here: the tests would inherit it, and they are about what users see with the ordinary ones.
Import-Module Pester -MinimumVersion 6.0 -ErrorAction Stop

# The message, and where in the tests it was: what Pester prints too, without the stack through Pester itself.
function Format-Failure($Records) {
    foreach ($record in $Records) {
        "$record".Trim()
        $record.ScriptStackTrace -split '\r?\n' | Where-Object { $_ -match '\.Tests\.ps1|Helpers\.psm1' } | Select-Object -First 3
        if ($record.ErrorDetails.RecommendedAction) {
            $record.ErrorDetails.RecommendedAction
        }
    }
}

foreach ($entry in Get-ChildItem -LiteralPath $Queue -File | Sort-Object Name) {
    $taken = Join-Path $Results "$($entry.Name).taken"
    try {
        [System.IO.File]::Move($entry.FullName, $taken)
    }
    catch [System.IO.IOException] {
        # Another worker was quicker.
        continue
    }

    $path = [System.IO.File]::ReadAllText($taken)
    $configuration = New-PesterConfiguration
    $configuration.Run.Path = $path
    $configuration.Run.PassThru = $true
    $configuration.Output.Verbosity = 'None'
    $run = Invoke-Pester -Configuration $configuration
    $tests = foreach ($test in $run.Tests) {
        [ordered]@{
            Name    = $test.ExpandedPath
            Result  = "$($test.Result)"
            Message = (Format-Failure $test.ErrorRecord) -join "`n"
            Place   = "$([System.IO.Path]::GetFileName($path)):$($test.ScriptBlock.StartPosition.StartLine)"
            Seconds = $test.Duration.TotalSeconds
        }
    }

    # A BeforeAll or AfterAll that fails, or a file that cannot be read, is no test's failure.
    $broken = @($run.FailedContainers; $run.FailedBlocks) | Where-Object { $_ } | ForEach-Object { (Format-Failure $_.ErrorRecord) -join "`n" }
    $report = [ordered]@{ File = [System.IO.Path]::GetFileName($path); Broken = @($broken); Tests = @($tests) }
    [System.IO.File]::WriteAllText((Join-Path $Results "$($entry.Name).json"), (ConvertTo-Json $report -Depth 4))
}
