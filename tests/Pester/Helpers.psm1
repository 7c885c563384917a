#Requires -Version 7.4
#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

# What the test files share: which module is tested, a sandbox of one's own with a connection to it, and the questions that many tests ask.

# The state folder that was set before the first sandbox, put back after the last one.
$script:outerState = $null
$script:sandboxes = [System.Collections.Generic.Stack[object]]::new()

<#
.SYNOPSIS
The repository's root.
#>
function Get-TestRepositoryRoot {
    [CmdletBinding()]
    [OutputType([string])]
    param()

    [System.IO.Path]::GetFullPath((Join-Path $PSScriptRoot '../..'))
}

<#
.SYNOPSIS
The manifest of the module under test: CMEKTOOLS_MODULE, else the newest one that was built here, else the newest package, unpacked.
#>
function Get-TestModulePath {
    [CmdletBinding()]
    [OutputType([string])]
    param()

    if ($env:CMEKTOOLS_MODULE) {
        return (Resolve-Path -LiteralPath $env:CMEKTOOLS_MODULE -ErrorAction Stop).ProviderPath
    }

    $built = Get-Item -Path (Join-Path (Get-TestRepositoryRoot) 'out/CmekTools/*/CmekTools.psd1') -ErrorAction Ignore |
        Sort-Object { [version]$_.Directory.Name } |
        Select-Object -Last 1
    if (-not $built) {
        # After dotnet build -t:PackModule alone there is a package and no module in a folder.
        $package = Get-Item -Path (Join-Path (Get-TestRepositoryRoot) 'out/CmekTools.*.nupkg') -ErrorAction Ignore |
            Sort-Object { [version]($_.BaseName -replace '^CmekTools\.') } |
            Select-Object -Last 1
        if ($package) {
            $folder = Join-Path (Get-TestRepositoryRoot) "out/packed/CmekTools/$($package.BaseName -replace '^CmekTools\.')"
            if ((Get-Item $folder -ErrorAction Ignore).LastWriteTimeUtc -lt $package.LastWriteTimeUtc) {
                $null = Remove-Item $folder -Recurse -ErrorAction Ignore
                [System.IO.Compression.ZipFile]::ExtractToDirectory($package.FullName, $folder)
            }

            $built = Get-Item (Join-Path $folder 'CmekTools.psd1')
        }
    }

    if (-not $built) {
        throw 'There is no built module: run ./build.ps1 Build, or set CMEKTOOLS_MODULE to the path of a CmekTools.psd1.'
    }

    $built.FullName
}

<#
.SYNOPSIS
Imports the module under test for the test files.
#>
function Import-TestModule {
    [CmdletBinding()]
    param()

    $path = Get-TestModulePath
    $loaded = Get-Module CmekTools
    if ($loaded -and $loaded.ModuleBase -ne [System.IO.Path]::GetDirectoryName($path)) {
        # Tests of one build that run against another one would prove nothing.
        throw "CmekTools is loaded from $($loaded.ModuleBase) already, and $path is to be tested: begin in a new session."
    }

    Import-Module $path -Global
}

<#
.SYNOPSIS
Starts a sandbox that is quick and takes any number of requests, and connects this runspace to it, with journal and receipts in the folder given.
.OUTPUTS
The sandbox and the session.
#>
function Connect-TestSandbox {
    [CmdletBinding()]
    [OutputType([pscustomobject])]
    param(
        # The folder for the state, as a rule $TestDrive. Each sandbox gets a folder of its own inside it.
        [Parameter(Mandatory, Position = 0)] [string] $StateFolder,
        # The clusters to begin with; shop (AWS) and ledger (Google Cloud) where not given.
        [string[]] $Cluster,
        # Further parameters of Start-CmekSandbox.
        [hashtable] $Options = @{}
    )

    $parameters = @{ StateTime = [timespan]'00:00:00.05'; RateLimit = 0 }
    if ($Cluster) {
        $parameters.Cluster = $Cluster
    }

    foreach ($name in $Options.Keys) {
        $parameters[$name] = $Options[$name]
    }

    if ($script:sandboxes.Count -eq 0) {
        $script:outerState = $env:CMEKTOOLS_STATE
    }

    $env:CMEKTOOLS_STATE = Join-Path $StateFolder ([guid]::NewGuid().ToString('N'))
    $sandbox = Start-CmekSandbox @parameters
    $session = Connect-CmekCloud -Sandbox $sandbox
    $script:sandboxes.Push([pscustomobject]@{ Sandbox = $sandbox; Session = $session; StateFolder = $env:CMEKTOOLS_STATE })
    $script:sandboxes.Peek()
}

