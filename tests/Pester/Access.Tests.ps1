#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

BeforeDiscovery {
    $clouds = @(
        @{ Cloud = 'AWS'; Name = 'shop'; Region = 'us-east-1', 'us-west-2'; Principal = 'arn:aws:iam::111122223333:role/cmektools-shop-*' }
        @{ Cloud = 'GCP'; Name = 'ledger'; Region = 'us-central1', 'us-east1'; Principal = 'cmek-ledger-*@customer-project.iam.gserviceaccount.com' }
    )
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
}

Describe 'Grant-CmekAccess on <Cloud>' -ForEach $clouds {
    BeforeEach {
        $null = Connect-TestSandbox $TestDrive
        $keys = New-CmekKey $Name
    }

    AfterEach {
        Disconnect-TestSandbox
    }

    It 'lets one principal use the key of each region, and nothing more the second time' {
        $access = $keys | Grant-CmekAccess
        $access | Should -BeOfType CmekTools.CmekAccess
        $access.Region | Should -Be $Region
        $access.KeyUri | Should -Be $keys.KeyUri
        $access.ClusterName | Should -Be $Name, $Name
        $access.Changed | Should -Be $true, $true
        $access.Planned | Should -Be $false, $false
        $access[0].AuthPrincipal | Should -BeLike $Principal
        $access[1].AuthPrincipal | Should -Be $access[0].AuthPrincipal
        $access | Test-CmekAccess -Quiet | Should -BeTrue

        $journal = (Get-CmekJournal).Count
        $again = $keys | Grant-CmekAccess
        $again.Changed | Should -Be $false, $false
        $again.AuthPrincipal | Should -Be $access.AuthPrincipal
        (Get-CmekJournal).Count | Should -Be $journal
    }

    It 'says what to pipe where no key is given, and does not ask' {
        $run = Invoke-UnattendedScript "Grant-CmekAccess $Name"
        $run.Ended | Should -BeNullOrEmpty
        Assert-TestError $run.Errors[0] 'KeysMissing' InvalidArgument -Target $Name
        $run.Errors[0].ErrorDetails.RecommendedAction | Should -BeLike "*New-CmekKey $Name | Grant-CmekAccess*"
        @() | Grant-CmekAccess $Name | Should -BeNullOrEmpty
        (Grant-CmekAccess $Name -Region $Region[0] -KeyUri $keys[0].KeyUri).KeyUri | Should -Be $keys[0].KeyUri
    }

    It 'changes nothing with -WhatIf' {
        $journal = (Get-CmekJournal).Count
        $planned = $keys | Grant-CmekAccess -WhatIf
        $planned.Region | Should -Be $Region
        (Get-CmekJournal).Count | Should -Be $journal
        $access = $keys | Grant-CmekAccess
        $access[0].Changed | Should -BeTrue -Because 'the run before changed nothing'
    }
}

Describe 'Grant-CmekAccess on <Cloud>, bound in many ways' -ForEach $clouds {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $keys = New-CmekKey $Name
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'binds a key by <How>' -TestCases @(
        @{ How = 'name, region and URI' }
        @{ How = 'id, region and URI' }
        @{ How = 'the properties ClusterId, Region and KeyUri' }
        @{ How = 'a key that was looked up by its URI' }
    ) {
        $key = $keys[1]
        $access = switch ($How) {
            'name, region and URI' { Grant-CmekAccess $Name -Region $key.Region -KeyUri $key.KeyUri }
            'id, region and URI' { Grant-CmekAccess -ClusterId $key.ClusterId -Region $key.Region -KeyUri $key.KeyUri }
            'the properties ClusterId, Region and KeyUri' { [pscustomobject]@{ ClusterId = $key.ClusterId; Region = $key.Region; KeyUri = $key.KeyUri } | Grant-CmekAccess }
            'a key that was looked up by its URI' { Get-CmekKey $key.KeyUri | Grant-CmekAccess -ClusterName $Name -Region $key.Region }
        }
        $access.ClusterName | Should -Be $Name
        $access.Region | Should -Be $key.Region
        $access.KeyUri | Should -Be $key.KeyUri
    }

    It 'refuses a region that the cluster does not have and that looks like a typing error' {
        $wrong = $Cloud -eq 'AWS' ? 'us-east1' : 'us-centrall1'
        $outcome = Get-TestOutcome { Grant-CmekAccess $Name -Region $wrong -KeyUri $keys[0].KeyUri }
        Assert-TestError $outcome.Errors[0] 'RegionUnknown' InvalidArgument -Target $wrong
        { Grant-CmekAccess $Name -Region $wrong -KeyUri $keys[0].KeyUri -ErrorAction Stop } | Should -Throw -ErrorId 'RegionUnknown,*'
    }
}

