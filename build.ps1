#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
Builds, tests, tries out, packs or publishes CmekTools.

.DESCRIPTION
The one door to everything that is done with this repository. It needs the .NET SDK and nothing else: where PowerShell 7.4 or newer is not
installed, `dotnet tool exec --yes powershell@7.6.9 -- ./build.ps1 TASK` runs it in the PowerShell that .config/dotnet-tools.json pins.

Each task ends with code 0, or with the code of what failed.

.PARAMETER Task
What to do:

Build leaves an importable module in out/CmekTools/<version>. It is what is done where no task is named.

Test runs all tests: those in C# and those in tests/Pester, each of which is counted and told by itself.

Pester builds, and runs the tests in tests/Pester alone, in a PowerShell of the version that runs this script, with the Pester that the build
brought. -Path and -Name choose some of them.

Drill builds, and plays the life of keys on a sandbox: runbooks/drill.ps1.

Package leaves the package for the PowerShell Gallery, out/CmekTools.<version>.nupkg, always of a release build.

Publish makes that package and sends it to the Gallery with the key in PSGALLERY_API_KEY; it asks first.

Watch builds, and does so again whenever a source file is saved, until Ctrl-C; with -Filter it also runs the tests that this chooses, each time.

Clean deletes what the other tasks left: out, TestResults, and each project's bin and obj.

.PARAMETER Configuration
Debug or Release, for Build, Test, Pester and Drill.

.PARAMETER Path
Test files, or folders of them, for Pester. The default is tests/Pester.

.PARAMETER Name
The full names of tests, with wildcards, for Pester: `*rotates*`. The default is all.

.PARAMETER Filter
Which tests Test and Watch run, in the language of `dotnet test --filter`: `FullyQualifiedName~Revoke`. Test runs all of them where it is not given, and Watch
none.

.EXAMPLE
./build.ps1

Builds everything.

.EXAMPLE
./build.ps1 Test

Runs all tests, as `dotnet test` does.

.EXAMPLE
./build.ps1 Pester -Path tests/Pester/Key.Tests.ps1 -Name '*New-CmekKey*'

Runs some of the tests that are written in PowerShell.

.EXAMPLE
./build.ps1 Drill

Shows the whole life of keys, on a sandbox.

.EXAMPLE
./build.ps1 Package

Leaves the package in out.

.EXAMPLE
./build.ps1 Publish -WhatIf

Makes the package and says where it would be sent.

.EXAMPLE
./build.ps1 Watch -Filter 'FullyQualifiedName~PolicyTests'

Builds and runs the tests of the policies, now and after each change of a file.

.EXAMPLE
./build.ps1 Clean -WhatIf

Says what would be deleted.
#>
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
param(
    [Parameter(Position = 0)]
    [ValidateSet('Build', 'Test', 'Pester', 'Drill', 'Package', 'Publish', 'Watch', 'Clean')]
    [string] $Task = 'Build',

    [ValidateSet('Debug', 'Release')]
    [string] $Configuration = 'Debug',

    [string[]] $Path = "$PSScriptRoot/tests/Pester",

    [string[]] $Name = @(),

    [string] $Filter = ''
)

$solution = "$PSScriptRoot/CmekTools.sln"

# The rest is not done where a program failed: its code is the script's.
function Invoke-Program([string] $Program, [string[]] $Arguments) {
    & $Program @Arguments
    if ($LASTEXITCODE -ne 0) {
        exit $LASTEXITCODE
    }
}

# A PowerShell of this version that has not loaded an older build of the module.
function Invoke-FreshPowerShell([string] $Script) {
    $program = [System.Environment]::ProcessPath
    $arguments = if ([System.IO.Path]::GetFileNameWithoutExtension($program) -eq 'dotnet') { "$PSHOME/pwsh.dll" }
    Invoke-Program $program (@($arguments) + '-NoProfile', '-Command', $Script)
}

