#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

BeforeDiscovery {
    $clouds = @(
        @{ Cloud = 'AWS'; Name = 'shop'; Region = 'us-east-1', 'us-west-2'; Uri = 'arn:aws:kms:{0}:*:key/*'; Days = 365; Label = 'cmektools:cluster-id' }
        @{ Cloud = 'GCP'; Name = 'ledger'; Region = 'us-central1', 'us-east1'; Uri = 'projects/*/locations/{0}/keyRings/cmektools/cryptoKeys/*'; Days = 90; Label = 'cmektools-cluster-id' }
    )
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
}

Describe 'New-CmekKey on <Cloud>' -ForEach $clouds {
    BeforeEach {
        $null = Connect-TestSandbox $TestDrive
        $id = (Get-CmekCluster $Name).Id
    }

    AfterEach {
        Disconnect-TestSandbox
    }

    It 'makes one key a region, in the order of the regions' {
        $keys = New-CmekKey $Name
        $keys | Should -BeOfType CmekTools.CmekKey
        $keys.Region | Should -Be $Region
        $keys.State | Should -Be 'Enabled', 'Enabled'
        $keys.Changed | Should -Be $true, $true
        $keys.ClusterName | Should -Be $Name, $Name
        foreach ($key in $keys) {
            $key.KeyUri | Should -BeLike ($Uri -f $key.Region)
            $key.Location | Should -Be $key.Region
            $key.Tags[$Label] | Should -Be $id
            $key.Changes | Should -Not -BeNullOrEmpty
        }
    }

    It 'finds the same keys the second time and changes nothing' {
        $first = New-CmekKey $Name -EnableRotation
        $world = Get-TestWorld $Name
        $again = New-CmekKey $Name -EnableRotation
        $again.KeyUri | Should -Be $first.KeyUri
        $again.Changed | Should -Be $false, $false
        $again | ForEach-Object { $_.Changes.Count } | Should -Be 0, 0
        Get-TestWorld $Name | Should -Be $world
    }

    It 'changes nothing with -WhatIf, and gives planned keys' {
        $world = Get-TestWorld $Name
        $planned = New-CmekKey $Name -EnableRotation -WhatIf
        $planned.State | Should -Be 'Planned', 'Planned'
        $planned.Region | Should -Be $Region
        Get-CmekJournal | Should -BeNullOrEmpty
        Get-TestWorld $Name | Should -Be $world

        $outcome = Get-TestOutcome { $planned | Grant-CmekAccess }
        $outcome.Errors | Should -HaveCount 2
        Assert-TestError $outcome.Errors[0] 'KeyPlanned' InvalidArgument
        Get-CmekJournal | Should -BeNullOrEmpty
    }

    It 'rotates new keys unless told not to, switches it on for one that is there, and never off' {
        $key = New-CmekKey $Name -Region $Region[0] -NoRotation
        $key.RotationEnabled | Should -BeFalse
        $rotating = New-CmekKey $Name -Region $Region[0] -EnableRotation
        $rotating.RotationEnabled | Should -BeTrue
        $rotating.RotationPeriodDays | Should -Be $Days
        $rotating.KeyUri | Should -Be $key.KeyUri
        $rotating.Changed | Should -BeTrue
        (New-CmekKey $Name -Region $Region[0]).RotationEnabled | Should -BeTrue
    }

    It 'takes a rotation period' {
        $key = New-CmekKey $Name -Region $Region[0] -RotationPeriod 120.00:00:00
        $key.RotationEnabled | Should -BeTrue
        $key.RotationPeriodDays | Should -Be 120
    }

    It 'puts tags on by -Tag and by its alias -Label' {
        (New-CmekKey $Name -Region $Region[0] -Tag @{ owner = 'security' }).Tags['owner'] | Should -Be 'security'
        (New-CmekKey $Name -Region $Region[0] -Label @{ team = 'sre' }).Tags['team'] | Should -Be 'sre'
        (Get-CmekKey -ClusterName $Name).Tags['owner'] | Should -Be 'security' -Because 'tags are added, never taken away'
    }

    It 'makes the key of a region that is still to be added only with -NewRegion' {
        $new = $Cloud -eq 'AWS' ? 'eu-west-1' : 'europe-west1'
        $outcome = Get-TestOutcome { New-CmekKey $Name -Region $new }
        Assert-TestError $outcome.Errors[0] 'RegionUnknown' InvalidArgument -Target $new
        $key = New-CmekKey $Name -Region $new -NewRegion
        $key.Region | Should -Be $new
        $key.State | Should -Be 'Enabled'
    }

    It 'goes on with the next region after one that fails' {
        $null = New-CmekKey $Name -Region $Region[0] | Remove-CmekKey -Confirm:$false
        $outcome = Get-TestOutcome { New-CmekKey $Name }
        Assert-TestError $outcome.Errors[0] 'KeyPendingDeletion' InvalidOperation
        $outcome.Errors | Should -HaveCount 1
        $outcome.Output.Region | Should -Be $Region[1]
    }
}

