<#
.SYNOPSIS
Switches a cluster to customer-managed keys: one key a region, access granted, CMEK enabled.
.DESCRIPTION
Needs a connection (Connect-CmekCloud). Can be run again after any failure: it goes on where it stopped, and a run that finds everything done changes nothing.
.EXAMPLE
./runbooks/enable.ps1 -ClusterName shop -WhatIf
.EXAMPLE
./runbooks/enable.ps1 -ClusterName shop
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    # The cluster's exact name.
    [Parameter(Mandatory)] [string] $ClusterName,
    # Google Cloud: the project that holds the keys.
    [string] $Project,
    # The longest wait, in seconds.
    [int] $TimeoutSeconds = 7200
)

$ErrorActionPreference = 'Stop'
$options = @{}
if ($Project) {
    $options.Project = $Project
}

$access = @(New-CmekKey -ClusterName $ClusterName -EnableRotation @options | Grant-CmekAccess)
$access | Enable-CmekCluster -Wait -TimeoutSeconds $TimeoutSeconds