function Get-Version {
    (Import-PowerShellDataFile -LiteralPath "$PSScriptRoot/module/CmekTools.psd1").ModuleVersion
}

# Text as a literal of the language.
function Format-Literal([string[]] $Text) {
    ($Text | ForEach-Object { "'" + [System.Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($_) + "'" }) -join ', '
}

switch ($Task) {
    'Build' {
        Invoke-Program dotnet 'build', $solution, '--configuration', $Configuration
    }
    'Test' {
        $chosen = if ($Filter) { '--filter', $Filter }
        Invoke-Program dotnet (@('test', $solution, '--configuration', $Configuration) + $chosen)
    }
    'Watch' {
        # The tests' project takes in all others. Hot reload would change a running program; here each round begins anew.
        $round = if ($Filter) { 'test', '--filter', $Filter } else { 'build' }
        Invoke-Program dotnet (@('watch', '--no-hot-reload', '--non-interactive', '--project', "$PSScriptRoot/tests/CmekTools.Tests") + $round)
    }
    'Pester' {
        Invoke-Program dotnet 'build', $solution, '--configuration', $Configuration, '--verbosity', 'quiet', '-nologo'
        $files = @(Resolve-Path -Path $Path -ErrorAction Stop | ForEach-Object ProviderPath)
        Invoke-FreshPowerShell @"
`$env:PSModulePath = $(Format-Literal "$PSScriptRoot/out/modules") + [System.IO.Path]::PathSeparator + `$env:PSModulePath
Import-Module Pester -MinimumVersion 6.0 -ErrorAction Stop
`$configuration = New-PesterConfiguration
`$configuration.Run.Path = @($(Format-Literal $files))
`$configuration.Run.Exit = `$true
`$configuration.Output.Verbosity = 'Detailed'
`$configuration.Filter.FullName = @($(Format-Literal $Name))
Invoke-Pester -Configuration `$configuration
"@
    }
    'Drill' {
        Invoke-Program dotnet 'build', "$PSScriptRoot/src/CmekTools.Module", '--configuration', $Configuration, '--verbosity', 'quiet', '-nologo'
        Invoke-FreshPowerShell @"
Import-Module $(Format-Literal "$PSScriptRoot/out/CmekTools/$(Get-Version)/CmekTools.psd1") -ErrorAction Stop
& $(Format-Literal "$PSScriptRoot/runbooks/drill.ps1")
"@
    }
    { $_ -in 'Package', 'Publish' } {
        Invoke-Program dotnet 'build', "$PSScriptRoot/src/CmekTools.Module", '-t:PackModule'
    }
    'Publish' {
        $package = "$PSScriptRoot/out/CmekTools.$(Get-Version).nupkg"
        $gallery = 'https://www.powershellgallery.com/api/v2/package'
        if ($PSCmdlet.ShouldProcess($gallery, "Publish $package")) {
            if (-not $env:PSGALLERY_API_KEY) {
                throw 'Publishing needs the Gallery''s key in PSGALLERY_API_KEY.'
            }

            Invoke-Program dotnet 'nuget', 'push', $package, '--source', $gallery, '--api-key', $env:PSGALLERY_API_KEY
        }
    }
    'Clean' {
        $projects = Get-ChildItem -LiteralPath "$PSScriptRoot/src", "$PSScriptRoot/tests" -Recurse -Depth 1 -Filter '*.csproj'
        $left = @(
            "$PSScriptRoot/out", "$PSScriptRoot/TestResults"
            $projects | ForEach-Object { foreach ($name in 'bin', 'obj', 'TestResults') { Join-Path $_.DirectoryName $name } }
        ) | Where-Object { Test-Path -LiteralPath $_ }
        foreach ($folder in $left) {
            # Everything in it can be made again, so that nothing is asked; -WhatIf and -Confirm are obeyed.
            Remove-Item -LiteralPath $folder -Recurse -Force -ErrorAction Stop
        }
    }
}

exit 0
