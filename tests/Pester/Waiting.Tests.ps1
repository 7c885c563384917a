#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

# One convention of waiting: the same switches on every command that starts something at the service.

BeforeDiscovery {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
    $waiting = Get-Command -Module CmekTools | Where-Object { $_.Noun -ne 'CmekSandbox' -and ($_.Parameters.ContainsKey('Wait') -or $_.Parameters.ContainsKey('NoWait')) } |
        ForEach-Object { @{ Name = $_.Name } }
    $clouds = @(
        @{ Cloud = 'AWS'; Name = 'shop' }
        @{ Cloud = 'GCP'; Name = 'ledger' }
    )
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
}

Describe 'Waiting' {
    It '<Name> has -Wait, -NoWait and -TimeoutSeconds' -ForEach $waiting {
        $parameters = (Get-Command $Name).Parameters
        foreach ($one in 'Wait', 'NoWait', 'TimeoutSeconds') { $parameters.ContainsKey($one) | Should -BeTrue -Because $one }
    }

    It 'is taken by each command that changes what a cluster is at the service' {
        (Get-Command -Module CmekTools -Name Add-CmekRegion, Disable-CmekCluster, Enable-CmekCluster, New-CmekCluster, Restore-CmekAccess,
            Revoke-CmekAccess, Update-CmekCluster | Where-Object { -not $_.Parameters.ContainsKey('NoWait') }).Name | Should -BeNullOrEmpty
    }
}

Describe 'Waiting on <Cloud>' -ForEach $clouds {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $access = New-CmekKey $Name | Grant-CmekAccess
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'refuses both switches at once, before anything is sent: <Command>' -TestCases @(
        @{ Command = 'Enable-CmekCluster'; Run = { $access | Enable-CmekCluster -Wait -NoWait } }
        @{ Command = 'Update-CmekCluster'; Run = { Update-CmekCluster $Name -Rewrap -Wait -NoWait } }
        @{ Command = 'Add-CmekRegion'; Run = { $access | Add-CmekRegion -NodeCount 3 -Wait -NoWait } }
        @{ Command = 'Disable-CmekCluster'; Run = { Disable-CmekCluster $Name -Wait -NoWait } }
        @{ Command = 'Revoke-CmekAccess'; Run = { Revoke-CmekAccess $Name -Wait -NoWait -Force } }
        @{ Command = 'Restore-CmekAccess'; Run = { Restore-CmekAccess $Name -Wait -NoWait } }
        @{ Command = 'New-CmekCluster'; Run = { New-CmekCluster orders -Provider $Cloud -RegionNodes @{ 'us-east1' = 3 } -Wait -NoWait } }
    ) {
        $journal = @(Get-CmekJournal).Count
        $found = $null
        try { $found = (Get-TestOutcome $Run).Errors[0] } catch { $found = $_ }
        $found.FullyQualifiedErrorId | Should -BeLike 'WaitContradicts,*'
        @(Get-CmekJournal).Count | Should -Be $journal
    }

    It 'waits with -Wait and does not with -NoWait, and shows how long it has taken' {
        # Read while it waits: the progress of a runspace of its own.
        $session = Get-CmekSession
        ($access | Enable-CmekCluster -NoWait).State | Should -BeIn 'ENABLING', 'ENABLED'
        (Wait-CmekStatus $Name).State | Should -Be 'ENABLED'
        $shell = [powershell]::Create()
        try {
            $null = $shell.AddScript('param($Module, $Session, $Name) Import-Module $Module; Update-CmekCluster $Name -Rewrap -Wait -Session $Session -WarningAction Ignore')
            $null = $shell.AddParameters(@{ Module = Get-TestModulePath; Session = $session; Name = $Name })
            $shell.Invoke().State | Should -Be 'ENABLED'
            $shell.Streams.Progress.StatusDescription -match ', 0:0\d min$' | Should -Not -BeNullOrEmpty
        }
        finally {
            $shell.Dispose()
        }

        (Disable-CmekCluster $Name -Wait -Confirm:$false -WarningAction SilentlyContinue).State | Should -Be 'DISABLED'
    }
}

