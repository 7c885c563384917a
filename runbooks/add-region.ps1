<#
.SYNOPSIS
Adds a region with its own key to an encrypted cluster.
.EXAMPLE
./runbooks/add-region.ps1 -ClusterName shop -Region eu-west-1 -NodeCount 3
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    # The cluster's exact name.
    [Parameter(Mandatory)] [string] $ClusterName,
    # The new region.
    [Parameter(Mandatory)] [string] $Region,
    # Its nodes.
    [Parameter(Mandatory)] [int] $NodeCount,
    # Google Cloud: the project that holds the key.
    [string] $Project,
    # The longest wait, in seconds.
    [int] $TimeoutSeconds = 7200
)

$ErrorActionPreference = 'Stop'
$options = @{}
if ($Project) {
    $options.Project = $Project
}

$access = @(New-CmekKey -ClusterName $ClusterName -Region $Region -NewRegion -EnableRotation @options | Grant-CmekAccess -WarningAction SilentlyContinue)
$access | Add-CmekRegion -NodeCount $NodeCount -Wait -TimeoutSeconds $TimeoutSeconds
