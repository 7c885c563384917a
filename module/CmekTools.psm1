# Only what Microsoft.PowerShell.Core and .NET have may be used here: the C# tests import the module into a bare engine. Script is slow at its first run
# and import has to be quick, so that everything that can be is done in CmekTools.dll, and what is seldom run stands in a file of its own.

# CmekTools.dll (public types and the loader) lives in the default load context, once a process; everything else in the module's own.
if (-not ('CmekTools.ModuleLoader' -as [type])) { $null = [System.Reflection.Assembly]::LoadFrom("$PSScriptRoot/bin/CmekTools.dll") }
elseif ([CmekTools.ModuleLoader]::IsOther("$PSScriptRoot/bin")) { . "$PSScriptRoot/VersionConflict.ps1" }

$inner = Import-Module -Assembly ([CmekTools.ModuleLoader]::Load("$PSScriptRoot/bin")) -PassThru
[CmekTools.ModuleLoader]::AddCmdlets($ExecutionContext.SessionState.Module, $inner)
