#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
}

Describe 'Test-CmekBreakGlass' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $null = New-CmekKey shop | Grant-CmekAccess | Enable-CmekCluster -Wait
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'takes names, ids and clusters from the pipeline, and answers once' {
        Test-CmekBreakGlass shop -Quiet | Should -BeTrue
        Test-CmekBreakGlass -ClusterId (Get-CmekCluster shop).Id -Quiet | Should -BeTrue
        Get-CmekCluster shop | Test-CmekBreakGlass -Quiet | Should -BeTrue
        Get-CmekCluster | Test-CmekBreakGlass -Quiet | Should -BeFalse
        Test-CmekBreakGlass -Quiet | Should -BeTrue
    }

    It 'gives a row for each thing, with a remedy where one is due' {
        $rows = Test-CmekBreakGlass shop, ledger
        $rows | Should -BeOfType CmekTools.CmekCheck
        $rows.Where{ $_.Name -eq 'CutPolicyWrite' }.Region | Should -Be us-east-1, us-west-2
        $off = $rows.Where{ $_.Result -ne 'Pass' }
        $off.ClusterName | Should -Be ledger
        $off.Remedy | Should -Not -BeNullOrEmpty
    }
}

Describe 'Export-CmekBreakGlass' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $null = New-CmekKey shop | Grant-CmekAccess | Enable-CmekCluster -Wait
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'gives the text, or writes it, and tells what cannot be written' {
        $text = Export-CmekBreakGlass shop
        $text | Should -Match 'aws kms put-key-policy'
        $text | Should -Not -Match 'sandbox/admin/secret'
        $path = Join-Path $TestDrive 'shop.md'
        (Get-CmekCluster shop | Export-CmekBreakGlass -Path $path).FullName | Should -Be $path
        Get-Content $path -Raw | Should -Match 'REVOKE'
        (Get-TestOutcome { Export-CmekBreakGlass ledger }).Errors[0].FullyQualifiedErrorId | Should -BeLike 'CmekNotEnabled,*'
    }
}
