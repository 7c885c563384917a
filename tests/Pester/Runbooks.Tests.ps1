#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

BeforeDiscovery {
    $clouds = @(
        @{ Cloud = 'AWS'; Name = 'shop'; New = 'eu-west-1'; Second = @{ RoleName = 'cmek-second' } }
        @{ Cloud = 'GCP'; Name = 'ledger'; New = 'europe-west1'; Second = @{ ServiceAccount = 'cmek-second' } }
    )
    $scripts = Get-ChildItem (Join-Path $PSScriptRoot '../../runbooks') -Filter *.ps1 | ForEach-Object { @{ File = $_.Name; Path = $_.FullName } }
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
    $runbooks = Join-Path (Get-TestRepositoryRoot) 'runbooks'
}

Describe 'The runbooks on <Cloud>' -ForEach $clouds {
    BeforeEach {
        # The warnings are told to a person; here they would only fill the log.
        $WarningPreference = 'SilentlyContinue'
        $null = Connect-TestSandbox $TestDrive
    }

    AfterEach {
        Disconnect-TestSandbox
    }

    It 'enable.ps1 takes a cluster to ENABLED, with -WhatIf not, and changes nothing the second time' {
        $world = Get-TestWorld $Name
        $null = & (Join-Path $runbooks 'enable.ps1') -ClusterName $Name -WhatIf
        Get-TestWorld $Name | Should -Be $world
        Get-CmekJournal | Should -BeNullOrEmpty

        (& (Join-Path $runbooks 'enable.ps1') -ClusterName $Name).State | Should -Be 'ENABLED'
        (Get-CmekStatus $Name).State | Should -Be 'ENABLED'
        Compare-CmekCluster $Name | Should -BeNullOrEmpty

        $world = Get-TestWorld $Name
        (& (Join-Path $runbooks 'enable.ps1') -ClusterName $Name).Changed | Should -BeFalse
        Get-TestWorld $Name | Should -Be $world
    }

    It 'rotate.ps1 makes a new version of each key, with -WhatIf not' {
        $access = Enable-TestCluster $Name
        $world = Get-TestWorld $Name
        $null = & (Join-Path $runbooks 'rotate.ps1') -ClusterName $Name -WhatIf
        Get-TestWorld $Name | Should -Be $world

        $status = & (Join-Path $runbooks 'rotate.ps1') -ClusterName $Name
        $status.State | Should -Be 'ENABLED'
        $status.Regions.KeyUri | Should -Be $access.KeyUri
        $rotated = Get-CmekJournal | Where-Object { $_.Command -eq 'Update-CmekCluster' -and $_.Target -in $access.KeyUri }
        $rotated.Target | Sort-Object -Unique | Should -HaveCount 2
    }

    It 'add-region.ps1 adds a region with its key, with -WhatIf not' {
        $null = Enable-TestCluster $Name
        $world = Get-TestWorld $Name
        $null = & (Join-Path $runbooks 'add-region.ps1') -ClusterName $Name -Region $New -NodeCount 3 -WhatIf
        Get-TestWorld $Name | Should -Be $world

        $status = & (Join-Path $runbooks 'add-region.ps1') -ClusterName $Name -Region $New -NodeCount 3
        ($status.Regions | Where-Object Region -eq $New).State | Should -Be 'ENABLED'
        (Get-CmekCluster $Name).Regions.Name | Should -Contain $New
    }

    It 'emergency-revoke.ps1 cuts off, with -WhatIf not, and restore.ps1 gives back' {
        $null = Enable-TestCluster $Name
        $world = Get-TestWorld $Name
        $null = & (Join-Path $runbooks 'emergency-revoke.ps1') -ClusterName $Name -WhatIf
        Get-TestWorld $Name | Should -Be $world

        $shown = & (Join-Path $runbooks 'emergency-revoke.ps1') -ClusterName $Name -Force
        $shown[-1].KeyCut | Should -BeTrue
        $shown[-1].Revoked | Should -BeTrue
        (Get-CmekStatus $Name).State | Should -Be 'REVOKED'
        Test-CmekAccess $Name -Quiet | Should -BeFalse

        $world = Get-TestWorld $Name
        $null = & (Join-Path $runbooks 'restore.ps1') -ClusterName $Name -Wait -WhatIf
        Get-TestWorld $Name | Should -Be $world

        $null = & (Join-Path $runbooks 'restore.ps1') -ClusterName $Name -Wait
        (Get-CmekStatus $Name).State | Should -Be 'ENABLED'
        Test-CmekAccess $Name -Quiet | Should -BeTrue
        Get-CmekReceipt -Open | Should -BeNullOrEmpty
    }

    It 'emergency-revoke.ps1 -KeyOnly leaves the service alone, and restore.ps1 takes a new principal' {
        $null = Enable-TestCluster $Name
        $null = & (Join-Path $runbooks 'emergency-revoke.ps1') -ClusterName $Name -KeyOnly -Force
        (Get-CmekStatus $Name).State | Should -Be 'ENABLED'
        Test-CmekAccess $Name -Quiet | Should -BeFalse

        $null = & (Join-Path $runbooks 'restore.ps1') -ClusterName $Name @Second -Wait
        (Get-CmekStatus $Name).Regions.AuthPrincipal | Should -BeLike '*cmek-second*'
        Test-CmekAccess $Name -Quiet | Should -BeTrue
    }

    It 'disable.ps1 moves the cluster off CMEK, with -WhatIf not' {
        $null = Enable-TestCluster $Name
        $world = Get-TestWorld $Name
        $null = & (Join-Path $runbooks 'disable.ps1') -ClusterName $Name -WhatIf
        Get-TestWorld $Name | Should -Be $world

        (& (Join-Path $runbooks 'disable.ps1') -ClusterName $Name).State | Should -Be 'DISABLED'
        (Get-CmekStatus $Name).State | Should -Be 'DISABLED'
    }
}

