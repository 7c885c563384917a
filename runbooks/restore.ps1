<#
.SYNOPSIS
The fire is out: gives a cluster its access back, and writes the support request.
.DESCRIPTION
Uses the newest receipt of the cluster that is still open. With -RoleName or -ServiceAccount a new principal takes the place of the one that was cut off.
.EXAMPLE
./runbooks/restore.ps1 -ClusterName shop
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    # The cluster's exact name.
    [Parameter(Mandatory)] [string] $ClusterName,
    # AWS: a new role in place of the burnt one.
    [string] $RoleName,
    # Google Cloud: a new service account in place of the burnt one.
    [string] $ServiceAccount,
    # Watch until the vendor has brought the cluster back.
    [switch] $Wait,
    # The longest watch, in seconds.
    [int] $TimeoutSeconds = 7200
)

$ErrorActionPreference = 'Stop'
$options = @{}
if ($RoleName) {
    $options.RoleName = $RoleName
}

if ($ServiceAccount) {
    $options.ServiceAccount = $ServiceAccount
}

Restore-CmekAccess -ClusterName $ClusterName -Wait:$Wait -TimeoutSeconds $TimeoutSeconds @options
