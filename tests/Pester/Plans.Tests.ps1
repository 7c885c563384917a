#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

# What is shown before anything is done: -WhatIf shows the whole plan, once, and the questions say what the help says.

BeforeDiscovery {
    $clouds = @(
        @{
            Cloud = 'AWS'; Name = 'shop'; Region = 'us-east-1', 'us-west-2'
            # What has to be shown, in this order: a pattern and how often.
            Plan = @(
                @{ Like = 'shop/us-east-1: make a KMS key*'; Count = 1 }
                @{ Like = 'the key to be made for shop/us-east-1: rotate the key every 365 days*'; Count = 1 }
                @{ Like = 'the key to be made for shop/us-east-1: name the key alias/*'; Count = 1 }
                @{ Like = 'the key to be made for shop/us-west-2: name the key alias/*'; Count = 1 }
                @{ Like = '*: make the role * for shop to assume*'; Count = 1 }
                @{ Like = 'the key to be made for shop/us-east-1: let *:role/* use the key*"kms:Decrypt"*'; Count = 1 }
                @{ Like = 'the key to be made for shop/us-west-2: let *:role/* use the key*'; Count = 1 }
                @{ Like = 'shop (*): enable CMEK in us-east-1, us-west-2*'; Count = 1 }
            )
        }
        @{
            Cloud = 'GCP'; Name = 'ledger'; Region = 'us-central1', 'us-east1'
            Plan = @(
                @{ Like = '*/locations/us-central1/keyRings/*: make the key ring*'; Count = 1 }
                @{ Like = '*/us-central1/*/cryptoKeys/*: make the key *"rotationPeriod"*'; Count = 1 }
                @{ Like = '*/us-east1/*/cryptoKeys/*: make the key *"rotationPeriod"*'; Count = 1 }
                @{ Like = '*: make the service account that the cluster acts as*'; Count = 1 }
                @{ Like = '*: let * take tokens of the account*'; Count = 1 }
                @{ Like = '*us-central1*: let serviceAccount:* use the key*'; Count = 1 }
                @{ Like = '*us-east1*: let serviceAccount:* use the key*'; Count = 1 }
                @{ Like = 'ledger (*): enable CMEK in us-central1, us-east1*'; Count = 1 }
            )
        }
    )
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
}

Describe 'The whole plan of a first enable on <Cloud>' -ForEach $clouds {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $world = Get-TestWorld $Name
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'is shown once and changes nothing, with <How>' -TestCases @(
        @{ How = '-WhatIf at each command'; Run = { New-CmekKey $Name -WhatIf | Grant-CmekAccess -WhatIf | Enable-CmekCluster -Wait -WhatIf } }
        @{
            How = '$WhatIfPreference'
            Run = { $WhatIfPreference = $true; $PSDefaultParameterValues = @{}; New-CmekKey $Name | Grant-CmekAccess | Enable-CmekCluster -Wait }
        }
    ) {
        $shown = Get-TestPlan { $script:planned = & $Run }
        foreach ($step in $Plan) {
            @($shown | Where-Object { $_ -like $step.Like }) | Should -HaveCount $step.Count -Because ($step.Like + ' in ' + ($shown -join "`n"))
        }

        $shown | Should -HaveCount @($shown | Select-Object -Unique).Count -Because 'nothing is shown twice'
        Get-CmekJournal | Should -BeNullOrEmpty
        Get-TestWorld $Name | Should -Be $world
    }

    It 'is what is then done' {
        $shown = Get-TestPlan { New-CmekKey $Name -WhatIf | Grant-CmekAccess -WhatIf | Enable-CmekCluster -WhatIf }
        $null = New-CmekKey $Name | Grant-CmekAccess | Enable-CmekCluster -Wait
        @(Get-CmekJournal | Where-Object Outcome -eq 'done') | Should -HaveCount $shown.Count
        $again = Get-TestPlan { New-CmekKey $Name -WhatIf | Grant-CmekAccess -WhatIf | Enable-CmekCluster -WhatIf }
        $again | Should -BeNullOrEmpty -Because 'all of it is there'
    }
}