Describe 'Grant-CmekAccess' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $aws = New-CmekKey shop
        $google = New-CmekKey ledger
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'wants cluster and region for a key that others made, and goes on (Google Cloud)' {
        $foreign = [CmekTools.CmekKey]@{ Provider = 'GCP'; KeyUri = $google[0].KeyUri; Location = $google[0].Location }
        $outcome = Get-TestOutcome { @($foreign) + @($google[1]) | Grant-CmekAccess }
        $outcome.Errors | Should -HaveCount 1
        Assert-TestError $outcome.Errors[0] 'ClusterMissing' InvalidArgument
        $outcome.Output.Region | Should -Be 'us-east1'
    }

    It 'knows the cluster of a key of its own that was looked up by its URI (<_>)' -ForEach 'aws', 'google' {
        $key = (Get-Variable $_ -ValueOnly)[0]
        $access = Get-CmekKey $key.KeyUri | Grant-CmekAccess
        $access.ClusterId | Should -Be $key.ClusterId
        $access.Region | Should -Be $key.Region
    }

    It 'takes the role''s name (AWS)' {
        ($aws[0] | Grant-CmekAccess -RoleName cmek-pester).AuthPrincipal | Should -Be 'arn:aws:iam::111122223333:role/cmek-pester'
    }

    It 'takes the service account''s id (Google Cloud)' {
        ($google[0] | Grant-CmekAccess -ServiceAccount cmek-pester).AuthPrincipal | Should -Be 'cmek-pester@customer-project.iam.gserviceaccount.com'
    }

    It 'takes a role that others manage only where it trusts the cluster (AWS)' {
        $own = ($aws[0] | Grant-CmekAccess -RoleName cmek-others).AuthPrincipal
        ($aws[1] | Grant-CmekAccess -RoleArn $own).AuthPrincipal | Should -Be $own
        $outcome = Get-TestOutcome { $aws[1] | Grant-CmekAccess -RoleArn 'arn:aws:iam::111122223333:role/not-there' }
        $outcome.Output | Should -BeNullOrEmpty
        Assert-TestError $outcome.Errors[0] 'RoleNotFound' ObjectNotFound
    }

    It 'does not take two ways to name the role' {
        $outcome = Get-TestOutcome { try { $aws[0] | Grant-CmekAccess -RoleName a -RoleArn b } catch { $_ } }
        Assert-TestError $outcome.Errors[0] 'RoleAmbiguous' InvalidArgument
    }

    It 'does not take a key on another cloud' {
        $outcome = Get-TestOutcome { Grant-CmekAccess ledger -Region us-east1 -KeyUri $aws[0].KeyUri }
        Assert-TestError $outcome.Errors[0] 'KeyProviderMismatch' InvalidArgument -Target $aws[0].KeyUri
    }

    It 'warns of a region that the cluster does not have yet' {
        $key = New-CmekKey shop -Region eu-west-1 -NewRegion
        $access = $key | Grant-CmekAccess -WarningVariable warned -WarningAction SilentlyContinue
        $access.Region | Should -Be 'eu-west-1'
        "$warned" | Should -BeLike '*Add-CmekRegion*'
    }

    It 'refuses the role name "<_>"' -ForEach 'with spaces', 'a/b', ('x' * 65) {
        $role = $_
        { $aws[0] | Grant-CmekAccess -RoleName $role -ErrorAction Stop } | Should -Throw -ErrorId 'ParameterArgumentValidationError,*'
    }

    It 'refuses the service account "<_>"' -ForEach 'abcde', ('a' * 31), 'UPPER-case' {
        $account = $_
        $outcome = Get-TestOutcome { $google[0] | Grant-CmekAccess -ServiceAccount $account }
        Assert-TestError $outcome.Errors[0] 'PrincipalInvalid' InvalidArgument
    }
}

