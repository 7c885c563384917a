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

Describe 'Export-CmekManifest and Import-CmekManifest on <Cloud>' -ForEach $clouds {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $access = Enable-TestCluster $Name
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    BeforeEach {
        $path = Join-Path $TestDrive "$([guid]::NewGuid()).json"
    }

    It 'write the vendor''s form: <How>' -TestCases @(
        @{ How = 'by name' }
        @{ How = 'a cluster' }
        @{ How = 'accesses' }
    ) {
        $text = switch ($How) {
            'by name' { Export-CmekManifest $Name }
            'a cluster' { Get-CmekCluster $Name | Export-CmekManifest }
            'accesses' { $access | Export-CmekManifest }
        }
        $text | Should -BeOfType string
        $specs = ($text | ConvertFrom-Json).region_specs
        $specs.region | Should -Be $Region
        $specs.key_spec.type | Should -Be $KeyType, $KeyType
        $specs.key_spec.uri | Should -Be $access.KeyUri
        $specs.key_spec.auth_principal | Should -Be $access.AuthPrincipal
    }

    It 'write a file and read the same accesses from it: <How>' -TestCases @(
        @{ How = 'by position' }
        @{ How = 'a file object' }
        @{ How = 'by the property ManifestPath' }
    ) {
        $file = Export-CmekManifest $Name $path
        $file | Should -BeOfType System.IO.FileInfo
        $file.FullName | Should -Be $path
        $read = switch ($How) {
            'by position' { Import-CmekManifest $path $Name }
            'a file object' { $file | Import-CmekManifest -ClusterName $Name }
            'by the property ManifestPath' { [pscustomobject]@{ ManifestPath = $path } | Import-CmekManifest -ClusterName $Name }
        }
        $read | Should -BeOfType CmekTools.CmekAccess
        $read | ForEach-Object { "$_" } | Should -Be ($access | ForEach-Object { "$_" })
        $read | Export-CmekManifest | Should -Be (Get-Content $path -Raw)
    }

    It 'write no file with -WhatIf, and nothing into the journal' {
        $journal = (Get-CmekJournal).Count
        Export-CmekManifest $Name $path -WhatIf | Should -BeNullOrEmpty
        $path | Should -Not -Exist
        $null = Export-CmekManifest $Name $path
        (Get-CmekJournal).Count | Should -Be $journal
    }

    It 'leave a file that says the same, and overwrite another one only with -Force' {
        $null = Export-CmekManifest $Name $path
        $time = (Get-Item $path).LastWriteTimeUtc
        (Export-CmekManifest $Name $path).FullName | Should -Be $path
        (Get-Item $path).LastWriteTimeUtc | Should -Be $time

        Set-Content $path 'mine' -NoNewline
        $outcome = Get-TestOutcome { Export-CmekManifest $Name $path }
        Assert-TestError $outcome.Errors[0] 'FileExists' ResourceExists -Target $path
        Get-Content $path -Raw | Should -Be 'mine'
        $null = Export-CmekManifest $Name $path -Force
        Get-Content $path -Raw | Should -BeLike '*region_specs*'
    }

    It 'write Terraform' {
        $text = Export-CmekManifest $Name -As Terraform
        $text | Should -BeLike "*resource `"cockroach_cmek`" `"$Name`"*"
        foreach ($uri in $access.KeyUri) {
            $text | Should -BeLike "*$uri*"
        }
    }

    It 'refuse a file for another cloud' {
        $null = Export-CmekManifest $Name $path
        $other = $Cloud -eq 'AWS' ? 'ledger' : 'shop'
        $outcome = Get-TestOutcome { Import-CmekManifest $path $other }
        $outcome.Output | Should -BeNullOrEmpty
        Assert-TestError $outcome.Errors[0] 'ManifestInvalid' InvalidData -Target $path
    }
}

