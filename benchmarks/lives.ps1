<#
.SYNOPSIS
Lives thousands of lives of keys: two operators with state folders of their own send commands in a random order at one sandbox, against a model of what may happen.

.DESCRIPTION
The test of the suite lives a few. A rule that is broken ends the run with code 1 and the story that led there: a key in use that goes away, somebody let in who was cut
off, something of others changed, "cut" or "restored" said where it is not so, a cluster that does not get to ENABLED again. The same seed gives the same life.

.PARAMETER Count
How many lives on each cloud.

.PARAMETER Seed
The first one's seed.

.PARAMETER Acts
How many commands a life has before its end.
#>
param(
    [int] $Count = 1000,
    [int] $Seed = 1,
    [int] $Acts = 14
)

$env:CMEKTOOLS_LIVES = $Count
$env:CMEKTOOLS_SEED = $Seed
$env:CMEKTOOLS_ACTS = $Acts
dotnet test ([IO.Path]::Combine($PSScriptRoot, '..', 'tests', 'CmekTools.Tests')) --filter FullyQualifiedName~LivesTests --logger 'console;verbosity=detailed'
exit $LASTEXITCODE
