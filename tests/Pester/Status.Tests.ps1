#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

BeforeDiscovery {
    $clouds = @(
        @{ Cloud = 'AWS'; Name = 'shop'; Region = 'us-east-1', 'us-west-2' }
        @{ Cloud = 'GCP'; Name = 'ledger'; Region = 'us-central1', 'us-east1' }
    )
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
}

Describe 'Get-CmekStatus on <Cloud>' -ForEach $clouds {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive -Cluster 'shop=AWS:us-east-1,us-west-2', 'ledger=GCP:us-central1,us-east1', 'plain=AWS:us-east-1'
        $access = Enable-TestCluster $Name
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'says each region''s state, key and principal' {
        $status = Get-CmekStatus $Name
        $status | Should -BeOfType CmekTools.CmekStatus
        $status.ClusterName | Should -Be $Name
        $status.Provider | Should -Be $Cloud
        $status.State | Should -Be 'ENABLED'
        $status.Changed | Should -BeFalse
        $status.Regions.Region | Should -Be $Region
        $status.Regions.KeyUri | Should -Be $access.KeyUri
        $status.Regions.AuthPrincipal | Should -Be $access.AuthPrincipal
        $status.AsOf | Should -BeGreaterThan ([DateTimeOffset]::UtcNow.AddMinutes(-5))
    }

    It 'binds a cluster by <How>' -TestCases @(
        @{ How = 'position, in another case' }
        @{ How = 'the alias Name' }
        @{ How = 'id' }
        @{ How = 'value' }
        @{ How = 'the property ClusterId' }
        @{ How = 'the property Id' }
        @{ How = 'the id of a key' }
        @{ How = 'the id of an access' }
    ) {
        $cluster = Get-CmekCluster $Name
        $status = switch ($How) {
            'position, in another case' { Get-CmekStatus $Name.ToUpperInvariant() }
            'the alias Name' { Get-CmekStatus -Name $Name }
            'id' { Get-CmekStatus -ClusterId $cluster.Id }
            'value' { $cluster | Get-CmekStatus }
            'the property ClusterId' { [pscustomobject]@{ ClusterId = $cluster.Id } | Get-CmekStatus }
            'the property Id' { [pscustomobject]@{ Id = $cluster.Id } | Get-CmekStatus }
            'the id of a key' { Get-CmekKey -ClusterName $Name | Select-Object -First 1 | Get-CmekStatus }
            'the id of an access' { $access[0] | Get-CmekStatus }
        }
        $status.ClusterName | Should -Be $Name
    }

    It 'says DISABLED for a cluster without CMEK' {
        $status = Get-CmekStatus plain
        $status.State | Should -Be 'DISABLED'
        $status.Regions.KeyUri | Should -BeNullOrEmpty
    }

    It 'shows state and regions in its table' {
        $text = Get-CmekStatus $Name | Out-String -Width 80
        $text | Should -Match "$Name\s+$Cloud\s+ENABLED\s+$($Region[0])=ENABLED"
    }
}

Describe 'Get-CmekStatus' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'says that there is no such cluster, with the name as the target' {
        $outcome = Get-TestOutcome { Get-CmekStatus shpo }
        $outcome.Output | Should -BeNullOrEmpty
        Assert-TestError $outcome.Errors[0] 'ClusterNotFound' ObjectNotFound -Target 'shpo'
        $outcome.Errors[0].Exception.Message | Should -BeLike '*Did you mean shop?*'
    }

    It 'goes on with the next record after a cluster that is not there' {
        $id = (Get-CmekCluster ledger).Id
        $outcome = Get-TestOutcome { [pscustomobject]@{ Id = [guid]::Empty }, [pscustomobject]@{ Id = $id } | Get-CmekStatus }
        $outcome.Output.ClusterName | Should -Be 'ledger'
        $outcome.Errors | Should -HaveCount 1
        Assert-TestError $outcome.Errors[0] 'CloudApiNotFound' ObjectNotFound -Target ([guid]::Empty)
        $outcome.Errors[0].Exception.StatusCode | Should -Be 404
    }

    It 'ends with -ErrorAction Stop, at the first record' {
        $id = (Get-CmekCluster ledger).Id
        { [pscustomobject]@{ Id = [guid]::Empty }, [pscustomobject]@{ Id = $id } | Get-CmekStatus -ErrorAction Stop } |
            Should -Throw -ErrorId 'CloudApiNotFound,*'
    }

    It 'does not take a name and an id at once' {
        { Get-CmekStatus -ClusterName shop -ClusterId x } | Should -Throw -ErrorId 'ParameterAlreadyBound,*'
    }

    It 'offers the clouds that it takes, and no other' {
        Get-TestCompletion 'Get-CmekStatus -Provider ' | Sort-Object | Should -Be 'AWS', 'AZURE', 'GCP'
        { Get-CmekStatus -Provider UNKNOWN } | Should -Throw -ErrorId 'ParameterArgumentValidationError*'
    }

    It 'does not take an empty name' {
        { Get-CmekStatus '' } | Should -Throw -ErrorId 'ParameterArgumentTransformationError*'
    }

    It 'writes nothing into the journal' {
        $null = Get-CmekCluster | Get-CmekStatus
        Get-CmekJournal | Should -BeNullOrEmpty
    }
}

