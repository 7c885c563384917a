<#
.SYNOPSIS
Something is on fire: cuts a cluster off from its keys and tells the service to revoke.
.DESCRIPTION
The database stops. Asks once, unless -Force is given. Writes a receipt first, with which restore.ps1 undoes the cut exactly. If anything fails on
the way, run it again: what is done already is left, and it goes on. The script ends with an error, and pwsh -File with a code that is not 0, unless every key has
been read to be cut and, without -KeyOnly, the cluster is revoked or the service says that it uses no key (DISABLED). Each step is shown when it has been seen done.

Run Connect-CmekCloud before, or set COCKROACH_API_KEY. Without a connection a cluster that was seen from this machine before is cut by what is known of it here (with -KeyOnly
the script then ends well); Revoke-CmekAccess -KeyUri, -ManifestPath and Get-CmekKey -Discover cut keys of any other.
.EXAMPLE
./runbooks/emergency-revoke.ps1 -ClusterName shop
#>
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
param(
    # The cluster's exact name.
    [Parameter(Mandatory)] [string] $ClusterName,
    # Cut the keys only; do not tell the service.
    [switch] $KeyOnly,
    # Google Cloud: also disable the service account.
    [switch] $DisablePrincipal,
    # Do not ask.
    [switch] $Force
)

# What counts is what was seen in the end; errors are shown after the last step.
$ErrorActionPreference = 'Continue'
$last = $null
Revoke-CmekAccess -ClusterName $ClusterName -KeyOnly:$KeyOnly -DisablePrincipal:$DisablePrincipal -Force:$Force |
    ForEach-Object { $last = $_; $_ }
if ($WhatIfPreference) { return }

if (-not $last) {
    throw "Nothing was cut of $ClusterName."
}
# A cluster that uses no key now has nothing that the service could revoke: with its past keys cut, all that is known is cut.
if ($last.KeyCut -eq $true -and -not ($KeyOnly -or $last.Revoked) -and
    (Get-CmekStatus -ClusterName $last.ClusterId -ErrorAction SilentlyContinue).State -eq 'DISABLED') {
    $PSCmdlet.WriteWarning("Every key of $ClusterName that is known is cut. It uses none of them now (DISABLED) and runs on; the service has nothing to revoke.")
    return
}
if ($last.KeyCut -ne $true -or -not ($KeyOnly -or $last.Revoked)) {
    throw "$ClusterName is not cut off for certain: $($last.Now). Run this again."
}
