#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

BeforeDiscovery {
    $clouds = @(
        @{ Cloud = 'AWS'; Name = 'shop'; Region = 'us-east-1', 'us-west-2'; KeyType = 'AWS_KMS' }
        @{ Cloud = 'GCP'; Name = 'ledger'; Region = 'us-central1', 'us-east1'; KeyType = 'GCP_CLOUD_KMS' }
    )
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
}

Describe 'Get-CmekCluster' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive -Cluster 'shop=AWS:us-east-1,us-west-2', 'shelf=AWS:eu-west-1', 'ledger=GCP:us-central1,us-east1'
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'lists all clusters, by name' {
        $clusters = Get-CmekCluster
        $clusters | Should -BeOfType CmekTools.CmekCluster
        $clusters.Name | Should -Be 'ledger', 'shelf', 'shop'
        $clusters.SupportsCmek | Should -Not -Contain $false
    }

    It 'takes <_> as names, by position' -ForEach 'sh*', 'SHOP', 'sho?', '[s]hop' {
        (Get-CmekCluster $_).Name | Should -Contain 'shop'
        (Get-CmekCluster $_).Name | Should -Not -Contain 'ledger'
    }

    It 'takes several names, from the pipeline too' {
        (Get-CmekCluster shop, ledger).Name | Should -Be 'shop', 'ledger'
        ('shop', 'ledger' | Get-CmekCluster).Name | Should -Be 'shop', 'ledger'
    }

    It 'takes ids, by parameter and by the property <_>' -ForEach 'ClusterId', 'Id' {
        $id = (Get-CmekCluster shop).Id
        (Get-CmekCluster -ClusterId $id).Name | Should -Be 'shop'
        ([pscustomobject]@{ $_ = $id } | Get-CmekCluster).Name | Should -Be 'shop'
    }

    It 'takes a status' {
        (Get-CmekStatus ledger | Get-CmekCluster).Name | Should -Be 'ledger'
    }

    It 'gives nothing and no error for a pattern that matches nothing' {
        $outcome = Get-TestOutcome { Get-CmekCluster 'x*' }
        $outcome.Output | Should -BeNullOrEmpty
        $outcome.Errors | Should -BeNullOrEmpty
    }

    It 'says which name is not there, proposes a near one, and still gives the others' {
        $outcome = Get-TestOutcome { Get-CmekCluster shpo, ledger }
        $outcome.Output.Name | Should -Be 'ledger'
        $outcome.Errors | Should -HaveCount 1
        Assert-TestError $outcome.Errors[0] 'ClusterNotFound' ObjectNotFound -Target 'shpo'
        $outcome.Errors[0].Exception.Message | Should -BeLike '*Did you mean shop?*'
    }

    It 'goes on with the next record after one that is not there' {
        $id = (Get-CmekCluster shop).Id
        $outcome = Get-TestOutcome { [pscustomobject]@{ Id = "$([guid]::Empty)" }, [pscustomobject]@{ Id = $id } | Get-CmekCluster }
        $outcome.Output.Name | Should -Be 'shop'
        Assert-TestError $outcome.Errors[0] 'CloudApiNotFound' ObjectNotFound
    }

    It 'ends with -ErrorAction Stop' {
        { Get-CmekCluster nope -ErrorAction Stop } | Should -Throw -ErrorId 'ClusterNotFound,*'
    }

    It 'does not take a name and an id at once' {
        { Get-CmekCluster -Name shop -ClusterId ([guid]::Empty) } | Should -Throw -ErrorId 'ParameterAlreadyBound,*'
    }

    It 'stops asking when the pipeline has enough' {
        Get-CmekCluster | Select-Object -First 1 | Should -HaveCount 1
    }
}