<#
.SYNOPSIS
Ends the newest connection and its sandbox, and puts the environment back.
#>
function Disconnect-TestSandbox {
    [CmdletBinding()]
    param()

    $last = $script:sandboxes.Pop()
    $last.Session | Disconnect-CmekCloud
    Disconnect-CmekCloud
    $last.Sandbox | Stop-CmekSandbox
    $env:CMEKTOOLS_STATE = $script:sandboxes.Count -gt 0 ? $script:sandboxes.Peek().StateFolder : $script:outerState
}

<#
.SYNOPSIS
The newest sandbox that is still running.
#>
function Get-TestSandbox {
    [CmdletBinding()]
    param()

    $script:sandboxes.Peek().Sandbox
}

<#
.SYNOPSIS
The journal's file of a sandbox: each sandbox has a folder of its own below the state folder.
#>
function Get-TestJournalPath {
    [CmdletBinding()]
    [OutputType([string])]
    param(
        [Parameter(Mandatory, Position = 0)] [string] $StateFolder
    )

    (Get-ChildItem -Path (Join-Path $StateFolder 'sandbox') -Filter 'journal.jsonl' -Recurse)[0].FullName
}

<#
.SYNOPSIS
Takes clusters to ENABLED with rotating keys: all, or those of the names given.
.OUTPUTS
The accesses.
#>
function Enable-TestCluster {
    [CmdletBinding()]
    [OutputType([object[]])]
    param(
        [Parameter(Position = 0)] [string[]] $Name = '*'
    )

    $access = @(Get-CmekCluster $Name -ErrorAction Stop | New-CmekKey -EnableRotation -ErrorAction Stop | Grant-CmekAccess -ErrorAction Stop)
    $null = $access | Enable-CmekCluster -Wait -ErrorAction Stop
    $access
}

<#
.SYNOPSIS
What names another key than the derived one: an alias on AWS, a key ring on Google Cloud. To be splatted to New-CmekKey.
.OUTPUTS
A hashtable.
#>
function Get-TestKeyName {
    [CmdletBinding()]
    [OutputType([hashtable])]
    param(
        [Parameter(Mandatory, Position = 0)] [string] $Name,
        [Parameter(Mandatory, Position = 1)] [string] $Called
    )

    if ((Get-CmekCluster $Name -ErrorAction Stop).Provider -eq 'AWS') { @{ AliasName = $Called } } else { @{ KeyRing = $Called } }
}

<#
.SYNOPSIS
All that a command could change, as one text: the journal, the receipts, each cluster with its keys and states, and what the policies say.
.DESCRIPTION
Two equal texts before and after mean that nothing was changed. The journal alone would not do: the sandbox does not know of it.
#>
function Get-TestWorld {
    [CmdletBinding()]
    [OutputType([string])]
    param(
        # Only these clusters: quicker, where no other one is concerned. Journal and receipts are those of all.
        [Parameter(Position = 0)] [string[]] $Name = '*'
    )

    $world = foreach ($cluster in Get-CmekCluster $Name) {
        "$cluster $($cluster.Regions.Name) $($cluster.State)"
        foreach ($region in ($cluster | Get-CmekStatus).Regions) {
            foreach ($key in $region.Keys) {
                "$($region.Region) $($key.State) $($key.KeyUri) $($key.AuthPrincipal)"
            }
        }

        foreach ($key in Get-CmekKey -ClusterName $cluster.Name) {
            "$($key.KeyUri) $($key.State) $($key.PrimaryVersion) $($key.RotationEnabled) $($key.RotationPeriodDays) $($key.LastRotation) $($key.Tags.Keys)"
        }

        foreach ($check in $cluster | Test-CmekAccess) {
            "$($check.Region) $($check.Name) $($check.Result) $($check.Seen)"
        }
    }

    $journal = foreach ($entry in Get-CmekJournal) {
        "$($entry.Command) $($entry.Kind) $($entry.Target) $($entry.Outcome)"
    }

    $receipts = foreach ($receipt in Get-CmekReceipt) {
        "$($receipt.Id) $($receipt.RestoredAt)"
    }

    @($world; $journal; $receipts) -join "`n"
}