Describe 'What a break-glass says beforehand on <Cloud>' -ForEach $clouds {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $null = Enable-TestCluster $Name
        $help = Get-Help Revoke-CmekAccess -Full | Out-String -Width 4000
        # Every line break of the help and of the screen is a space.
        $flat = { $args[0] -replace '\s+', ' ' }
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'dates -Permanent in the plan as in the help' {
        $plan = Get-TestPlan { Revoke-CmekAccess $Name -Permanent -WhatIf }
        $ends = @($plan | Where-Object { $_ -match 'in 30 days' -and $_ -match 'schedule (the key''s deletion|its destruction)' })
        $ends | Should -HaveCount 2
        $ends | Should -Be ($ends | Sort-Object { [regex]::Match($_, 'us-\w+(-\d)?').Value }) -Because 'the order of the regions is the same in each run'
        $text = & $flat ($plan -join ' ')
        $date = [datetime]::UtcNow.AddDays(30).ToString('yyyy-MM-dd')
        $when = $Cloud -eq 'AWS' ? "on $date on AWS (30 days)" : "on $date on Google Cloud (30 days; *)"
        $text | Should -BeLike "*the keys are scheduled to be destroyed $when; from then on nobody can ever read the data or its backups again*"
        (& $flat $help) | Should -BeLike '*the second by each key''s own waiting time; from then on nobody can ever read the data or its backups again*'
        $ends | ForEach-Object { $_ | Should -BeLike ($Cloud -eq 'AWS' ? "*schedule the key's deletion for $date (in 30 days)*" : "*schedule its destruction for $date (in 30 days)*") }
    }

    It 'says of -KeyOnly what the help says: running nodes go on' {
        $text = & $flat ((Get-TestPlan { Revoke-CmekAccess $Name -KeyOnly -WhatIf }) -join ' ')
        $text | Should -Not -BeLike '*The database stops*'
        foreach ($told in 'Running nodes go on with the data key that they hold until they need the key again', 'restarted nodes do not come back') {
            $text | Should -BeLike "*$told*"
            (& $flat $help) | Should -BeLike "*$told*"
        }
    }

    It 'says that the database stops where the service is told' {
        (Get-TestPlan { Revoke-CmekAccess $Name -WhatIf }) -join ' ' | Should -BeLike '*The database stops: no reads, no writes*'
    }
}

Describe 'Compare-CmekCluster with a declaration' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive -Cluster 'shop=AWS:us-east-1', 'ledger=GCP:us-central1'
        $null = New-CmekKey shop, ledger -NoRotation | Grant-CmekAccess | Enable-CmekCluster -Wait
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    BeforeEach {
        $path = Join-Path $TestDrive "$([guid]::NewGuid()).json"
    }

    It 'judges the key in use, and not the one declared' {
        $declared = New-CmekKey shop -AliasName other | Grant-CmekAccess
        $drift = $declared | Compare-CmekCluster
        $drift.Kind | Sort-Object | Should -Be 'KeyChanged', 'RotationOff' -Because 'the key in use does not rotate, whatever the declared one does'
        ($drift | Where-Object Kind -eq 'RotationOff').Actual | Should -Be (Get-CmekStatus shop).Regions[0].KeyUri
    }

    It 'takes no accepted difference for one, and keeps the list when the manifest is written anew: <_>' -ForEach 'shop', 'ledger' {
        $null = Export-CmekManifest $_ $path
        (Compare-CmekCluster $_ -ManifestPath $path).Kind | Should -Be 'RotationOff'
        $manifest = Get-Content -Raw $path | ConvertFrom-Json
        $manifest | Add-Member accepted_differences @([ordered]@{ kind = 'RotationOff'; reason = 'by hand each January' })
        $manifest | ConvertTo-Json -Depth 5 | Set-Content $path
        Compare-CmekCluster $_ -ManifestPath $path | Should -BeNullOrEmpty
        Compare-CmekCluster $_ -ManifestPath $path -Verbose 4>&1 | Out-String | Should -BeLike '*by hand each January*RotationOff*'

        $null = Export-CmekManifest $_ $path -Force
        Compare-CmekCluster $_ -ManifestPath $path | Should -BeNullOrEmpty
        (Import-CmekManifest $path $_).Region | Should -Be (Get-CmekStatus $_).Regions.Region
    }

    It 'accepts only what was agreed to: <Why>' -TestCases @(
        @{ Why = 'another region'; Entry = @{ kind = 'RotationOff'; region = 'eu-west-1'; reason = 'x' } }
        @{ Why = 'another kind'; Entry = @{ kind = 'Weakened'; message = 'x'; reason = 'x' } }
        @{ Why = 'another message'; Entry = @{ kind = 'RotationOff'; message = 'x'; reason = 'x' } }
    ) {
        $null = Export-CmekManifest shop $path
        $manifest = Get-Content -Raw $path | ConvertFrom-Json
        $manifest | Add-Member accepted_differences @($Entry)
        $manifest | ConvertTo-Json -Depth 5 | Set-Content $path
        (Compare-CmekCluster shop -ManifestPath $path).Kind | Should -Be 'RotationOff'
    }

    It 'refuses to accept <Why>' -TestCases @(
        @{ Why = 'a broken access'; Entry = @{ kind = 'AccessBroken'; message = 'x'; reason = 'x' } }
        @{ Why = 'another key'; Entry = @{ kind = 'KeyChanged'; message = 'x'; reason = 'x' } }
        @{ Why = 'without a reason'; Entry = @{ kind = 'RotationOff' } }
        @{ Why = 'others without the message'; Entry = @{ kind = 'OthersCanDecrypt'; reason = 'x' } }
    ) {
        $null = Export-CmekManifest shop $path
        $manifest = Get-Content -Raw $path | ConvertFrom-Json
        $manifest | Add-Member accepted_differences @($Entry)
        $manifest | ConvertTo-Json -Depth 5 | Set-Content $path
        $outcome = Get-TestOutcome { Compare-CmekCluster shop -ManifestPath $path }
        Assert-TestError $outcome.Errors[0] 'ManifestInvalid' InvalidData
        $outcome.Output | Should -BeNullOrEmpty
    }
}