Describe 'New-CmekCluster' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'makes an Advanced, private cluster on <Cloud> and waits for it' -TestCases @(
        @{ Cloud = 'AWS'; Nodes = @{ 'us-east-1' = 3; 'eu-west-1' = 5 } }
        @{ Cloud = 'GCP'; Nodes = @{ 'us-central1' = 3 } }
    ) {
        $name = "made-$($Cloud.ToLowerInvariant())"
        $cluster = New-CmekCluster $name -Provider $Cloud -RegionNodes $Nodes -Wait
        $cluster | Should -BeOfType CmekTools.CmekCluster
        $cluster.State | Should -Be 'CREATED'
        $cluster.Plan | Should -Be 'ADVANCED'
        $cluster.NetworkVisibility | Should -Be 'PRIVATE'
        $cluster.Regions.Name | Should -Be @($Nodes.Keys | Sort-Object)
        foreach ($region in $cluster.Regions) {
            $region.NodeCount | Should -Be $Nodes[$region.Name]
        }
    }

    It 'gives the same cluster the second time and makes none' {
        $first = New-CmekCluster twice-01 -Provider AWS -RegionNodes @{ 'us-east-1' = 3 } -Wait
        $world = Get-TestWorld
        (New-CmekCluster twice-01 -Provider AWS -RegionNodes @{ 'us-east-1' = 3 }).Id | Should -Be $first.Id
        Get-TestWorld | Should -Be $world
    }

    It 'sends nothing and gives nothing with -WhatIf' {
        $world = Get-TestWorld
        New-CmekCluster planned -Provider GCP -RegionNodes @{ 'us-central1' = 3 } -Wait -WhatIf | Should -BeNullOrEmpty
        Get-TestWorld | Should -Be $world
    }

    It 'refuses a name that <Why>' -TestCases @(
        @{ Why = 'another cluster has, in other regions'; Name = 'orders-1'; Provider = 'AWS'; Nodes = @{ 'eu-west-1' = 3 } }
        @{ Why = 'another cluster has, on another cloud'; Name = 'orders-1'; Provider = 'GCP'; Nodes = @{ 'us-central1' = 3 } }
    ) {
        $null = New-CmekCluster orders-1 -Provider AWS -RegionNodes @{ 'us-east-1' = 3 }
        $outcome = Get-TestOutcome { New-CmekCluster $Name -Provider $Provider -RegionNodes $Nodes }
        $outcome.Output | Should -BeNullOrEmpty
        Assert-TestError $outcome.Errors[0] 'ClusterExists' ResourceExists -Target '*orders-1*'
    }

    It 'refuses <_> nodes' -ForEach 0, -1, 'three', 1.5 {
        $outcome = Get-TestOutcome { New-CmekCluster bad-nodes -Provider AWS -RegionNodes @{ 'us-east-1' = $_ } }
        Assert-TestError $outcome.Errors[0] 'RegionNodesInvalid' InvalidArgument -Target $_
    }

    It 'refuses the name "<_>"' -ForEach 'short', 'ends-with-', 'under_score', ('x' * 41) {
        $name = $_
        { New-CmekCluster $name -Provider AWS -RegionNodes @{ 'us-east-1' = 3 } } | Should -Throw -ErrorId 'ParameterArgumentValidationError,*'
    }

    It 'refuses the provider UNKNOWN' {
        { New-CmekCluster orders-2 -Provider UNKNOWN -RegionNodes @{ 'us-east-1' = 3 } } | Should -Throw -ErrorId '*,CmekTools.Module.Commands.NewCmekClusterCommand'
    }
}