Describe 'Test-CmekAccess on <Cloud>' -ForEach $clouds {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $access = Enable-TestCluster $Name
        $manifest = Join-Path $TestDrive "test-$Name.json"
        $null = $access | Export-CmekManifest -Path $manifest -Force
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'passes everything of a sound cluster: <How>' -TestCases @(
        @{ How = 'by name' }
        @{ How = 'by id' }
        @{ How = 'a cluster' }
        @{ How = 'accesses' }
        @{ How = 'a manifest' }
    ) {
        $checks = switch ($How) {
            'by name' { Test-CmekAccess $Name }
            'by id' { Test-CmekAccess -ClusterId $access[0].ClusterId }
            'a cluster' { Get-CmekCluster $Name | Test-CmekAccess }
            'accesses' { $access | Test-CmekAccess }
            'a manifest' { Test-CmekAccess $Name -ManifestPath $manifest }
        }
        $checks | Should -BeOfType CmekTools.CmekCheck
        $checks.Result | Sort-Object -Unique | Should -Be 'Pass'
        $checks.Region | Where-Object { $_ } | Sort-Object -Unique | Should -Be $Region
        $checks.Seen | Should -Not -Contain $null
    }

    It 'answers with one True with -Quiet, and changes nothing' {
        $journal = (Get-CmekJournal).Count
        $answer = Get-CmekCluster $Name | Test-CmekAccess -Quiet
        $answer | Should -BeOfType bool
        $answer | Should -BeTrue
        (Get-CmekJournal).Count | Should -Be $journal
    }

    It 'fails keys that the principal may not use, and says what to do' {
        $called = Get-TestKeyName $Name closed
        $closed = New-CmekKey $Name -Region $Region[0] @called
        $path = Join-Path $TestDrive "closed-$Name.json"
        (Get-Content $manifest -Raw).Replace($access[0].KeyUri, $closed.KeyUri) | Set-Content $path
        $failed = Test-CmekAccess $Name -ManifestPath $path | Where-Object Result -eq 'Fail'
        $failed.Region | Sort-Object -Unique | Should -Be $Region[0]
        $failed.Remedy | Should -Not -BeNullOrEmpty
        Test-CmekAccess $Name -ManifestPath $path -Quiet | Should -BeFalse
    }
}

Describe 'Test-CmekAccess' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'fails each region of a cluster without keys' {
        $failed = Test-CmekAccess shop | Where-Object Result -eq 'Fail'
        $failed.Region | Sort-Object -Unique | Should -Be 'us-east-1', 'us-west-2'
        $failed.Name | Should -Contain 'RegionCovered'
    }

    It 'gives one answer for all clusters' {
        Get-CmekCluster | Test-CmekAccess -Quiet | Should -BeFalse
    }

    It 'says that the manifest is not there' {
        { Test-CmekAccess shop -ManifestPath (Join-Path $TestDrive 'none.json') -ErrorAction Stop } | Should -Throw -ErrorId 'ManifestUnreadable,*'
    }

    It 'says that the cluster is not there' {
        $outcome = Get-TestOutcome { Test-CmekAccess nope }
        Assert-TestError $outcome.Errors[0] 'ClusterNotFound' ObjectNotFound -Target 'nope'
    }

    It 'answers -Quiet with one False where something could not be looked at, and with nothing to look at' {
        foreach ($script in { Test-CmekAccess nope -Quiet }, { 'shop', 'nope' | Test-CmekAccess -Quiet }, { @() | Test-CmekAccess -Quiet }) {
            $outcome = Get-TestOutcome $script
            $outcome.Output | Should -HaveCount 1
            $outcome.Output[0] | Should -BeFalse
        }

        $session = Get-CmekSession
        $outcome = Get-TestOutcome { [powershell]::Create().AddScript("Import-Module '$(Get-TestModulePath)'; Test-CmekAccess shop -Quiet 2>&1").Invoke() }
        @($outcome.Output | Where-Object { $_ -is [bool] }) | Should -Be @($false)
        Get-CmekSession | Should -Be $session
    }

    It 'does not take a name and an id at once' {
        { Test-CmekAccess -ClusterName shop -ClusterId x } | Should -Throw -ErrorId 'ParameterAlreadyBound,*'
    }
}