Describe 'New-CmekKey on <Cloud>, bound in many ways' -ForEach $clouds {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $id = (Get-CmekCluster $Name).Id
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'binds a cluster by <How>' -TestCases @(
        @{ How = 'value' }
        @{ How = 'the property ClusterId' }
        @{ How = 'the property Id' }
        @{ How = 'the parameter Cluster' }
        @{ How = 'the alias Name' }
    ) {
        $cluster = Get-CmekCluster $Name
        $keys = switch ($How) {
            'value' { $cluster | New-CmekKey }
            'the property ClusterId' { [pscustomobject]@{ ClusterId = $id } | New-CmekKey }
            'the property Id' { [pscustomobject]@{ Id = $id } | New-CmekKey }
            'the parameter Cluster' { New-CmekKey -Cluster $cluster }
            'the alias Name' { New-CmekKey -Name $Name }
        }
        $keys.Region | Should -Be $Region
        $keys.ClusterId | Should -Be $id, $id
    }
}

Describe 'New-CmekKey' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'takes clusters on both clouds through one pipeline' {
        # Each comes when it is known: whose is first is chance.
        $made = Get-CmekCluster | New-CmekKey | ForEach-Object { "$($_.Provider) $($_.Region)" } | Sort-Object
        $made | Should -Be 'AWS us-east-1', 'AWS us-west-2', 'GCP us-central1', 'GCP us-east1'
    }

    It 'gives a key the alias asked for (AWS)' {
        $key = New-CmekKey shop -Region us-east-1 -AliasName 'team/shop_1'
        $key.Alias | Should -Be 'alias/team/shop_1'
        (New-CmekKey shop -Region us-east-1 -AliasName 'team/shop_1').KeyUri | Should -Be $key.KeyUri
    }

    It 'does not take over another cluster''s alias (AWS)' {
        $other = Connect-TestSandbox $TestDrive -Cluster 'one=AWS:us-east-1', 'two=AWS:us-east-1'
        try {
            $null = New-CmekKey one -AliasName shared -Session $other.Session
            $outcome = Get-TestOutcome { New-CmekKey two -AliasName shared -Session $other.Session }
            Assert-TestError $outcome.Errors[0] 'AliasTaken' ResourceExists
        }
        finally {
            Disconnect-TestSandbox
            $null = Connect-CmekCloud -Sandbox (Get-TestSandbox)
        }
    }

    It 'makes a primary and a replica of one multi-region key (AWS)' {
        $keys = New-CmekKey shop -MultiRegion -AliasName many
        $keys.MultiRegion | Should -Be $true, $true
        $keys.KeyUri | ForEach-Object { $_.Split('/')[1] } | Sort-Object -Unique | Should -HaveCount 1
        $keys.KeyUri | ForEach-Object { $_.Split(':')[3] } | Should -Be 'us-east-1', 'us-west-2'
    }

    It 'takes ring, name, location and protection level (Google Cloud)' {
        $key = New-CmekKey ledger -Region us-east1 -KeyRing own-ring -KeyName own-key -Location us -ProtectionLevel HSM
        $key.KeyUri | Should -BeLike 'projects/*/locations/us/keyRings/own-ring/cryptoKeys/own-key'
        $key.ProtectionLevel | Should -Be 'HSM'
    }

    It 'warns of a location that is far away (Google Cloud)' {
        $null = New-CmekKey ledger -Region us-central1 -Location europe-west1 -KeyName far -WarningVariable warned -WarningAction SilentlyContinue
        "$warned" | Should -BeLike '*far from us-central1*'
    }

    It 'does not change the protection level of a key that is there (Google Cloud)' {
        $null = New-CmekKey ledger -Region us-east1 -KeyName level
        $outcome = Get-TestOutcome { New-CmekKey ledger -Region us-east1 -KeyName level -ProtectionLevel HSM }
        Assert-TestError $outcome.Errors[0] 'ProtectionLevelDiffers' InvalidOperation
    }

    It 'refuses a rotation period of <Period> for <Name>' -TestCases @(
        @{ Period = '30.00:00:00'; Name = 'shop' }
        @{ Period = '2561.00:00:00'; Name = 'shop' }
        @{ Period = '12:00:00'; Name = 'shop' }
        @{ Period = '12:00:00'; Name = 'ledger' }
        @{ Period = '1.12:00:00'; Name = 'ledger' }
    ) {
        $world = Get-TestWorld
        $outcome = Get-TestOutcome { try { New-CmekKey $Name -RotationPeriod $Period } catch { $_ } }
        $outcome.Output | Should -BeNullOrEmpty
        $outcome.Errors | Should -Not -BeNullOrEmpty
        $outcome.Errors | ForEach-Object { Assert-TestError $_ 'RotationPeriodInvalid' InvalidArgument }
        Get-TestWorld | Should -Be $world
    }

    It 'says that there is no cluster nope' {
        $name = 'nope'
        $outcome = Get-TestOutcome { New-CmekKey $name }
        Assert-TestError $outcome.Errors[0] 'ClusterNotFound' ObjectNotFound -Target ([WildcardPattern]::Escape($name))
        { New-CmekKey $name -ErrorAction Stop } | Should -Throw -ErrorId 'ClusterNotFound,*'
    }

    It 'goes on with the next record after a cluster that is not there' {
        $id = (Get-CmekCluster ledger).Id
        $outcome = Get-TestOutcome { [pscustomobject]@{ ClusterId = [guid]::Empty }, [pscustomobject]@{ ClusterId = $id } | New-CmekKey -Region us-east1 }
        Assert-TestError $outcome.Errors[0] 'CloudApiNotFound' ObjectNotFound -Target ([guid]::Empty)
        $outcome.Output.ClusterName | Should -Be 'ledger'
    }

    It 'refuses -<Parameter> <Value>' -TestCases @(
        @{ Parameter = 'AliasName'; Value = 'alias with spaces' }
        @{ Parameter = 'AliasName'; Value = 'alias:colon' }
        @{ Parameter = 'KeyRing'; Value = 'a/b' }
        @{ Parameter = 'KeyName'; Value = '' }
        @{ Parameter = 'ProtectionLevel'; Value = 'EXTERNAL' }
        @{ Parameter = 'Tag'; Value = $null }
    ) {
        $parameters = @{ $Parameter = $Value }
        { New-CmekKey shop @parameters } | Should -Throw -ErrorId 'ParameterArgumentValidationError*'
    }

    It 'does not take a name and an id at once' {
        { New-CmekKey -ClusterName shop -ClusterId x } | Should -Throw -ErrorId 'ParameterAlreadyBound,*'
    }
}

