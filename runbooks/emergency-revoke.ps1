<#
.SYNOPSIS
Something is on fire: cuts a cluster off from its keys and tells the service to revoke.
.DESCRIPTION
The database stops. Asks once, unless -Force is given. Writes a receipt first, with which restore.ps1 undoes the cut exactly. If anything fails on the way, run it again:
what is done already is left, and it goes on.
.EXAMPLE
./runbooks/emergency-revoke.ps1 -ClusterName shop
#>
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
param(
    # The cluster's exact name.
    [Parameter(Mandatory)] [string] $ClusterName,
    # Cut the key only; do not tell the service.
    [switch] $KeyOnly,
    # Google Cloud: also disable the service account.
    [switch] $DisablePrincipal,
    # Do not ask.
    [switch] $Force
)

# One failing proof must not keep the rest from happening: errors are shown, and the run goes on.
$ErrorActionPreference = 'Continue'
Revoke-CmekAccess -ClusterName $ClusterName -KeyOnly:$KeyOnly -DisablePrincipal:$DisablePrincipal -Force:$Force
$status = Get-CmekStatus -ClusterName $ClusterName
$status
if (-not $KeyOnly -and -not $WhatIfPreference -and $status.State -ne 'REVOKED') {
    throw "$ClusterName is not revoked yet: $status. Run this again."
}
