#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

BeforeDiscovery {
    $clouds = @(
        @{ Cloud = 'AWS'; Name = 'shop'; Region = 'us-east-1', 'us-west-2'; New = 'eu-west-1'; Another = 'eu-central-1' }
        @{ Cloud = 'GCP'; Name = 'ledger'; Region = 'us-central1', 'us-east1'; New = 'europe-west1'; Another = 'asia-southeast1' }
    )
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
}

Describe 'Add-CmekRegion on <Cloud>' -ForEach $clouds {
    BeforeEach {
        $null = Connect-TestSandbox $TestDrive
        $before = Enable-TestCluster $Name
        $access = New-CmekKey $Name -Region $New -NewRegion | Grant-CmekAccess -WarningAction SilentlyContinue
    }

    AfterEach {
        Disconnect-TestSandbox
    }

    It 'changes nothing with -WhatIf, then adds the region with its nodes and key, and changes nothing again' {
        $world = Get-TestWorld $Name
        $null = $access | Add-CmekRegion -NodeCount 5 -Wait -WhatIf
        Get-TestWorld $Name | Should -Be $world

        $status = $access | Add-CmekRegion -NodeCount 5 -Wait
        $status | Should -BeOfType CmekTools.CmekStatus
        $status.Changed | Should -BeTrue
        $status.State | Should -Be 'ENABLED'
        $status.Regions.Region | Should -Be @(@($Region) + $New | Sort-Object)
        ($status.Regions | Where-Object Region -eq $New).KeyUri | Should -Be $access.KeyUri
        ($status.Regions | Where-Object Region -ne $New).KeyUri | Should -Be $before.KeyUri
        ((Get-CmekCluster $Name).Regions | Where-Object Name -eq $New).NodeCount | Should -Be 5

        $world = Get-TestWorld $Name
        ($access | Add-CmekRegion -NodeCount 5 -Wait).Changed | Should -BeFalse
        Get-TestWorld $Name | Should -Be $world
    }

    It 'takes a region by hand, and one from a manifest' {
        $status = Add-CmekRegion $Name -Region $New -KeyUri $access.KeyUri -AuthPrincipal $access.AuthPrincipal -NodeCount 3 -Wait
        ($status.Regions | Where-Object Region -eq $New).State | Should -Be 'ENABLED'

        $path = Join-Path $TestDrive "region-$Name.json"
        $null = New-CmekKey $Name -Region $Another -NewRegion | Grant-CmekAccess -WarningAction SilentlyContinue | Export-CmekManifest -Path $path -Force
        $status = Add-CmekRegion $Name -ManifestPath $path -NodeCount 3 -Wait
        ($status.Regions | Where-Object Region -eq $Another).State | Should -Be 'ENABLED'
    }

    It 'refuses a region that is there with another key, and a key that the cluster could not use' {
        $called = Get-TestKeyName $Name other
        $other = New-CmekKey $Name -Region $Region[1] @called | Grant-CmekAccess
        $called = Get-TestKeyName $Name closed
        $closed = New-CmekKey $Name -Region $New -NewRegion @called
        $world = Get-TestWorld $Name
        $outcome = Get-TestOutcome { $other | Add-CmekRegion -NodeCount 3 }
        Assert-TestError $outcome.Errors[0] 'RegionExists' ResourceExists -Target "*$($Region[1])*"
        $outcome.Errors[0].ErrorDetails.RecommendedAction | Should -BeLike '*Update-CmekCluster*'

        $outcome = Get-TestOutcome { Add-CmekRegion $Name -Region $New -KeyUri $closed.KeyUri -AuthPrincipal $access.AuthPrincipal -NodeCount 3 }
        Assert-TestError $outcome.Errors[0] 'PreflightFailed' InvalidOperation
        Get-TestWorld $Name | Should -Be $world
    }
}

Describe 'Add-CmekRegion' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'refuses clusters without CMEK, each by itself' {
        $access = @(New-CmekKey shop -Region eu-west-1 -NewRegion | Grant-CmekAccess -WarningAction SilentlyContinue) +
            @(New-CmekKey ledger -Region europe-west1 -NewRegion | Grant-CmekAccess -WarningAction SilentlyContinue)
        $outcome = Get-TestOutcome { $access | Add-CmekRegion -NodeCount 3 }
        $outcome.Output | Should -BeNullOrEmpty
        $outcome.Errors | Should -HaveCount 2
        $outcome.Errors | ForEach-Object { Assert-TestError $_ 'CmekNotEnabled' InvalidOperation }
        { $access | Add-CmekRegion -NodeCount 3 -ErrorAction Stop } | Should -Throw -ErrorId 'CmekNotEnabled,*'
    }

    It 'refuses <_> nodes' -ForEach 0, 1000 {
        $nodes = $_
        { Add-CmekRegion shop -ManifestPath x -NodeCount $nodes } | Should -Throw -ErrorId 'ParameterArgumentValidationError,*'
    }

    It 'says that the manifest or the cluster is not there' {
        { Add-CmekRegion shop -ManifestPath (Join-Path $TestDrive 'none.json') -NodeCount 3 -ErrorAction Stop } | Should -Throw -ErrorId 'ManifestUnreadable,*'
        { Add-CmekRegion nope -ManifestPath (Join-Path $TestDrive 'none.json') -NodeCount 3 -ErrorAction Stop } | Should -Throw -ErrorId 'ClusterNotFound,*'
    }
}