Describe 'Get-CmekKey on <Cloud>' -ForEach $clouds {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $access = Enable-TestCluster $Name
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'finds the keys that were made for a cluster' {
        $keys = Get-CmekKey -ClusterName $Name
        $keys | Should -BeOfType CmekTools.CmekKey
        $keys.Region | Should -Be $Region
        $keys.KeyUri | Should -Be $access.KeyUri
        $keys.Changed | Should -Be $false, $false
    }

    It 'reads keys by URI: <How>' -TestCases @(
        @{ How = 'by position' }
        @{ How = 'by value' }
        @{ How = 'by the property KeyUri' }
        @{ How = 'by the alias KeyId' }
        @{ How = 'by the property Arn' }
        @{ How = 'from accesses' }
        @{ How = 'from region statuses' }
    ) {
        $uris = $access.KeyUri
        $keys = switch ($How) {
            'by position' { Get-CmekKey $uris -Ordered }
            'by value' { $uris | Get-CmekKey -Ordered }
            'by the property KeyUri' { $uris | ForEach-Object { [pscustomobject]@{ KeyUri = $_ } } | Get-CmekKey -Ordered }
            'by the alias KeyId' { Get-CmekKey -KeyId $uris -Ordered }
            'by the property Arn' { $uris | ForEach-Object { [pscustomobject]@{ Arn = $_ } } | Get-CmekKey -Ordered }
            'from accesses' { $access | Get-CmekKey -Ordered }
            'from region statuses' { (Get-CmekStatus $Name).Regions | Get-CmekKey -Ordered }
        }
        $keys.KeyUri | Should -Be $uris
        $keys.State | Should -Be 'Enabled', 'Enabled'
        $keys.RotationEnabled | Should -Be $true, $true
    }

    It 'says that a key is not there, and goes on' {
        $gone = $Cloud -eq 'AWS' ? 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab' : ($access[0].KeyUri + '-gone')
        $outcome = Get-TestOutcome { $gone, $access[1].KeyUri | Get-CmekKey }
        Assert-TestError $outcome.Errors[0] 'KeyNotFound' ObjectNotFound -Target $gone
        $outcome.Output.KeyUri | Should -Be $access[1].KeyUri
    }
}