<#
.SYNOPSIS
What a -WhatIf run says it would do: a text for each change, as the screen shows it.
#>
function Get-TestPlan {
    [CmdletBinding()]
    [OutputType([string[]])]
    param(
        [Parameter(Mandatory, Position = 0)] [scriptblock] $Script
    )

    # What -WhatIf prints goes to the host past every stream; only a transcript has it.
    $file = [System.IO.Path]::GetTempFileName()
    try {
        $null = Start-Transcript -LiteralPath $file -UseMinimalHeader
        try { & $Script *> $null } finally { $null = Stop-Transcript }
        $text = [System.IO.File]::ReadAllText($file)
    }
    finally {
        Remove-Item -LiteralPath $file
    }

    ($text -split '(?m)^What if: ' | Select-Object -Skip 1) -replace '(?s)\*{22}.*$' | ForEach-Object { $_.TrimEnd() }
}

<#
.SYNOPSIS
Runs a script block, and gives its output and its non-terminating errors.
#>
function Get-TestOutcome {
    [CmdletBinding()]
    [OutputType([pscustomobject])]
    param(
        [Parameter(Mandatory, Position = 0)] [scriptblock] $Script
    )

    # Redirected, since -ErrorVariable of a module's function does not see what a caller's script block writes.
    $all = @(& $Script 2>&1 3>$null)
    [pscustomobject]@{
        Output = @($all | Where-Object { $_ -isnot [System.Management.Automation.ErrorRecord] })
        Errors = @($all | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] })
    }
}

<#
.SYNOPSIS
Says that an error record is the one that is wanted: id, category, target, and a recommendation.
#>
function Assert-TestError {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory, Position = 0)] [AllowNull()] [System.Management.Automation.ErrorRecord] $ErrorRecord,
        [Parameter(Mandatory, Position = 1)] [string] $Id,
        [Parameter(Mandatory, Position = 2)] [System.Management.Automation.ErrorCategory] $Category,
        # What TargetObject is as a text, with wildcards.
        [string] $Target
    )

    $ErrorRecord | Should -Not -BeNullOrEmpty -Because "$Id was to be said"
    $ErrorRecord.FullyQualifiedErrorId | Should -BeLike "$Id,CmekTools.Module.Commands.*"
    $ErrorRecord.CategoryInfo.Category | Should -Be $Category
    $ErrorRecord.Exception.Message | Should -Not -BeNullOrEmpty
    $ErrorRecord.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty -Because 'an error says what to do about it'
    if ($PSBoundParameters.ContainsKey('Target')) {
        "$($ErrorRecord.TargetObject)" | Should -BeLike $Target
    }
}

<#
.SYNOPSIS
Runs a script in a runspace of its own where nobody can answer a question, with this runspace's connection.
.OUTPUTS
Output, errors and the exception that ended it, if one did.
#>
function Invoke-UnattendedScript {
    [CmdletBinding()]
    [OutputType([pscustomobject])]
    param(
        [Parameter(Mandatory, Position = 0)] [string] $Script
    )

    $shell = [powershell]::Create()
    try {
        $null = $shell.AddCommand('Import-Module').AddParameter('Name', (Get-TestModulePath)).Invoke()
        $shell.Commands.Clear()
        $null = $shell.AddScript("param(`$Session) `$PSDefaultParameterValues['*-Cmek*:Session'] = `$Session; $Script").AddParameter('Session', (Get-CmekSession))
        $output = [System.Collections.Generic.List[psobject]]::new()
        $ended = $null
        try {
            $shell.Invoke($null, $output)
        }
        catch {
            $ended = $_.Exception.InnerException
        }

        [pscustomobject]@{
            Output = @($output)
            Errors = @($shell.Streams.Error)
            Ended  = $ended
        }
    }
    finally {
        $shell.Dispose()
    }
}

<#
.SYNOPSIS
What Tab offers at the end of a line.
#>
function Get-TestCompletion {
    [CmdletBinding()]
    [OutputType([string[]])]
    param(
        [Parameter(Mandatory, Position = 0)] [string] $Line
    )

    (TabExpansion2 -inputScript $Line -cursorColumn $Line.Length).CompletionMatches.CompletionText
}

Export-ModuleMember -Function *-Test*, Invoke-UnattendedScript