Describe 'Wait-CmekStatus on <Cloud>' -ForEach $clouds {
    BeforeEach {
        # Long enough that the cluster is still on its way when the wait begins.
        $null = Connect-TestSandbox $TestDrive -Options @{ StateTime = [timespan]'00:00:00.2' }
    }

    AfterEach {
        Disconnect-TestSandbox
    }

    It 'waits until every region is ENABLED, then DISABLED' {
        $null = New-CmekKey $Name | Grant-CmekAccess | Enable-CmekCluster
        $status = Wait-CmekStatus $Name
        $status | Should -BeOfType CmekTools.CmekStatus
        $status.Regions.State | Should -Be 'ENABLED', 'ENABLED'

        $null = Disable-CmekCluster $Name -NoWait -WarningAction SilentlyContinue
        (Wait-CmekStatus $Name -State DISABLED).Regions.State | Should -Be 'DISABLED', 'DISABLED'
    }

    It 'takes the status of the command before it' {
        $status = New-CmekKey $Name | Grant-CmekAccess | Enable-CmekCluster | Wait-CmekStatus -Region $Region[1] -TimeoutSeconds 60
        $status.ClusterName | Should -Be $Name
        ($status.Regions | Where-Object Region -eq $Region[1]).State | Should -Be 'ENABLED'
    }
}

Describe 'Wait-CmekStatus' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'ends the wait of a cluster that does not get there, undoes nothing, and goes on with the next one' {
        $outcome = Get-TestOutcome { Get-CmekCluster | Wait-CmekStatus -TimeoutSeconds 1 -Ordered }
        $outcome.Output | Should -BeNullOrEmpty
        $outcome.Errors | Should -HaveCount 2
        Assert-TestError $outcome.Errors[0] 'StatusTimeout' OperationTimeout -Target '*ledger*'
        Assert-TestError $outcome.Errors[1] 'StatusTimeout' OperationTimeout -Target '*shop*'
        $outcome.Errors[1].Exception.Message | Should -BeLike '*us-east-1=DISABLED*'
    }

    It 'tells errors in the order of the input with -Ordered, and as they are known without' {
        $wait = @{ Region = 'us-east1'; TimeoutSeconds = 1 }
        $ordered = Get-TestOutcome { Get-CmekCluster ledger, shop | Wait-CmekStatus @wait -Ordered }
        Assert-TestError $ordered.Errors[0] 'StatusTimeout' OperationTimeout -Target '*ledger*'
        Assert-TestError $ordered.Errors[1] 'RegionUnknown' InvalidArgument -Target 'us-east1'

        $known = Get-TestOutcome { Get-CmekCluster ledger, shop | Wait-CmekStatus @wait }
        Assert-TestError $known.Errors[0] 'RegionUnknown' InvalidArgument -Target 'us-east1'
        Assert-TestError $known.Errors[1] 'StatusTimeout' OperationTimeout -Target '*ledger*'
    }

    It 'gives the status at once where it is so already' {
        (Get-CmekCluster | Wait-CmekStatus -State DISABLED -TimeoutSeconds 1 -Ordered).ClusterName | Should -Be 'ledger', 'shop'
    }

    It 'refuses a region that the cluster does not have' {
        $outcome = Get-TestOutcome { Wait-CmekStatus shop -Region us-east1 -TimeoutSeconds 1 }
        Assert-TestError $outcome.Errors[0] 'RegionUnknown' InvalidArgument -Target 'us-east1'
        $outcome.Errors[0].Exception.Message | Should -BeLike '*Did you mean us-east-1?*'
    }

    It 'waits for <_> not at all' -ForEach 'ENABLING', 'UNKNOWN', 'ENABLE_FAILED', 'nonsense' {
        $state = $_
        { Wait-CmekStatus shop -State $state } | Should -Throw -ErrorId '*,CmekTools.Module.Commands.WaitCmekStatusCommand'
    }

    It 'refuses -TimeoutSeconds <_>' -ForEach 0, -1, 604801 {
        $seconds = $_
        { Wait-CmekStatus shop -TimeoutSeconds $seconds } | Should -Throw -ErrorId 'ParameterArgumentValidationError,*'
    }
}
