<#
.SYNOPSIS
Compares the module's verdicts on generated AWS policies with those of another public evaluator, @cloud-copilot/iam-simulate.

.DESCRIPTION
The test of the suite does the same for a few hundred policies. Nothing is installed: `npm install @cloud-copilot/iam-simulate` in a folder of its
own first, and name its node_modules folder. Ends with code 1 where one verdict is certain and the other evaluator sees it otherwise.

.PARAMETER Modules
The node_modules folder.

.PARAMETER Count
How many policies.

.PARAMETER Seed
Another seed gives other policies.
#>
param(
    [Parameter(Mandatory)] [string] $Modules,
    [int] $Count = 10000,
    [int] $Seed = 1
)

$env:CMEKTOOLS_IAM_SIMULATE = [IO.Path]::GetFullPath([IO.Path]::Combine($PWD.Path, $Modules))
$env:CMEKTOOLS_POLICIES = $Count
$env:CMEKTOOLS_SEED = $Seed
dotnet test ([IO.Path]::Combine($PSScriptRoot, '..', 'tests', 'CmekTools.Tests')) --filter FullyQualifiedName~AnotherEvaluator --logger 'console;verbosity=detailed'
exit $LASTEXITCODE