Describe 'Revoke-CmekAccess and Restore-CmekAccess on <Cloud>' -ForEach $clouds {
    BeforeEach {
        $null = Connect-TestSandbox $TestDrive
        $before = Enable-TestCluster $Name
    }

    AfterEach {
        Disconnect-TestSandbox
    }

    It 'change nothing with -WhatIf, nor without an answer: no receipt, no journal, the same policies' {
        $world = Get-TestWorld $Name
        $null = Revoke-CmekAccess $Name -WhatIf
        $null = Revoke-CmekAccess $Name -Permanent -ConfirmClusterName $Name -WhatIf
        Get-TestWorld $Name | Should -Be $world
        Get-CmekReceipt | Should -BeNullOrEmpty

        # Nor without an answer to the question.
        $run = Invoke-UnattendedScript "Revoke-CmekAccess $Name"
        @($run.Errors) + @($run.Ended) | Should -Not -BeNullOrEmpty -Because 'nobody could answer'
        Get-TestWorld $Name | Should -Be $world

        $null = Revoke-CmekAccess $Name -Force
        $world = Get-TestWorld $Name
        $null = Restore-CmekAccess $Name -Wait -WhatIf -WarningAction SilentlyContinue
        Get-TestWorld $Name | Should -Be $world
    }

    It 'cut the cluster off step by step, once, and give everything back as it was' {
        $sound = Test-CmekAccess $Name | ForEach-Object { "$_" }
        $steps = Revoke-CmekAccess $Name -Force
        $steps | Should -BeOfType CmekTools.CmekStep
        $steps.Step | Sort-Object | Should -Be 'Cut', 'Cut', 'Proof', 'Proof', 'Receipt', 'Revoke', 'Revoked'
        $steps[-1].Revoked | Should -BeTrue
        $steps[-1].KeyCut | Should -BeTrue
        $steps[0].ReceiptPath | Should -Exist
        ($steps | Where-Object Step -in 'Cut', 'Proof').AuthPrincipal | Sort-Object -Unique | Should -Be $before[0].AuthPrincipal
        (Get-CmekStatus $Name).State | Should -Be 'REVOKED'
        Test-CmekAccess $Name -Quiet | Should -BeFalse

        $world = Get-TestWorld $Name
        (Revoke-CmekAccess $Name -Force).Step | Should -Not -Contain 'Revoke' -Because 'it is not sent twice'
        Get-TestWorld $Name | Should -Be $world

        # The emergency is not undone in passing.
        $outcome = Get-TestOutcome { $before | Enable-CmekCluster -Wait }
        Assert-TestError $outcome.Errors[0] 'ClusterRevoked' InvalidOperation
        $outcome = Get-TestOutcome { Update-CmekCluster $Name -Rewrap }
        Assert-TestError $outcome.Errors[0] 'ClusterRevoked' InvalidOperation
        $outcome.Errors[0].ErrorDetails.RecommendedAction | Should -BeLike '*Restore-CmekAccess*'
        Get-TestWorld $Name | Should -Be $world

        $back = Restore-CmekAccess $Name -Wait -WarningAction SilentlyContinue
        # The vendor is asked only where the cluster is not back by itself yet.
        $back.Step | Where-Object { $_ -ne 'SupportRequest' } | Should -Be 'Restore', 'Restore', 'Access', 'Enabled'
        foreach ($asked in $back | Where-Object Step -eq 'SupportRequest') {
            $asked.SupportRequest.Body | Should -BeLike '*Access to the key has been given back.*'
        }
        $back[-1].CutState | Should -Be 'Open'
        (Get-CmekStatus $Name).State | Should -Be 'ENABLED'
        Get-CmekReceipt $Name -Open | Should -BeNullOrEmpty
        Test-CmekAccess $Name | ForEach-Object { "$_" } | Should -Be $sound

        $world = Get-TestWorld $Name
        $null = Restore-CmekAccess $Name -Wait -WarningAction SilentlyContinue
        Get-TestWorld $Name | Should -Be $world
    }

    It 'cut the key only with -KeyOnly, lastingly, and go on from there' {
        (Revoke-CmekAccess $Name -KeyOnly -Confirm:$false).Step | Sort-Object | Should -Be 'Cut', 'Cut', 'Proof', 'Proof', 'Receipt'
        (Get-CmekStatus $Name).State | Should -Be 'ENABLED'
        Test-CmekAccess $Name -Quiet | Should -BeFalse

        # A grant does not undo the emergency in passing.
        $outcome = Get-TestOutcome { New-CmekKey $Name -EnableRotation | Grant-CmekAccess }
        $outcome.Output | Should -BeNullOrEmpty
        $outcome.Errors | Should -HaveCount 2
        $outcome.Errors | ForEach-Object { Assert-TestError $_ 'AccessRevoked' InvalidOperation }
        Test-CmekAccess $Name -Quiet | Should -BeFalse

        $receipt = Get-CmekReceipt $Name
        $null = Revoke-CmekAccess $Name -Force
        (Get-CmekStatus $Name).State | Should -Be 'REVOKED'
        (Get-CmekReceipt $Name).Id | Should -Be $receipt.Id -Because 'the first receipt is kept'
    }

    It 'schedule the deletion of the keys with -Permanent only after a second answer, and rescue them' {
        $run = Invoke-UnattendedScript "Revoke-CmekAccess $Name -Permanent -Force"
        @($run.Errors) + @($run.Ended) | Should -Not -BeNullOrEmpty -Because 'nobody could answer'
        (Get-CmekStatus $Name).State | Should -Be 'REVOKED'
        ($before | Get-CmekKey).State | Should -Not -Contain 'PendingDeletion'

        $steps = Revoke-CmekAccess $Name -Permanent -ConfirmClusterName $Name -Force
        ($steps | Where-Object Step -eq 'Deletion').Region | Sort-Object | Should -Be $Region
        ($before | Get-CmekKey).State | Should -Be 'PendingDeletion', 'PendingDeletion'

        $null = Restore-CmekAccess $Name -Wait -WarningAction SilentlyContinue
        ($before | Get-CmekKey).State | Should -Be 'Enabled', 'Enabled'
    }

    It 'put another principal in place of the burnt one' {
        $null = Revoke-CmekAccess $Name -Force
        $parameters = $Cloud -eq 'AWS' ? @{ RoleName = 'cmek-second' } : @{ ServiceAccount = 'cmek-second' }
        $steps = Restore-CmekAccess $Name @parameters -Wait -WarningAction SilentlyContinue
        $steps.Step | Should -Contain 'Move'
        (Get-CmekStatus $Name).Regions.AuthPrincipal | Should -BeLike '*cmek-second*'
        (Get-CmekStatus $Name).State | Should -Be 'ENABLED'
    }
}

