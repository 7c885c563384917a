<#
.SYNOPSIS
Makes a new version of each of a cluster's keys and wraps its store key under it.
.DESCRIPTION
The keys' names stay, and their older versions must stay usable. An interrupted run does not rotate a key twice when it is run again.
.EXAMPLE
./runbooks/rotate.ps1 -ClusterName shop
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    # The cluster's exact name.
    [Parameter(Mandatory)] [string] $ClusterName,
    # Only these regions.
    [string[]] $Region,
    # The longest wait, in seconds.
    [int] $TimeoutSeconds = 7200
)

$ErrorActionPreference = 'Stop'
$options = @{}
if ($Region) {
    $options.Region = $Region
}

Update-CmekCluster -ClusterName $ClusterName -Rewrap -RotateKey -Wait -TimeoutSeconds $TimeoutSeconds @options
