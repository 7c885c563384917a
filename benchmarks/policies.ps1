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

.PARAMETER Record
Writes the answers down for the tests of machines that do not have the other evaluator; 1,000 policies will do.
#>
param(
    [Parameter(Mandatory)] [string] $Modules,
    [int] $Count = 10000,
    [int] $Seed = 1,
    [switch] $Record
)

$env:CMEKTOOLS_IAM_SIMULATE = [IO.Path]::GetFullPath([IO.Path]::Combine($PWD.Path, $Modules))
$env:CMEKTOOLS_POLICIES = $Count
$env:CMEKTOOLS_SEED = $Seed
$tests = [IO.Path]::Combine($PSScriptRoot, '..', 'tests', 'CmekTools.Tests')
$env:CMEKTOOLS_RECORD = $Record ? [IO.Path]::GetFullPath([IO.Path]::Combine($tests, 'Aws', 'RecordedVerdicts.txt')) : $null
dotnet test $tests --filter FullyQualifiedName~AnotherEvaluator --logger 'console;verbosity=detailed'
exit $LASTEXITCODE