Describe 'Revoke-CmekAccess' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'refuses clusters that have nothing to cut, each by itself' {
        $outcome = Get-TestOutcome { Get-CmekCluster | Revoke-CmekAccess -Force }
        $outcome.Output | Should -BeNullOrEmpty
        $outcome.Errors | Should -HaveCount 2
        $outcome.Errors | ForEach-Object { Assert-TestError $_ 'CmekNotEnabled' InvalidOperation }
        Get-CmekReceipt | Should -BeNullOrEmpty
    }

    It 'ends with -ErrorAction Stop' {
        { Get-CmekCluster | Revoke-CmekAccess -Force -ErrorAction Stop } | Should -Throw -ErrorId 'CmekNotEnabled,*'
    }

    It 'refuses -<Parameter> <Value>' -TestCases @(
        @{ Parameter = 'PendingWindowInDays'; Value = 6 }
        @{ Parameter = 'PendingWindowInDays'; Value = 31 }
        @{ Parameter = 'TimeoutSeconds'; Value = 0 }
        @{ Parameter = 'ConfirmClusterName'; Value = '' }
    ) {
        $parameters = @{ $Parameter = $Value }
        { Revoke-CmekAccess shop -Force @parameters } | Should -Throw -ErrorId 'ParameterArgumentValidationError*'
    }

    It 'does not take a name and an id at once' {
        { Revoke-CmekAccess -ClusterName shop -ClusterId x -Force } | Should -Throw -ErrorId 'ParameterAlreadyBound,*'
    }
}

