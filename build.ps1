#!/usr/bin/env pwsh
<#
.SYNOPSIS
Builds, tests or packs CmekTools.

.DESCRIPTION
A thin layer over the dotnet commands, for people who are in PowerShell. It needs nothing but the .NET SDK.

.PARAMETER Task
Build leaves an importable module in out/CmekTools/<version>. Test builds and runs all tests. Package also puts the module into a zip
file in out.

.PARAMETER Configuration
Debug or Release.

.EXAMPLE
./build.ps1 Build

Builds everything.

.EXAMPLE
./build.ps1 Package -Configuration Release

Leaves the module as it is published in out.
#>
[CmdletBinding()]
param(
    [Parameter(Position = 0)]
    [ValidateSet('Build', 'Test', 'Package')]
    [string] $Task = 'Build',

    [ValidateSet('Debug', 'Release')]
    [string] $Configuration = 'Debug'
)

$arguments = switch ($Task) {
    'Build' { 'build', "$PSScriptRoot/CmekTools.sln" }
    'Test' { 'test', "$PSScriptRoot/CmekTools.sln" }
    'Package' { 'build', '-t:PackModule', "$PSScriptRoot/src/CmekTools.Module" }
}

& dotnet @arguments --configuration $Configuration
exit $LASTEXITCODE