Describe 'Get-CmekKey' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'gives nothing for a cluster without keys' {
        $outcome = Get-TestOutcome { Get-CmekKey -ClusterName shop; Get-CmekKey -ClusterName ledger }
        $outcome.Output | Should -BeNullOrEmpty
        $outcome.Errors | Should -BeNullOrEmpty
    }

    It 'refuses <_>, which is no key that a cluster takes' -ForEach @(
        'alias/shop', '1234abcd-12ab-34cd-56ef-1234567890ab', 'arn:aws:kms:us-east-1:111122223333:alias/shop', 'arn:aws:s3:::bucket'
        'projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1', 'projects/p/locations/l/keyRings/r'
    ) {
        $uri = $_
        $outcome = Get-TestOutcome { Get-CmekKey $uri }
        $outcome.Output | Should -BeNullOrEmpty
        Assert-TestError $outcome.Errors[0] 'KeyUriInvalid' InvalidArgument -Target $uri
        { Get-CmekKey $uri -ErrorAction Stop } | Should -Throw -ErrorId 'KeyUriInvalid,*'
    }

    It 'does not take URIs and a cluster at once' {
        { Get-CmekKey -KeyUri x -ClusterName shop } | Should -Throw -ErrorId 'AmbiguousParameterSet,*'
    }
}

Describe 'Get-CmekKeyUse on <Cloud>' -ForEach $clouds {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $access = Enable-TestCluster $Name
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'names the cluster that lists the key, and says that it keeps the key' {
        $use = Get-CmekKeyUse $access[0].KeyUri
        $use | Should -BeOfType CmekTools.CmekKeyUse
        $keeping = $use | Where-Object { $_.KeepsKey -and "$($_.Name)" -like "*$Name*" }
        $keeping | Should -Not -BeNullOrEmpty
        $use.KeyUri | Sort-Object -Unique | Should -Be $access[0].KeyUri
    }

    It 'takes keys from the pipeline, and changes nothing' {
        $world = Get-TestWorld $Name
        ($access | Get-CmekKeyUse).KeyUri | Sort-Object -Unique | Should -Be @($access.KeyUri | Sort-Object)
        Get-TestWorld $Name | Should -Be $world
    }
}