Describe 'Export-CmekManifest' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'refuses clusters without keys, each by itself' {
        $outcome = Get-TestOutcome { Get-CmekCluster | Export-CmekManifest }
        $outcome.Output | Should -BeNullOrEmpty
        $outcome.Errors | Should -HaveCount 2
        $outcome.Errors | ForEach-Object { Assert-TestError $_ 'CmekNotEnabled' InvalidOperation }
        { Export-CmekManifest shop -ErrorAction Stop } | Should -Throw -ErrorId 'CmekNotEnabled,*'
    }

    It 'refuses accesses that were only planned' {
        $planned = New-CmekKey shop -WhatIf | Grant-CmekAccess -WhatIf
        $outcome = Get-TestOutcome { $planned | Export-CmekManifest }
        Assert-TestError $outcome.Errors[0] 'AccessPlanned' InvalidArgument
    }

    It 'says that it cannot write the file' {
        $access = New-CmekKey shop | Grant-CmekAccess
        $path = Join-Path $TestDrive 'no-such-folder/x.json'
        { $access | Export-CmekManifest -Path $path -ErrorAction Stop } | Should -Throw -ErrorId 'FileUnwritable,*'
    }

    It 'writes relative to the current location' {
        $access = New-CmekKey shop | Grant-CmekAccess
        Push-Location $TestDrive
        try {
            ($access | Export-CmekManifest -Path 'relative.json').FullName | Should -Be (Join-Path $TestDrive 'relative.json')
        }
        finally {
            Pop-Location
        }
    }

    It 'knows no other form' {
        { Export-CmekManifest shop -As Yaml } | Should -Throw -ErrorId 'CannotConvertArgumentNoMessage,*'
    }
}

Describe 'Import-CmekManifest' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'refuses a manifest that is <Why>' -TestCases @(
        @{ Why = 'no JSON'; Text = 'x' }
        @{ Why = 'empty'; Text = '{}' }
        @{ Why = 'without regions'; Text = '{"region_specs":[]}' }
        @{ Why = 'without a key'; Text = '{"region_specs":[{"region":"us-east-1"}]}' }
        @{ Why = 'without a region'; Text = '{"region_specs":[{"key_spec":{"type":"AWS_KMS","uri":"x","auth_principal":"y"}}]}' }
        @{ Why = 'without a principal'; Text = '{"region_specs":[{"region":"us-east-1","key_spec":{"type":"AWS_KMS","uri":"x"}}]}' }
    ) {
        $path = Join-Path $TestDrive "$([guid]::NewGuid()).json"
        Set-Content $path $Text
        $outcome = Get-TestOutcome { Import-CmekManifest $path shop }
        $outcome.Output | Should -BeNullOrEmpty
        Assert-TestError $outcome.Errors[0] 'ManifestInvalid' InvalidData -Target $path
        $outcome.Errors[0].ErrorDetails.RecommendedAction | Should -BeLike '*region_specs*'
    }

    It 'goes on with the next file after one that is not there' {
        $good = Join-Path $TestDrive 'good.json'
        $null = New-CmekKey shop | Grant-CmekAccess | Export-CmekManifest -Path $good -Force
        $outcome = Get-TestOutcome { [pscustomobject]@{ Path = Join-Path $TestDrive 'none.json' }, [pscustomobject]@{ Path = $good } | Import-CmekManifest -ClusterName shop }
        $outcome.Errors.FullyQualifiedErrorId | Should -BeLike 'ManifestUnreadable,*'
        $outcome.Errors.CategoryInfo.Category | Should -Be 'ReadError'
        $outcome.Output | Should -HaveCount 2
        { Import-CmekManifest (Join-Path $TestDrive 'none.json') shop -ErrorAction Stop } | Should -Throw -ErrorId 'ManifestUnreadable,*'
    }

    It 'says that there is no such cluster' {
        $outcome = Get-TestOutcome { Import-CmekManifest x nope }
        Assert-TestError $outcome.Errors[0] 'ClusterNotFound' ObjectNotFound -Target 'nope'
    }
}
