<#
.SYNOPSIS
Compares the verdicts on made-up Google Cloud policies with a model that knows everything.

.DESCRIPTION
Each world (policies on five levels, deny policies, conditions, groups, custom roles, levels that cannot be seen) follows from its seed. Wrong is: "can use" or "cannot
use" where it is otherwise, and "cut" where a way in is left. The model is in tests/CmekTools.Tests/Gcp/Model and shares no code with the engine.
Build first. Ends with code 1 where anything is wrong.

.PARAMETER Count
How many worlds.

.PARAMETER Seed
The first one's seed.
#>
param(
    [int] $Count = 20000,
    [int] $Seed = 1
)

$env:CMEKTOOLS_POLICIES = $Count
$env:CMEKTOOLS_SEED = $Seed
$project = [IO.Path]::Combine($PSScriptRoot, '..', 'tests', 'CmekTools.Tests')
dotnet test $project --no-build --nologo --filter 'FullyQualifiedName~GeneratedPolicyTests' --logger 'console;verbosity=detailed'
exit $LASTEXITCODE