Describe 'Enable-CmekCluster on <Cloud>' -ForEach $clouds {
    BeforeEach {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterEach {
        Disconnect-TestSandbox
    }

    It 'takes the accesses from the pipeline and waits until every region is ENABLED' {
        $status = Get-CmekCluster $Name | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait
        $status | Should -BeOfType CmekTools.CmekStatus
        $status.ClusterName | Should -Be $Name
        $status.State | Should -Be 'ENABLED'
        $status.Changed | Should -BeTrue
        $status.Regions.Region | Should -Be $Region
        $status.Regions.State | Should -Be 'ENABLED', 'ENABLED'
        $status.Regions.Keys.KeyType | Should -Be $KeyType, $KeyType
    }

    It 'changes nothing the second time' {
        $null = Enable-TestCluster $Name
        $world = Get-TestWorld $Name
        $again = Get-CmekCluster $Name | New-CmekKey -EnableRotation | Grant-CmekAccess | Enable-CmekCluster -Wait
        $again.State | Should -Be 'ENABLED'
        $again.Changed | Should -BeFalse
        Get-TestWorld $Name | Should -Be $world
    }

    It 'takes regions, keys and one principal by hand' {
        $access = New-CmekKey $Name | Grant-CmekAccess
        $status = Enable-CmekCluster $Name -Region $access.Region -KeyUri $access.KeyUri -AuthPrincipal $access[0].AuthPrincipal -Wait
        $status.Regions.KeyUri | Should -Be $access.KeyUri
        $status.State | Should -Be 'ENABLED'
    }

    It 'takes a manifest' {
        $path = Join-Path $TestDrive "enable-$Name.json"
        $null = New-CmekKey $Name | Grant-CmekAccess | Export-CmekManifest -Path $path -Force
        (Enable-CmekCluster $Name -ManifestPath $path -Wait).State | Should -Be 'ENABLED'
    }

    It 'changes nothing with -WhatIf, nor does the whole pipeline' {
        $access = New-CmekKey $Name | Grant-CmekAccess
        $world = Get-TestWorld $Name
        $null = $access | Enable-CmekCluster -Wait -WhatIf
        $null = New-CmekKey $Name -AliasName other -WhatIf | Grant-CmekAccess -WhatIf | Enable-CmekCluster -WhatIf
        Get-TestWorld $Name | Should -Be $world
        (Get-CmekStatus $Name).State | Should -Be 'DISABLED'
    }

    It 'leaves no journal after a -WhatIf run of the whole pipeline' {
        $planned = New-CmekKey $Name -WhatIf | Grant-CmekAccess -WhatIf
        $planned.Planned | Should -Be $true, $true
        $null = $planned | Enable-CmekCluster -WhatIf
        Get-CmekJournal | Should -BeNullOrEmpty
        Get-CmekKey -ClusterName $Name | Should -BeNullOrEmpty
        $outcome = Get-TestOutcome { $planned | Enable-CmekCluster }
        Assert-TestError $outcome.Errors[0] 'AccessPlanned' InvalidArgument
    }

    It 'refuses a cluster of which a region has no key, and names it' {
        $access = New-CmekKey $Name -Region $Region[0] | Grant-CmekAccess
        $outcome = Get-TestOutcome { $access | Enable-CmekCluster }
        Assert-TestError $outcome.Errors[0] 'RegionWithoutKey' InvalidArgument -Target "*$Name*"
        $outcome.Errors[0].Exception.Message | Should -BeLike "*$($Region[1])*"
        (Get-CmekStatus $Name).State | Should -Be 'DISABLED'
    }

    It 'refuses keys that the cluster could not use, before anything is sent' {
        $access = New-CmekKey $Name | Grant-CmekAccess
        $called = Get-TestKeyName $Name closed
        $closed = New-CmekKey $Name @called
        $world = Get-TestWorld $Name
        $outcome = Get-TestOutcome { Enable-CmekCluster $Name -Region $closed.Region -KeyUri $closed.KeyUri -AuthPrincipal $access[0].AuthPrincipal }
        Assert-TestError $outcome.Errors[0] 'PreflightFailed' InvalidOperation
        Get-TestWorld $Name | Should -Be $world
    }

    It 'does not move a cluster that has other keys' {
        $null = Enable-TestCluster $Name
        $called = Get-TestKeyName $Name other
        $other = New-CmekKey $Name @called | Grant-CmekAccess
        $outcome = Get-TestOutcome { $other | Enable-CmekCluster }
        Assert-TestError $outcome.Errors[0] 'AlreadyEnabled' InvalidOperation
        $outcome.Errors[0].ErrorDetails.RecommendedAction | Should -BeLike '*Update-CmekCluster*'
    }
}

Describe 'Enable-CmekCluster' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'takes a set of clusters on both clouds, and goes on after one that fails' {
        $access = @(New-CmekKey shop -Region us-east-1 | Grant-CmekAccess) + @(New-CmekKey ledger | Grant-CmekAccess)
        $outcome = Get-TestOutcome { $access | Enable-CmekCluster -Wait }
        Assert-TestError $outcome.Errors[0] 'RegionWithoutKey' InvalidArgument
        $outcome.Output | ForEach-Object { "$($_.ClusterName) $($_.State)" } | Should -Be 'ledger ENABLED'
    }

    It 'ends with -ErrorAction Stop' {
        { New-CmekKey shop -Region us-east-1 | Grant-CmekAccess | Enable-CmekCluster -ErrorAction Stop } | Should -Throw -ErrorId 'RegionWithoutKey,*'
    }

    It 'wants as many keys as regions' {
        $outcome = Get-TestOutcome { Enable-CmekCluster shop -Region us-east-1, us-west-2 -KeyUri x -AuthPrincipal y }
        Assert-TestError $outcome.Errors[0] 'RegionKeyCountMismatch' InvalidArgument
    }

    It 'refuses -TimeoutSeconds <_>' -ForEach 0, 604801 {
        $seconds = $_
        { Enable-CmekCluster shop -ManifestPath x -TimeoutSeconds $seconds } | Should -Throw -ErrorId 'ParameterArgumentValidationError,*'
    }

    It 'does not take a manifest and keys at once' {
        { Enable-CmekCluster shop -ManifestPath x -Region us-east-1 -KeyUri x -AuthPrincipal y } | Should -Throw -ErrorId 'AmbiguousParameterSet,*'
    }

    It 'ends the wait with what was seen, and undoes nothing' {
        $slow = Connect-TestSandbox $TestDrive -Cluster 'slow=AWS:us-east-1' -Options @{ StateTime = [timespan]'01:00:00' }
        try {
            $access = New-CmekKey slow | Grant-CmekAccess
            $outcome = Get-TestOutcome { $access | Enable-CmekCluster -Wait -TimeoutSeconds 1 -Session $slow.Session }
            Assert-TestError $outcome.Errors[0] 'StatusTimeout' OperationTimeout
            $outcome.Errors[0].Exception.Message | Should -BeLike '*us-east-1=ENABLING*'
            (Get-CmekStatus slow).State | Should -Be 'ENABLING'
        }
        finally {
            Disconnect-TestSandbox
            $null = Connect-CmekCloud -Sandbox (Get-TestSandbox)
        }
    }
}

