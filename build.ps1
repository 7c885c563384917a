#!/usr/bin/env pwsh
<#
.SYNOPSIS
Builds, tests, packs or publishes CmekTools.

.DESCRIPTION
A thin layer over the dotnet commands, for people who are in PowerShell. It needs nothing but the .NET SDK.

.PARAMETER Task
Build leaves an importable module in out/CmekTools/<version>. Test builds and runs all tests, those in tests/Pester among them where pwsh and
Pester are found. Package leaves the package for the PowerShell Gallery, out/CmekTools.<version>.nupkg, always of a release build. Publish
makes that package and sends it to the Gallery with the key in PSGALLERY_API_KEY; it asks first.

.PARAMETER Configuration
Debug or Release, for Build and Test.

.EXAMPLE
./build.ps1 Build

Builds everything.

.EXAMPLE
./build.ps1 Package

Leaves the package in out.

.EXAMPLE
./build.ps1 Publish -WhatIf

Makes the package and says where it would be sent.
#>
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
param(
    [Parameter(Position = 0)]
    [ValidateSet('Build', 'Test', 'Package', 'Publish')]
    [string] $Task = 'Build',

    [ValidateSet('Debug', 'Release')]
    [string] $Configuration = 'Debug'
)

$solution = "$PSScriptRoot/CmekTools.sln"
$arguments = switch ($Task) {
    'Build' { 'build', $solution, '--configuration', $Configuration }
    'Test' { 'test', $solution, '--configuration', $Configuration }
    default { 'build', "$PSScriptRoot/src/CmekTools.Module", '-t:PackModule' }
}

& dotnet @arguments
if ($LASTEXITCODE -ne 0 -or $Task -ne 'Publish') { exit $LASTEXITCODE }

$version = (Import-PowerShellDataFile "$PSScriptRoot/module/CmekTools.psd1").ModuleVersion
$package = "$PSScriptRoot/out/CmekTools.$version.nupkg"
$gallery = 'https://www.powershellgallery.com/api/v2/package'
if (-not $PSCmdlet.ShouldProcess($gallery, "Publish $package")) { exit 0 }
if (-not $env:PSGALLERY_API_KEY) { throw 'Publishing needs the Gallery''s key in PSGALLERY_API_KEY.' }
& dotnet nuget push $package --source $gallery --api-key $env:PSGALLERY_API_KEY
exit $LASTEXITCODE
