<#
.SYNOPSIS
The game day: the whole life of customer-managed keys, on a sandbox, as a person would type it, with times.
.DESCRIPTION
Starts a sandbox on loopback (no cloud account is touched), and takes an AWS and a Google Cloud cluster side by side from no CMEK to ENABLED, rotates, adds a
region, revokes in an emergency, restores, and moves back to CockroachDB-managed encryption. It stops at the first thing that is not as it should be.
.EXAMPLE
./build.ps1 Drill

Builds the module and plays the drill with it, from a clone.
.EXAMPLE
Import-Module CmekTools; ./runbooks/drill.ps1

Plays it with the module that is installed.
#>
[Diagnostics.CodeAnalysis.SuppressMessageAttribute('PSAvoidUsingWriteHost', '', Justification = 'It is played for people at a screen.')]
[CmdletBinding()]
param()

$ErrorActionPreference = 'Stop'
$times = [ordered]@{}

# Shows a command as it would be typed, then runs it and shows what it prints. Variables that it sets stay.
function Show([string] $Title, [scriptblock] $Command) {
    Write-Host ''
    Write-Host "# $Title"
    Write-Host "PS> $($Command.ToString().Trim())"
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    . $Command | Out-Default
    $times[$Title] = $watch.Elapsed
}

# A drill that goes on after a wrong result teaches the wrong thing.
function Assert([bool] $Condition, [string] $What) {
    if (-not $Condition) {
        throw "The drill found something wrong: $What"
    }
}

# The real service takes minutes for what takes 0.3 s here, and takes 10 requests a second.
$sandbox = Start-CmekSandbox -StateTime 00:00:00.3 -RateLimit 100
$state = [System.IO.Path]::Combine([System.IO.Path]::GetTempPath(), "cmektools-drill-$([guid]::NewGuid().ToString('N'))")
try {
    Show 'Connect' { Connect-CmekCloud -Sandbox $sandbox -StateFolder $state }
    Show 'What is there' { Get-CmekCluster }

    Show 'Make keys, grant access, enable' { Get-CmekCluster | New-CmekKey -EnableRotation | Grant-CmekAccess | Enable-CmekCluster -Wait }
    Show 'Check' { Get-CmekCluster | Get-CmekStatus }
    foreach ($status in Get-CmekCluster | Get-CmekStatus) {
        Assert ($status.State -eq 'ENABLED' -and -not ($status.Regions.State -ne 'ENABLED')) "$status"
    }

    Show 'Run it again: nothing is made twice' { Get-CmekCluster | New-CmekKey -EnableRotation | Grant-CmekAccess | Enable-CmekCluster -Wait }
    Show 'Would a restart work?' { Get-CmekCluster shop | Test-CmekAccess }

    Show 'Rotate' { Get-CmekCluster | Update-CmekCluster -Rewrap -RotateKey -Wait -WarningAction SilentlyContinue }
    Show 'Add a region' { New-CmekKey shop -Region eu-west-1 -NewRegion | Grant-CmekAccess -WarningAction SilentlyContinue | Add-CmekRegion -NodeCount 3 -Wait }

    Show 'Break the glass: AWS' { Revoke-CmekAccess shop -Force }
    Show 'Break the glass: Google Cloud' { Revoke-CmekAccess ledger -Force }
    foreach ($status in Get-CmekCluster | Get-CmekStatus) {
        Assert ($status.State -eq 'REVOKED') "$status"
    }

    Show 'The receipts' { Get-CmekReceipt -Open }
    Show 'Restore: AWS' { Restore-CmekAccess shop -Wait }
    Show 'Restore: Google Cloud' { Restore-CmekAccess ledger -Wait }
    foreach ($status in Get-CmekCluster | Get-CmekStatus) {
        Assert ($status.State -eq 'ENABLED') "$status"
    }

    Show 'Back to CockroachDB-managed encryption' { Get-CmekCluster | Disable-CmekCluster -WarningAction SilentlyContinue }
    foreach ($status in Get-CmekCluster | Get-CmekStatus) {
        Assert ($status.State -eq 'DISABLED') "$status"
    }

    $changes = @(Get-CmekJournal)
    Assert (-not ($changes.Outcome -ne 'done')) 'the journal has changes that are not done'

    Write-Host ''
    Write-Host "# Times ($($changes.Count) changes in the journal, all done)"
    foreach ($entry in $times.GetEnumerator()) {
        Write-Host ('{0,7:0.0} s  {1}' -f $entry.Value.TotalSeconds, $entry.Key)
    }
}
finally {
    Disconnect-CmekCloud
    Stop-CmekSandbox $sandbox
    if ([System.IO.Directory]::Exists($state)) {
        [System.IO.Directory]::Delete($state, $true)
    }
}