Describe 'Revoke-CmekAccess and Restore-CmekAccess of all clusters' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $null = Enable-TestCluster
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'go through both clouds in one pipeline, and past a record that is not there' {
        $records = @([pscustomobject]@{ Id = [guid]::Empty }) + @(Get-CmekCluster | ForEach-Object { [pscustomobject]@{ Id = $_.Id } })
        $outcome = Get-TestOutcome { $records | Revoke-CmekAccess -DisablePrincipal -Force }
        $outcome.Errors | Should -HaveCount 1
        Assert-TestError $outcome.Errors[0] 'CloudApiNotFound' ObjectNotFound -Target "*$([guid]::Empty)*"
        ($outcome.Output | Where-Object Step -eq 'Revoked').ClusterName | Sort-Object | Should -Be 'ledger', 'shop'

        $steps = Get-CmekReceipt -Open | Restore-CmekAccess -Wait -WarningAction SilentlyContinue
        ($steps | Where-Object Step -eq 'Enabled').ClusterName | Sort-Object | Should -Be 'ledger', 'shop'
        (Get-CmekCluster | Get-CmekStatus).State | Should -Be 'ENABLED', 'ENABLED'
    }
}

Describe 'Restore-CmekAccess' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'says that there is nothing to restore' {
        $outcome = Get-TestOutcome { Restore-CmekAccess shop }
        $outcome.Output | Should -BeNullOrEmpty
        Assert-TestError $outcome.Errors[0] 'NothingToRestore' InvalidOperation
        { Restore-CmekAccess shop -ErrorAction Stop } | Should -Throw -ErrorId 'NothingToRestore,*'
    }

    It 'says <Id> for a receipt that is <Why>' -TestCases @(
        @{ Why = 'not there'; Text = $null; Id = 'ReceiptUnreadable'; Category = 'ReadError' }
        @{ Why = 'no JSON'; Text = 'x'; Id = 'ReceiptInvalid'; Category = 'InvalidData' }
        @{ Why = 'something else'; Text = '{}'; Id = 'ReceiptInvalid'; Category = 'InvalidData' }
    ) {
        $path = Join-Path $TestDrive "$([guid]::NewGuid()).json"
        if ($Text) {
            Set-Content $path $Text
        }

        $outcome = Get-TestOutcome { Restore-CmekAccess shop -ReceiptPath $path }
        Assert-TestError $outcome.Errors[0] $Id $Category
    }

    It 'does not take another cluster''s receipt' {
        $null = Enable-TestCluster ledger
        $receipt = (Revoke-CmekAccess ledger -KeyOnly -Force)[0].ReceiptPath
        $outcome = Get-TestOutcome { Restore-CmekAccess shop -ReceiptPath $receipt }
        Assert-TestError $outcome.Errors[0] 'ReceiptMismatch' InvalidArgument -Target $receipt
    }
}