Describe 'Update-CmekCluster on <Cloud>' -ForEach $clouds {
    BeforeEach {
        $null = Connect-TestSandbox $TestDrive
        $before = Enable-TestCluster $Name
    }

    AfterEach {
        Disconnect-TestSandbox
    }

    It 'moves one region to another key, warns that the old one has to stay, and leaves the other region' {
        $called = Get-TestKeyName $Name next
        $status = New-CmekKey $Name -Region $Region[0] @called | Grant-CmekAccess |
            Update-CmekCluster -Wait -WarningVariable warned -WarningAction SilentlyContinue
        $status.State | Should -Be 'ENABLED'
        $status.Changed | Should -BeTrue
        $moved = $status.Regions | Where-Object Region -eq $Region[0]
        $moved.KeyUri | Should -Not -Be $before[0].KeyUri
        $moved.Keys.KeyUri | Should -Contain $before[0].KeyUri -Because 'the past key stays listed'
        ($status.Regions | Where-Object Region -eq $Region[1]).KeyUri | Should -Be $before[1].KeyUri
        "$warned" | Should -Not -BeNullOrEmpty
    }

    It 'rotates each key once and wraps the store key anew' {
        $status = Update-CmekCluster $Name -Rewrap -RotateKey -Wait -WarningAction SilentlyContinue
        $status.State | Should -Be 'ENABLED'
        $status.Regions.KeyUri | Should -Be $before.KeyUri
        $rotations = @(Get-CmekJournal | Where-Object { $_.Command -eq 'Update-CmekCluster' -and $_.Target -in $before.KeyUri -and $_.Outcome -eq 'done' })
        $rotations.Target | Sort-Object -Unique | Should -HaveCount 2
        if ($Cloud -eq 'GCP') {
            (Get-CmekKey -ClusterName $Name).PrimaryVersion | Should -Be '2', '2'
        }
    }

    It 'rotates only the region named, for a cluster from the pipeline' {
        $null = Get-CmekCluster $Name | Update-CmekCluster -Rewrap -RotateKey -Region $Region[1] -Wait -WarningAction SilentlyContinue
        $rotations = @(Get-CmekJournal | Where-Object { $_.Command -eq 'Update-CmekCluster' -and $_.Target -in $before.KeyUri })
        $rotations.Target | Sort-Object -Unique | Should -Be $before[1].KeyUri
    }

    It 'takes a manifest' {
        $path = Join-Path $TestDrive "update-$Name.json"
        $called = Get-TestKeyName $Name next
        $next = New-CmekKey $Name @called | Grant-CmekAccess
        $null = $next | Export-CmekManifest -Path $path -Force
        $status = Update-CmekCluster $Name -ManifestPath $path -Wait -WarningAction SilentlyContinue
        $status.Regions.KeyUri | Should -Be $next.KeyUri
    }
}