Describe 'Lists of the state folder take clusters as every command does' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive -Cluster 'shop=AWS:us-east-1', 'shelf=AWS:us-east-1', 'ledger=GCP:us-central1'
        $null = Enable-TestCluster
        $null = Revoke-CmekAccess shop, shelf, ledger -KeyOnly -Force
        $clusters = Get-CmekCluster
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'takes <How>' -TestCases @(
        @{ How = 'several names'; Receipts = { Get-CmekReceipt shop, ledger }; Journal = { Get-CmekJournal shop, ledger }; Wanted = 'ledger', 'shop' }
        @{ How = 'wildcards'; Receipts = { Get-CmekReceipt sh* }; Journal = { Get-CmekJournal sh* }; Wanted = 'shelf', 'shop' }
        @{ How = 'an id'; Receipts = { Get-CmekReceipt -ClusterId ($clusters | Where-Object Name -eq shop).Id }; Journal = { Get-CmekJournal -ClusterId ($clusters | Where-Object Name -eq shop).Id }; Wanted = 'shop' }
        @{ How = 'clusters'; Receipts = { $clusters | Get-CmekReceipt }; Journal = { $clusters | Get-CmekJournal }; Wanted = 'ledger', 'shelf', 'shop' }
        @{ How = 'rows'; Receipts = { "Name`nshelf" | ConvertFrom-Csv | Get-CmekReceipt }; Journal = { "Name`nshelf" | ConvertFrom-Csv | Get-CmekJournal }; Wanted = 'shelf' }
        @{ How = 'an empty pipeline, for nothing'; Receipts = { @() | Get-CmekReceipt }; Journal = { @() | Get-CmekJournal }; Wanted = @() }
    ) {
        (& $Receipts).ClusterName | Sort-Object -Unique | Should -Be $Wanted
        (& $Journal).ClusterName | Sort-Object -Unique | Should -Be $Wanted
    }

    It 'gives the duration of a step in seconds, which JSON and CSV can hold' {
        $step = @(Revoke-CmekAccess shop -KeyOnly -Force)[0]
        $step.DurationSeconds | Should -BeOfType [double]
        ($step | ConvertTo-Json -Depth 2 | ConvertFrom-Json).DurationSeconds | Should -Be $step.DurationSeconds
        ($step | ConvertTo-Csv | ConvertFrom-Csv).DurationSeconds | Should -Not -BeLike '*:*'
    }
}

Describe 'A region that does not exist' {
    It 'is refused by the sandbox: <_>' -ForEach 'shop=AWS:us-esat-1', 'ledger=GCP:us-central9', 'shop=AWS:us-central1' {
        $found = $null
        try { $null = Start-CmekSandbox $_ } catch { $found = $_ }
        if (-not $found) { $found = $Error[0] }
        $found.FullyQualifiedErrorId | Should -BeLike 'SandboxClusterInvalid,*'
        $found.Exception.Message | Should -BeLike '*has no region*'
    }

    It 'has no KMS, and New-CmekKey says so before a key is made: <Name>, <Region>' -ForEach @(
        @{ Name = 'shop'; Region = 'us-east-9'; Id = 'RegionUnknown'; Said = "*no AWS region 'us-east-9'*Did you mean us-east-*" }
        @{ Name = 'ledger'; Region = 'us-central9'; Id = '*'; Said = "*us-central9*" }
    ) {
        $null = Connect-TestSandbox $TestDrive
        try {
            foreach ($whatIf in $true, $false) {
                $outcome = Get-TestOutcome { New-CmekKey $Name -Region $Region -NewRegion -WhatIf:$whatIf }
                if ($Name -eq 'shop' -or -not $whatIf) {
                    $outcome.Errors | Should -HaveCount 1
                    $outcome.Errors[0].FullyQualifiedErrorId | Should -BeLike "$Id,*"
                    $outcome.Errors[0].Exception.Message | Should -BeLike $Said
                }

                @($outcome.Output | Where-Object State -eq 'Enabled') | Should -BeNullOrEmpty
            }

            @(Get-CmekJournal | Where-Object Outcome -eq 'done') | Should -BeNullOrEmpty
        }
        finally {
            Disconnect-TestSandbox
        }
    }

    It 'is refused for a new cluster, by the service' {
        $null = Connect-TestSandbox $TestDrive
        try {
            $outcome = Get-TestOutcome { New-CmekCluster orders -Provider AWS -RegionNodes @{ 'us-esat-1' = 3 } }
            $outcome.Errors | Should -HaveCount 1
            $outcome.Errors[0].Exception.Message | Should -BeLike '*unknown region us-esat-1*'
        }
        finally {
            Disconnect-TestSandbox
        }
    }
}
