<#
.SYNOPSIS
Moves a cluster back to CockroachDB-managed encryption. Keys and grants stay: data and backups written under them need them.
.EXAMPLE
./runbooks/disable.ps1 -ClusterName shop
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    # The cluster's exact name.
    [Parameter(Mandatory)] [string] $ClusterName,
    # The longest wait, in seconds.
    [int] $TimeoutSeconds = 7200
)

$ErrorActionPreference = 'Stop'
Disable-CmekCluster -ClusterName $ClusterName -TimeoutSeconds $TimeoutSeconds