Describe 'Update-CmekCluster on <Cloud>, where nothing is to change' -ForEach $clouds {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $before = Enable-TestCluster $Name
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'changes nothing where the regions have their keys' {
        $world = Get-TestWorld $Name
        $status = $before | Update-CmekCluster -Wait -WarningAction SilentlyContinue
        $status.Changed | Should -BeFalse
        Get-TestWorld $Name | Should -Be $world
    }

    It 'changes nothing with -WhatIf' {
        $called = Get-TestKeyName $Name next
        $next = New-CmekKey $Name @called | Grant-CmekAccess
        $world = Get-TestWorld $Name
        $null = $next | Update-CmekCluster -Wait -WhatIf -WarningAction SilentlyContinue
        $null = Update-CmekCluster $Name -Rewrap -RotateKey -Wait -WhatIf -WarningAction SilentlyContinue
        Get-TestWorld $Name | Should -Be $world
    }
}

Describe 'Update-CmekCluster' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'refuses clusters without CMEK, each by itself' {
        $outcome = Get-TestOutcome { Get-CmekCluster | Update-CmekCluster -Rewrap }
        $outcome.Output | Should -BeNullOrEmpty
        $outcome.Errors | Should -HaveCount 2
        $outcome.Errors | ForEach-Object { Assert-TestError $_ 'CmekNotEnabled' InvalidOperation }
    }

    It 'wants -Rewrap for a cluster without keys' {
        { Get-CmekCluster shop | Update-CmekCluster -RotateKey -ErrorAction Stop } | Should -Throw
        { Update-CmekCluster shop -RotateKey -ErrorAction Stop } | Should -Throw -ErrorId 'KeysMissing,*'
    }
}