Describe 'Remove-CmekKey on <Cloud>' -ForEach $clouds {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $access = Enable-TestCluster $Name
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    BeforeEach {
        # One a test, so that no test depends on another one.
        $called = Get-TestKeyName $Name "spare-$(Get-Random)"
        $spare = New-CmekKey $Name -Region $Region[0] @called
    }

    It 'schedules the deletion of a key that no cluster lists: <How>' -TestCases @(
        @{ How = 'by position' }
        @{ How = 'by value' }
        @{ How = 'a key' }
        @{ How = 'by the property KeyUri' }
    ) {
        $removed = switch ($How) {
            'by position' { Remove-CmekKey $spare.KeyUri -Confirm:$false }
            'by value' { $spare.KeyUri | Remove-CmekKey -Confirm:$false }
            'a key' { $spare | Remove-CmekKey -Confirm:$false }
            'by the property KeyUri' { [pscustomobject]@{ KeyUri = $spare.KeyUri } | Remove-CmekKey -Confirm:$false }
        }
        $removed | Should -BeOfType CmekTools.CmekKey
        $removed.State | Should -Be 'PendingDeletion'
        $removed.DeletionDate | Should -BeGreaterThan ([DateTimeOffset]::UtcNow.AddDays(1))
        (Get-CmekKey $spare.KeyUri).State | Should -Be 'PendingDeletion'
    }

    It 'changes nothing the second time' {
        $null = $spare | Remove-CmekKey -Confirm:$false
        $world = Get-TestWorld $Name
        $again = $spare | Remove-CmekKey -Confirm:$false
        $again.State | Should -Be 'PendingDeletion'
        $again.Changed | Should -BeFalse
        Get-TestWorld $Name | Should -Be $world
    }

    It 'changes nothing with -WhatIf' {
        $world = Get-TestWorld $Name
        ($spare | Remove-CmekKey -WhatIf).State | Should -Be 'Enabled'
        (Get-CmekKey $spare.KeyUri).State | Should -Be 'Enabled'
        Get-TestWorld $Name | Should -Be $world
    }

    It 'asks before it does anything' {
        $run = Invoke-UnattendedScript "Remove-CmekKey '$($spare.KeyUri)'"
        @($run.Errors) + @($run.Ended) | Should -Not -BeNullOrEmpty -Because 'nobody could answer'
        (Get-CmekKey $spare.KeyUri).State | Should -Be 'Enabled'
    }

    It 'does not touch a key that a cluster lists, and goes on with the next record' {
        $outcome = Get-TestOutcome { $access[0].KeyUri, $spare.KeyUri | Remove-CmekKey -Confirm:$false }
        $outcome.Errors | Should -HaveCount 1
        Assert-TestError $outcome.Errors[0] 'KeyInUse' InvalidOperation -Target $access[0].KeyUri
        $outcome.Errors[0].Exception.Message | Should -BeLike "*$Name/$($Region[0])*"
        $outcome.Output.KeyUri | Should -Be $spare.KeyUri
        (Get-CmekKey $access[0].KeyUri).State | Should -Be 'Enabled'
    }

    It 'does not touch a key that a cluster has used before' {
        $null = $spare | Grant-CmekAccess -ClusterName $Name -Region $Region[0] | Update-CmekCluster -Wait -WarningAction SilentlyContinue
        $null = $access[0] | Update-CmekCluster -Wait -WarningAction SilentlyContinue
        { $spare | Remove-CmekKey -Confirm:$false -ErrorAction Stop } | Should -Throw -ErrorId 'KeyInUse,*'
        (Get-CmekKey $spare.KeyUri).State | Should -Be 'Enabled'
    }
}

Describe 'Remove-CmekKey' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'takes the waiting time in days (AWS)' {
        $key = New-CmekKey shop -Region us-east-1 -AliasName soon | Remove-CmekKey -PendingWindowInDays 7 -Confirm:$false
        $key.DeletionDate | Should -BeLessThan ([DateTimeOffset]::UtcNow.AddDays(8))
    }

    It 'refuses -PendingWindowInDays <_>' -ForEach 6, 31 {
        $days = $_
        { Remove-CmekKey x -PendingWindowInDays $days } | Should -Throw -ErrorId 'ParameterArgumentValidationError,*'
    }

    It 'says <Id> for <Uri>' -TestCases @(
        @{ Uri = 'alias/shop'; Id = 'KeyUriInvalid'; Category = 'InvalidArgument' }
        @{ Uri = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'; Id = 'KeyNotFound'; Category = 'ObjectNotFound' }
    ) {
        $outcome = Get-TestOutcome { Remove-CmekKey $Uri -Confirm:$false }
        Assert-TestError $outcome.Errors[0] $Id $Category -Target $Uri
        Get-CmekJournal $Uri | Should -BeNullOrEmpty
    }
}