Describe 'The runbooks' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It '<File> stops where the cluster is not there' -TestCases @(
        @{ File = 'enable.ps1'; Parameters = @{} }
        @{ File = 'rotate.ps1'; Parameters = @{} }
        @{ File = 'add-region.ps1'; Parameters = @{ Region = 'eu-west-1'; NodeCount = 3 } }
        @{ File = 'restore.ps1'; Parameters = @{} }
        @{ File = 'disable.ps1'; Parameters = @{} }
    ) {
        { & (Join-Path $runbooks $File) -ClusterName nope @Parameters } | Should -Throw -ErrorId 'ClusterNotFound,*'
    }

    It '<File> takes no wildcards' -TestCases @(
        @{ File = 'enable.ps1'; Parameters = @{} }
        @{ File = 'rotate.ps1'; Parameters = @{} }
        @{ File = 'add-region.ps1'; Parameters = @{ Region = 'eu-west-1'; NodeCount = 3 } }
        @{ File = 'restore.ps1'; Parameters = @{} }
        @{ File = 'disable.ps1'; Parameters = @{} }
    ) {
        foreach ($name in '*', 'sho?') {
            { & (Join-Path $runbooks $File) -ClusterName $name @Parameters } | Should -Throw -ErrorId 'WildcardRefused,*'
        }

        Get-CmekJournal | Should -BeNullOrEmpty
    }

    It 'emergency-revoke.ps1 takes no wildcards, and ends with an error' {
        $said = [System.Collections.Generic.List[object]]::new()
        { & (Join-Path $runbooks 'emergency-revoke.ps1') -ClusterName 'sho?' -Force 2>&1 | ForEach-Object { $said.Add($_) } } |
            Should -Throw '*Nothing was cut*'
        $said.FullyQualifiedErrorId | Should -BeLike 'WildcardRefused,*'
    }

    It 'emergency-revoke.ps1 fails where nothing could be cut' {
        { $null = & (Join-Path $runbooks 'emergency-revoke.ps1') -ClusterName shop -Force 2>$null } | Should -Throw '*Nothing was cut*'
    }

    It '<File> has help, and names all that it takes' -TestCases $scripts {
        $help = Get-Help $Path -Full
        $help.Synopsis | Should -Not -BeNullOrEmpty
        $help.examples.example | Should -Not -BeNullOrEmpty
        foreach ($parameter in $help.parameters.parameter | Where-Object { $_.Name -and $_.Name -notin 'WhatIf', 'Confirm' }) {
            $parameter.description.Text | Should -Not -BeNullOrEmpty -Because "-$($parameter.Name) is to be described"
        }
    }

    It '<File> parses, and uses no alias' -TestCases $scripts {
        $errors = $null
        $tree = [System.Management.Automation.Language.Parser]::ParseFile($Path, [ref]$null, [ref]$errors)
        $errors | Should -BeNullOrEmpty
        $commands = $tree.FindAll({ $args[0] -is [System.Management.Automation.Language.CommandAst] }, $true) | ForEach-Object { $_.GetCommandName() } | Where-Object { $_ }
        Get-Alias | Where-Object Name -in $commands | Should -BeNullOrEmpty
    }
}

Describe 'The drill' {
    It 'plays the whole life on a sandbox of its own, and leaves nothing behind' {
        $before = @(Get-ChildItem ([System.IO.Path]::GetTempPath()) -Filter 'cmektools-drill-*')
        # In a runspace of its own, whose host shows nothing: what it shows is for people.
        $drill = [powershell]::Create()
        try {
            $null = $drill.AddScript('Import-Module $args[0]; & $args[1]; $null -eq (Get-CmekSession)').AddArgument((Get-TestModulePath)).AddArgument((Join-Path $runbooks 'drill.ps1'))
            $drill.Invoke() | Should -Be $true -Because 'the drill disconnects'
            $drill.Streams.Error | Should -BeNullOrEmpty
            $shown = $drill.Streams.Information -join "`n"
        }
        finally {
            $drill.Dispose()
        }

        foreach ($title in 'Connect', 'Rotate', 'Add a region', 'Break the glass: AWS', 'Break the glass: Google Cloud', 'Restore: AWS', 'Restore: Google Cloud') {
            $shown | Should -BeLike "*# $title*"
        }

        $shown | Should -Match '# Times \(\d+ changes in the journal, all done\)'
        @(Get-ChildItem ([System.IO.Path]::GetTempPath()) -Filter 'cmektools-drill-*').Name | Should -Be $before.Name
    }
}