Describe 'Disable-CmekCluster on <Cloud>' -ForEach $clouds {
    BeforeEach {
        $null = Connect-TestSandbox $TestDrive
        $before = Enable-TestCluster $Name
    }

    AfterEach {
        Disconnect-TestSandbox
    }

    It 'changes nothing with -WhatIf; without, waits until every region is DISABLED, warns, leaves keys and grants, and does nothing the second time' {
        $world = Get-TestWorld $Name
        $null = Disable-CmekCluster $Name -WhatIf -WarningAction SilentlyContinue
        Get-TestWorld $Name | Should -Be $world

        $keys = Get-CmekKey -ClusterName $Name | ForEach-Object { "$($_.KeyUri) $($_.State)" }
        $status = Disable-CmekCluster $Name -WarningVariable warned -WarningAction SilentlyContinue
        $status.State | Should -Be 'DISABLED'
        $status.Regions.State | Should -Be 'DISABLED', 'DISABLED'
        $status.Changed | Should -BeTrue
        "$warned" | Should -BeLike '*data and managed backups*'
        Get-CmekKey -ClusterName $Name | ForEach-Object { "$($_.KeyUri) $($_.State)" } | Should -Be $keys
        (New-CmekKey $Name | Grant-CmekAccess).Changed | Should -Be $false, $false

        $world = Get-TestWorld $Name
        $again = Disable-CmekCluster $Name -WarningAction SilentlyContinue
        $again.State | Should -Be 'DISABLED'
        $again.Changed | Should -BeFalse
        Get-TestWorld $Name | Should -Be $world
    }

    It 'refuses where the cluster cannot use its key now, and where it was revoked' {
        $null = Revoke-CmekAccess $Name -KeyOnly -Force
        $outcome = Get-TestOutcome { Disable-CmekCluster $Name }
        Assert-TestError $outcome.Errors[0] 'KeyAccessBroken' InvalidOperation
        (Get-CmekStatus $Name).State | Should -Be 'ENABLED'

        $null = Revoke-CmekAccess $Name -Force
        $outcome = Get-TestOutcome { Disable-CmekCluster $Name }
        Assert-TestError $outcome.Errors[0] 'ClusterRevoked' InvalidOperation
    }
}

Describe 'Disable-CmekCluster on <Cloud>, where nothing is to change' -ForEach $clouds {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $null = Enable-TestCluster $Name
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'binds a cluster by <How>' -TestCases @(
        @{ How = 'value' }
        @{ How = 'the property ClusterId' }
        @{ How = 'the property Id' }
    ) {
        $cluster = Get-CmekCluster $Name
        $record = switch ($How) {
            'value' { $cluster }
            'the property ClusterId' { [pscustomobject]@{ ClusterId = $cluster.Id } }
            'the property Id' { [pscustomobject]@{ Id = $cluster.Id } }
        }
        ($record | Disable-CmekCluster -WhatIf -WarningAction SilentlyContinue).ClusterId | Should -Be $cluster.Id
    }
}

Describe 'Disable-CmekCluster' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive -Options @{ NoDisable = $true }
        $null = Enable-TestCluster
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'says so where the service does not take the request, with the finished ticket, and changes nothing' {
        $outcome = Get-TestOutcome { Get-CmekCluster | Disable-CmekCluster }
        $outcome.Errors | Should -HaveCount 2
        foreach ($record in $outcome.Errors) {
            Assert-TestError $record 'DisableUnsupported' InvalidOperation
            $record.ErrorDetails.RecommendedAction | Should -BeLike '*Disable CMEK on cluster*'
        }

        (Get-CmekCluster | Get-CmekStatus).State | Should -Be 'ENABLED', 'ENABLED'
    }

    It 'goes on with the next record after one that is not there' {
        $id = (Get-CmekCluster ledger).Id
        $outcome = Get-TestOutcome { [pscustomobject]@{ Id = [guid]::Empty }, [pscustomobject]@{ Id = $id } | Disable-CmekCluster }
        $outcome.Errors.FullyQualifiedErrorId | Should -BeLike '*,CmekTools.Module.Commands.DisableCmekClusterCommand'
        $outcome.Errors | ForEach-Object { $_.FullyQualifiedErrorId.Split(',')[0] } | Should -Be 'CloudApiNotFound', 'DisableUnsupported'
    }
}

