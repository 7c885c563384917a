@{
    RootModule             = 'CmekTools.psm1'
    ModuleVersion          = '0.1.0'
    GUID                   = '5f0f4f53-6f6e-4f0b-9a37-6d5f0c1b2e84'
    Author                 = 'The CmekTools contributors'
    CompanyName            = 'The CmekTools contributors'
    Copyright              = '(c) 2026 The CmekTools contributors. MIT licence.'
    Description            = 'Runs the whole life of customer-managed encryption keys (CMEK) for CockroachDB Cloud Advanced clusters, with keys in AWS KMS or Google Cloud KMS: make keys, grant access, enable, check, rotate, add regions, revoke in a breach, restore, disable.'
    PowerShellVersion      = '7.4'
    CompatiblePSEditions   = @('Core')
    FormatsToProcess       = @('CmekTools.Format.ps1xml')
    FunctionsToExport      = @()
    VariablesToExport      = @()
    AliasesToExport        = @()
    CmdletsToExport        = @(
        'Add-CmekRegion'
        'Compare-CmekCluster'
        'Connect-CmekCloud'
        'Disable-CmekCluster'
        'Disconnect-CmekCloud'
        'Enable-CmekCluster'
        'Export-CmekBreakGlass'
        'Export-CmekManifest'
        'Get-CmekCluster'
        'Get-CmekJournal'
        'Get-CmekKey'
        'Get-CmekKeyUse'
        'Get-CmekOrganization'
        'Get-CmekReceipt'
        'Get-CmekSandbox'
        'Get-CmekSession'
        'Get-CmekStatus'
        'Grant-CmekAccess'
        'Import-CmekManifest'
        'New-CmekCluster'
        'New-CmekKey'
        'New-CmekSupportRequest'
        'Remove-CmekKey'
        'Restore-CmekAccess'
        'Revoke-CmekAccess'
        'Start-CmekSandbox'
        'Stop-CmekSandbox'
        'Test-CmekAccess'
        'Test-CmekBreakGlass'
        'Test-CmekJournal'
        'Update-CmekCluster'
        'Wait-CmekStatus'
    )
    PrivateData            = @{
        PSData = @{
            Tags         = @('CockroachDB', 'CMEK', 'BYOK', 'Encryption', 'KMS', 'AWS', 'GCP', 'Security', 'PSEdition_Core', 'Windows', 'Linux', 'MacOS')
            # No ProjectUri, and no HelpUri in the commands: there is no public address to name. The pages are in docs beside this file.
            LicenseUri   = 'https://opensource.org/license/mit'
            ReleaseNotes = 'First release.'
        }
    }
}