Describe 'Two clusters whose names differ in their case only' {
    It 'are told apart in the error by name and cloud' {
        $null = Connect-TestSandbox $TestDrive -Cluster 'shop=AWS:us-east-1', 'SHOP=GCP:us-east1'
        try {
            $clusters = Get-CmekCluster
            $outcome = Get-TestOutcome { New-CmekKey shop -WhatIf }
            Assert-TestError $outcome.Errors[0] 'ClusterNameAmbiguous' InvalidArgument
            foreach ($cluster in $clusters) {
                $outcome.Errors[0].ErrorDetails.RecommendedAction | Should -BeLikeExactly "*$($cluster.Id) ($($cluster.Name), $($cluster.Provider))*"
            }
        }
        finally {
            Disconnect-TestSandbox
        }
    }
}

Describe 'Compare-CmekCluster on <Cloud>' -ForEach $clouds {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $access = Enable-TestCluster $Name
        $declared = Join-Path $TestDrive "declared-$Name.json"
        $null = Export-CmekManifest $Name $declared -Force
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'finds nothing where all is as declared: <How>' -TestCases @(
        @{ How = 'by name' }
        @{ How = 'by manifest' }
        @{ How = 'a cluster' }
        @{ How = 'accesses' }
    ) {
        $found = switch ($How) {
            'by name' { Compare-CmekCluster $Name }
            'by manifest' { Compare-CmekCluster $Name -ManifestPath $declared }
            'a cluster' { Get-CmekCluster $Name | Compare-CmekCluster }
            'accesses' { $access | Compare-CmekCluster }
        }
        $found | Should -BeNullOrEmpty
    }

    It 'names a region that has another key than declared, and changes nothing' {
        $world = Get-TestWorld $Name
        $other = Join-Path $TestDrive "other-$Name.json"
        (Get-Content $declared -Raw).Replace($access[0].KeyUri, $access[1].KeyUri) | Set-Content $other
        $found = Compare-CmekCluster $Name -ManifestPath $other | Where-Object Kind -eq 'KeyChanged'
        $found | Should -BeOfType CmekTools.CmekDifference
        $found.Region | Should -Be $Region[0]
        $found.Actual | Should -Be $access[0].KeyUri
        $found.Declared | Should -Be $access[1].KeyUri
        $found.Remedy | Should -Not -BeNullOrEmpty
        Get-TestWorld $Name | Should -Be $world
    }

    It 'names a region that was not declared' {
        $found = $access[0] | Compare-CmekCluster
        ($found | Where-Object Kind -eq 'RegionUndeclared').Region | Should -Be $Region[1]
    }
}

Describe 'Compare-CmekCluster' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'names the clusters whose state is not ENABLED' {
        $access = @(New-CmekKey shop -EnableRotation | Grant-CmekAccess) + @(New-CmekKey ledger -EnableRotation | Grant-CmekAccess)
        $found = foreach ($cluster in $access | Group-Object ClusterName) {
            $cluster.Group | Compare-CmekCluster
        }
        $found.Kind | Sort-Object -Unique | Should -Contain 'StateNotEnabled'
        ($found | Where-Object Kind -eq 'StateNotEnabled').ClusterName | Sort-Object -Unique | Should -Be 'ledger', 'shop'
    }

    It 'says that the manifest is not there' {
        { Compare-CmekCluster shop -ManifestPath (Join-Path $TestDrive 'none.json') -ErrorAction Stop } | Should -Throw -ErrorId 'ManifestUnreadable,*'
    }

    It 'says that the cluster is not there' {
        $outcome = Get-TestOutcome { Compare-CmekCluster nope }
        Assert-TestError $outcome.Errors[0] 'ClusterNotFound' ObjectNotFound -Target 'nope'
    }
}
