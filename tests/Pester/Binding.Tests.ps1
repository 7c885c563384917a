#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

# One way to give a cluster, for all commands that take one.

BeforeDiscovery {
    # For the list of all commands.
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule

    # How each command is called, and what it gives that says which cluster was meant.
    $takers = @(
        @{ Name = 'Get-CmekCluster'; Call = { Get-CmekCluster @args }; Piped = { $input | Get-CmekCluster }; Wild = $true }
        @{ Name = 'Get-CmekStatus'; Call = { Get-CmekStatus @args }; Piped = { $input | Get-CmekStatus }; Wild = $true }
        @{ Name = 'Get-CmekKey'; Call = { Get-CmekKey @args }; Piped = { $input | Get-CmekKey }; Wild = $true }
        @{ Name = 'Test-CmekAccess'; Call = { Test-CmekAccess @args }; Piped = { $input | Test-CmekAccess }; Wild = $true }
        @{ Name = 'Wait-CmekStatus'; Call = { Wait-CmekStatus @args }; Piped = { $input | Wait-CmekStatus }; Wild = $true }
        @{ Name = 'New-CmekKey'; Call = { New-CmekKey @args -WhatIf }; Piped = { $input | New-CmekKey -WhatIf }; Wild = $false }
        @{ Name = 'Disable-CmekCluster'; Call = { Disable-CmekCluster @args -WhatIf }; Piped = { $input | Disable-CmekCluster -WhatIf }; Wild = $false }
        @{ Name = 'Restore-CmekAccess'; Call = { Restore-CmekAccess @args -WhatIf }; Piped = { $input | Restore-CmekAccess -WhatIf }; Wild = $false }
        @{ Name = 'Revoke-CmekAccess'; Call = { Revoke-CmekAccess @args -WhatIf }; Piped = { $input | Revoke-CmekAccess -WhatIf }; Wild = $false }
        @{ Name = 'Update-CmekCluster -Rewrap'; Call = { Update-CmekCluster @args -Rewrap -WhatIf }; Piped = { $input | Update-CmekCluster -Rewrap -WhatIf }; Wild = $false }
        @{ Name = 'Export-CmekManifest'; Call = { Export-CmekManifest @args }; Piped = { $input | Export-CmekManifest }; Wild = $true }
        @{ Name = 'New-CmekSupportRequest'; Call = { New-CmekSupportRequest @args -Purpose Disable }; Piped = { $input | New-CmekSupportRequest -Purpose Disable }; Wild = $true }
        @{ Name = 'Compare-CmekCluster'; Call = { Compare-CmekCluster @args }; Piped = { $input | Compare-CmekCluster }; Wild = $true }
    )
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
    $null = Connect-TestSandbox $TestDrive -Cluster 'shop=AWS:us-east-1', 'shelf=AWS:us-east-1', 'ledger=GCP:us-central1'
    $access = Enable-TestCluster
    $shop = Get-CmekCluster shop
    $ledger = Get-CmekCluster ledger
    $shelf = Get-CmekCluster shelf

    # The ids of the clusters that an output is about, in whatever form the command gives it.
    function Get-Meant {
        param([Parameter(ValueFromPipeline)] $InputObject)

        process {
            if ($InputObject -is [string]) {
                foreach ($cluster in $shop, $ledger, $shelf) {
                    if ($InputObject.Contains($cluster.Id) -or ($access | Where-Object { $_.ClusterId -eq $cluster.Id -and $InputObject.Contains($_.KeyUri) })) { $cluster.Id }
                }
            }
            elseif ($InputObject -is [CmekTools.CmekCluster]) { $InputObject.Id }
            else { $InputObject.ClusterId }
        }
    }
}

AfterAll {
    Disconnect-TestSandbox
}

Describe '<Name> takes a cluster in each way' -ForEach $takers {
    It 'takes names and ids by position, and by each of the parameter''s names' {
        # What -WhatIf prints is not output: a command that would say nothing says here that it bound and found the cluster.
        foreach ($given in @('SHOP'), @($shop.Id), @($shop), @([guid]$shop.Id), @(, @('shop', $ledger.Id))) {
            $outcome = Get-TestOutcome { & $Call @given }
            $outcome.Errors | Should -BeNullOrEmpty
            if ($outcome.Output) {
                $expected = $given[0] -is [array] ? @($shop.Id, $ledger.Id) : @($shop.Id)
                $outcome.Output | Get-Meant | Sort-Object -Unique | Should -Be ($expected | Sort-Object)
            }
        }

        foreach ($parameter in 'ClusterName', 'Name', 'ClusterId', 'Id', 'Cluster') {
            $bound = @{ $parameter = $parameter -in 'ClusterId', 'Id' ? $shop.Id : 'shop' }
            (Get-TestOutcome { & $Call @bound }).Errors | Should -BeNullOrEmpty
        }
    }

    It 'takes from the pipeline <What>' -ForEach @(
        @{ What = 'names'; Given = { 'shop', 'ledger' } }
        @{ What = 'ids'; Given = { $shop.Id, $ledger.Id } }
        @{ What = 'clusters'; Given = { $shop, $ledger } }
        @{ What = 'statuses'; Given = { Get-CmekStatus shop, ledger } }
        @{ What = 'a CSV with ClusterName'; Given = { "ClusterName,Owner`nshop,me`nledger,you" | ConvertFrom-Csv } }
        @{ What = 'hashtables'; Given = { @{ ClusterName = 'shop' }, [ordered]@{ Name = 'ledger' } } }
        @{ What = 'what was selected'; Given = { $shop, $ledger | Select-Object Name, Id } }
        @{ What = 'a CSV with Name'; Given = { "Name`nshop`nledger" | ConvertFrom-Csv } }
        @{ What = 'a CSV with ClusterId'; Given = { "ClusterId`n$($shop.Id)`n$($ledger.Id)" | ConvertFrom-Csv } }
        @{ What = 'a CSV with Id and Name'; Given = { "Id,Name`n$($shop.Id),shop`n$($ledger.Id),ledger" | ConvertFrom-Csv } }
        @{ What = 'ids in a column for names'; Given = { "Name`n$($shop.Id)`n$($ledger.Id)" | ConvertFrom-Csv } }
        @{ What = 'its own kind, out of a job'; Given = { [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize(@($shop, $ledger))) } }
    ) {
        $outcome = Get-TestOutcome { & $Given | & $Piped }
        $outcome.Errors | Should -BeNullOrEmpty
        if ($outcome.Output) {
            $outcome.Output | Get-Meant | Sort-Object -Unique | Should -Be (@($shop.Id, $ledger.Id) | Sort-Object)
        }
    }

    It 'says that name and id disagree, and goes on with the next' {
        $rows = [pscustomobject]@{ ClusterName = 'shop'; ClusterId = $ledger.Id }, [pscustomobject]@{ ClusterName = 'ledger'; ClusterId = $ledger.Id }
        $outcome = Get-TestOutcome { $rows | & $Piped }
        Assert-TestError $outcome.Errors[0] ClusterContradicts InvalidArgument -Target shop
        $outcome.Errors.Count | Should -Be 1
    }

    It 'says what it cannot make a cluster of' {
        # Much has an id or a name that is no cluster's.
        $process = Get-Process -Id $PID
        $copy = [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize($process))
        foreach ($given in $null, '', 4, [pscustomobject]@{ Colour = 'red' }, $access[0].GetType(), $process, $copy, (Get-Item $TestDrive), @{ Colour = 'red' }) {
            { & $Call $given -ErrorAction Stop } | Should -Throw
        }
        if ($Name -ne 'Get-CmekKey') {
            { & $Call ([CmekTools.CmekKey]@{ KeyUri = 'arn:aws:kms:us-east-1:1:key/x' }) -ErrorAction Stop } | Should -Throw '*belongs to no cluster*'
        }
    }

    It 'takes wildcards only where nothing is changed' {
        $outcome = Get-TestOutcome { & $Call 'sh*' }
        if ($Wild) {
            $outcome.Errors | Should -BeNullOrEmpty
            if ($outcome.Output) {
                $outcome.Output | Get-Meant | Sort-Object -Unique | Should -HaveCount 2
            }
        }
        else {
            Assert-TestError $outcome.Errors[0] WildcardRefused InvalidArgument -Target 'sh`*'
            $outcome.Output | Should -BeNullOrEmpty
        }
    }

    It 'says which cluster there is not, by name' {
        $outcome = Get-TestOutcome { & $Call 'shoq' }
        Assert-TestError $outcome.Errors[0] ClusterNotFound ObjectNotFound -Target shoq
    }

    It 'does nothing where a pipeline gives nothing' {
        $outcome = Get-TestOutcome { @() | & $Piped }
        $outcome.Errors | Should -BeNullOrEmpty
        $outcome.Output | Should -BeNullOrEmpty
    }
}

Describe 'A cluster without a key' {
    It 'is told by <_> what to pipe' -ForEach 'Enable-CmekCluster', 'Update-CmekCluster', 'Add-CmekRegion' {
        $command = $_
        $more = $command -eq 'Add-CmekRegion' ? @{ NodeCount = 1 } : @{}
        foreach ($script in { & $command shop @more }, { 'shop' | & $command @more }, { Get-CmekCluster shop | & $command @more }) {
            $outcome = Get-TestOutcome $script
            Assert-TestError $outcome.Errors[0] KeysMissing InvalidArgument -Target shop
            $outcome.Errors[0].ErrorDetails.RecommendedAction | Should -BeLike "*New-CmekKey shop | Grant-CmekAccess | $command*"
            $outcome.Output | Should -BeNullOrEmpty
        }
    }
}

Describe 'Accesses and keys as rows' {
    BeforeAll {
        $csv = $access | ForEach-Object { [pscustomobject]@{ ClusterName = $_.ClusterName; Region = $_.Region; KeyUri = $_.KeyUri; AuthPrincipal = $_.AuthPrincipal } } | ConvertTo-Csv
    }

    It 'are compared with what is: nothing where all is as declared, and the difference where it is not' {
        $csv | ConvertFrom-Csv | Compare-CmekCluster | Should -BeNullOrEmpty
        $row = $csv | ConvertFrom-Csv | Where-Object ClusterName -eq 'shop'
        $row.KeyUri = $row.KeyUri -replace '.{4}$', '0000'
        ($row | Compare-CmekCluster | Where-Object Kind -eq 'KeyChanged').ClusterName | Should -Be 'shop'
    }

    It 'are checked before they are used' {
        $checks = $csv | ConvertFrom-Csv | Test-CmekAccess
        $checks.ClusterName | Sort-Object -Unique | Should -Be 'ledger', 'shelf', 'shop'
    }

    It 'enable, and what is enabled already stays as it is' {
        ($csv | ConvertFrom-Csv | Enable-CmekCluster).Changed | Should -Be $false, $false, $false
    }

    It 'are granted' {
        $granted = $csv | ConvertFrom-Csv | Where-Object ClusterName -eq 'shop' | Grant-CmekAccess
        $granted.KeyUri | Should -Be ($access | Where-Object ClusterName -eq 'shop').KeyUri
        $granted.Changed | Should -BeFalse
        ($granted.KeyUri | Grant-CmekAccess -ClusterName shop -Region us-east-1).ClusterId | Should -Be $shop.Id
    }

    It 'are an error of their own where their cluster is not there' {
        $row = $csv | ConvertFrom-Csv | Select-Object -First 1
        $row.ClusterName = 'nowhere'
        foreach ($script in { $row | Enable-CmekCluster }, { $row | Compare-CmekCluster }, { $row | Grant-CmekAccess }) {
            Assert-TestError (Get-TestOutcome $script).Errors[0] ClusterNotFound ObjectNotFound -Target nowhere
        }
    }
}

Describe 'Objects for scripts' {
    It 'say their states in words in JSON: <Name>' -ForEach @(
        @{ Name = 'a status'; Get = { Get-CmekStatus shop }; Words = @{ State = 'ENABLED'; Provider = 'AWS' } }
        @{ Name = 'a region'; Get = { Get-CmekStatus shop -Detailed }; Words = @{ State = 'ENABLED' } }
        @{ Name = 'a key'; Get = { Get-CmekKey shop }; Words = @{ State = 'Enabled'; Provider = 'AWS'; Place = 'InUse' } }
        @{ Name = 'a check'; Get = { Test-CmekAccess shop | Select-Object -First 1 }; Words = @{ Result = 'Pass' } }
        @{ Name = 'a cluster'; Get = { Get-CmekCluster shop }; Words = @{ Provider = 'AWS' } }
    ) {
        $object = & $Get
        $json = $object | ConvertTo-Json -WarningAction SilentlyContinue | ConvertFrom-Json
        foreach ($property in $Words.Keys) {
            $json.$property | Should -BeExactly $Words[$property]
            # Comparison, in either spelling, and the type with its completion stay.
            $object.$property -eq $Words[$property].ToLowerInvariant() | Should -BeTrue
            $object.$property | Should -BeOfType ([enum])
        }
    }

    It 'are flat in CSV: <Name>' -ForEach @(
        @{ Name = 'a status'; Get = { Get-CmekStatus shop } }
        @{ Name = 'regions'; Get = { Get-CmekStatus shop -Detailed } }
        @{ Name = 'keys'; Get = { Get-CmekKey shop } }
        @{ Name = 'accesses'; Get = { $access } }
        @{ Name = 'clusters'; Get = { Get-CmekCluster } }
        @{ Name = 'checks'; Get = { Test-CmekAccess shop } }
        @{ Name = 'the journal'; Get = { Get-CmekJournal } }
        @{ Name = 'the steps of a break-glass'; Get = { Revoke-CmekAccess shelf -Force } }
        @{ Name = 'receipts'; Get = { Get-CmekReceipt } }
        @{ Name = 'what a restore would do'; Get = { Get-CmekReceipt -Open | Test-CmekAccess } }
        @{ Name = 'uses'; Get = { Get-CmekKeyUse $access[0].KeyUri } }
    ) {
        $objects = @(& $Get)
        $objects | Should -Not -BeNullOrEmpty
        # The name of a type, or a record spelled out, is what an unreadable cell looks like.
        ($objects | ConvertTo-Csv) -join "`n" | Should -Not -Match 'System\.|CmekTools\.Cmek|Cmek\w+ \{'
    }

    It 'say their regions in one cell' {
        $row = Get-CmekStatus shop | ConvertTo-Csv | ConvertFrom-Csv
        $row.Regions | Should -Be 'us-east-1=ENABLED'
        (Get-CmekCluster shop | ConvertTo-Csv | ConvertFrom-Csv).Regions | Should -Be 'us-east-1'
        (Get-CmekKey shop | ConvertTo-Csv | ConvertFrom-Csv).Tags | Should -BeLike "*cmektools:cluster-name=shop*"
    }
}

Describe 'A command in a test of somebody''s own' {
    It 'has parameters that a mock can take over: <_>' -ForEach 'Get-CmekStatus', 'Get-CmekCluster', 'Revoke-CmekAccess', 'Restore-CmekAccess', 'Export-CmekManifest' {
        $command = $_
        Mock $command { 'mocked' }
        & $command shop | Should -Be 'mocked'
        'shop' | & $command | Should -Be 'mocked'
        $shop | & $command | Should -Be 'mocked'
        Should -Invoke $command -Times 3 -Exactly
    }

    It 'gives a mock''s filter what the caller gave' {
        Mock Get-CmekStatus { [pscustomobject]@{ State = 'REVOKED' } } -ParameterFilter { $ClusterName -eq 'shop' }
        Mock Grant-CmekAccess { 'granted' } -ParameterFilter { $Key.KeyUri -eq $access[0].KeyUri }
        (Get-CmekStatus shop).State | Should -Be 'REVOKED'
        $access[0] | Grant-CmekAccess | Should -Be 'granted'
        # Nothing else stands in for what was not meant.
        { Get-CmekStatus ledger } | Should -Throw
    }

    It 'names no type that the session cannot see' {
        $types = (Get-Command -Module CmekTools -CommandType Cmdlet).Parameters.Values.ParameterType |
            ForEach-Object { $_.HasElementType ? $_.GetElementType() : $_ } |
            Sort-Object FullName -Unique
        $types.FullName | Should -Contain 'CmekTools.CmekAccess'
        $hidden = $types | Where-Object { [System.Runtime.Loader.AssemblyLoadContext]::GetLoadContext($_.Assembly).Name -eq 'CmekTools' }
        $hidden.FullName | Should -BeNullOrEmpty
    }

    It 'has a signature in its help that can be read' {
        foreach ($command in (Get-Command -Module CmekTools -CommandType Cmdlet).Name) {
            Get-Help $command -Full | Out-String | Should -Not -Match 'Culture=|PublicKeyToken'
        }
    }
}

Describe 'The order of the input' {
    It 'is kept by Get-CmekStatus -Ordered: <What>' -ForEach @(
        @{ What = 'names'; Given = { 'shop', 'ledger', 'shelf' }; Names = 'shop', 'ledger', 'shelf' }
        @{ What = 'names and ids'; Given = { 'shop', $ledger.Id, 'shelf' }; Names = 'shop', 'ledger', 'shelf' }
        @{ What = 'an id first'; Given = { $shop.Id, 'ledger', $shop, 'shop', 'shelf' }; Names = 'shop', 'ledger', 'shelf' }
        @{ What = 'wildcards'; Given = { 'sho*', 'l*', '*' }; Names = 'shop', 'ledger', 'shelf' }
        @{ What = 'clusters'; Given = { $shop, $ledger }; Names = 'shop', 'ledger' }
    ) {
        (& $Given | Get-CmekStatus -Ordered).ClusterName | Should -Be $Names
        $given = & $Given
        (Get-CmekStatus $given -Ordered).ClusterName | Should -Be $Names
    }

    It 'is kept by the errors too' {
        $both = Get-CmekStatus shop, nowhere, ledger, neither, shelf -Ordered -ErrorAction Continue 2>&1
        $both | ForEach-Object { $_ -is [System.Management.Automation.ErrorRecord] ? $_.TargetObject : $_.ClusterName } |
            Should -Be 'shop', 'nowhere', 'ledger', 'neither', 'shelf'
    }
}

Describe 'A cluster that is given several times' {
    It 'is worked on once by <_>' -ForEach 'Get-CmekCluster', 'Get-CmekStatus', 'Wait-CmekStatus', 'Export-CmekManifest', 'Export-CmekBreakGlass' {
        $command = $_
        @(& $command shop, SHOP, shop).Count | Should -Be 1
        # The sheet is written of what was given, also where nobody can be asked which cluster a name is.
        @(& $command shop, $shop).Count | Should -Be ($command -eq 'Export-CmekBreakGlass' ? 2 : 1)
        $rows = 1..3 | ForEach-Object { [pscustomobject]@{ ClusterName = 'shop' } }
        @($rows | & $command).Count | Should -Be 1
        @(Get-CmekKey shop, ledger, $shop.Id | & $command).Count | Should -Be 2
    }

    It 'is checked once, by its keys or a job''s keys as by its name' {
        $once = @(Test-CmekAccess ledger | ForEach-Object Name)
        @(New-CmekKey ledger | Test-CmekAccess | ForEach-Object Name) | Should -Be $once
        $keys = @(Get-CmekKey ledger; Get-CmekKey ledger)
        $copies = [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize($keys))
        @($copies | Test-CmekAccess | ForEach-Object Name) | Should -Be $once
    }

    It 'is compared once, and a difference told once' {
        $rows = 1..3 | ForEach-Object { [pscustomobject]@{ ClusterName = 'shop'; ManifestPath = Join-Path $TestDrive 'shop.json' } }
        Export-CmekManifest shop (Join-Path $TestDrive 'shop.json') | Out-Null
        $rows | Compare-CmekCluster | Should -BeNullOrEmpty
        Export-CmekManifest shelf (Join-Path $TestDrive 'shelf.json') | Out-Null
        $rows | ForEach-Object { $_.ManifestPath = Join-Path $TestDrive 'shelf.json' }
        ($rows | Compare-CmekCluster).Kind | Should -Be 'KeyChanged', 'PrincipalChanged'
        # Another declaration is another comparison.
        $rows[0].ManifestPath = Join-Path $TestDrive 'shop.json'
        ($rows | Compare-CmekCluster).Kind | Should -Be 'KeyChanged', 'PrincipalChanged'
    }

    It 'is restored once by the steps of its revocation, after the last of them' {
        $plan = Revoke-CmekAccess ledger -Force | Restore-CmekAccess -WhatIf
        $plan | Should -HaveCount 1
        $plan.Action | Should -Be 'GiveBack'
        (Get-CmekStatus ledger).State | Should -Be 'REVOKED'
        $steps = Get-CmekReceipt ledger -Open | Restore-CmekAccess -Wait
        $steps[-1].Step | Should -Be 'Enabled'
        (Get-CmekStatus ledger).State | Should -Be 'ENABLED'
    }
}

Describe 'A declaration in a row' {
    It 'is bound by its name, and one that is not there is an error: <_>' -ForEach 'Compare-CmekCluster', 'Test-CmekAccess', 'Enable-CmekCluster', 'Update-CmekCluster' {
        $command = $_
        $row = [pscustomobject]@{ ClusterName = 'shop'; ManifestPath = Join-Path $TestDrive 'nothere.json' }
        $outcome = Get-TestOutcome { $row | & $command }
        Assert-TestError $outcome.Errors[0] ManifestUnreadable ReadError -Target $row.ManifestPath
        $row.ManifestPath = ''
        $outcome = Get-TestOutcome { $row | & $command }
        $outcome.Errors | Should -HaveCount 1
        $outcome.Output | Should -BeNullOrEmpty
    }
}

Describe 'The sheet for the safe' {
    It 'is written for each cluster that wildcards stand for, with and without the service' {
        $sheets = @(Export-CmekBreakGlass 'sh*', 'shop' -Ordered)
        $sheets | Should -HaveCount 3
        $sheets[0], $sheets[1] | Get-Meant | Sort-Object -Unique | Should -Contain $shop.Id
        Export-CmekBreakGlass 'sho*' -Path (Join-Path $TestDrive 'sheet.md') | Should -BeOfType System.IO.FileInfo
        (Test-CmekBreakGlass 'sh*' | Where-Object Name -EQ 'CutKeys').Count | Should -Be 2
    }
}

Describe 'Every command that takes clusters' {
    It '<Name> takes wildcards where it changes nothing, and only there, and its help says so' -ForEach @(
        # What a command changes is said here, and each other one has to take wildcards.
        $changing = 'Add-CmekRegion', 'Disable-CmekCluster', 'Enable-CmekCluster', 'Grant-CmekAccess', 'Import-CmekManifest', 'New-CmekKey',
            'Restore-CmekAccess', 'Revoke-CmekAccess', 'Update-CmekCluster'
        foreach ($command in Get-Command -Module CmekTools -CommandType Cmdlet) {
            $parameter = $command.Parameters['ClusterName'] ?? $command.Parameters['Name']
            if ($parameter.Attributes.Where({ $_.GetType().Name -eq 'ClusterTransformationAttribute' })) {
                @{ Name = $command.Name; Parameter = $parameter; Wild = $command.Name -notin $changing }
            }
        }
    ) {
        [bool]$Parameter.Attributes.Where({ $_ -is [SupportsWildcards] }) | Should -Be $Wild
        (Get-Help $Name -Parameter $Parameter.Name).globbing | Should -Be "$Wild".ToLowerInvariant()
        if ($Wild) {
            $more = $Name -eq 'New-CmekSupportRequest' ? @{ Purpose = 'Disable' } : @{}
            $outcome = Get-TestOutcome { & $Name 'sho*' @more }
            $outcome.Errors | Should -BeNullOrEmpty
        }
    }
}

Describe 'Wildcards that no cluster has' {
    It 'are an error where something is judged or waited for: <_>' -ForEach 'Compare-CmekCluster', 'Test-CmekAccess', 'Wait-CmekStatus',
        'Test-CmekBreakGlass', 'Export-CmekBreakGlass', 'Export-CmekManifest' {
        $command = $_
        $outcome = Get-TestOutcome { & $command 'zzz*' }
        Assert-TestError $outcome.Errors[0] ClusterNotFound ObjectNotFound -Target 'zzz`*'
        @($outcome.Errors).Count | Should -Be 1
    }

    It 'find nothing where something is listed: <_>' -ForEach 'Get-CmekCluster', 'Get-CmekStatus', 'Get-CmekKey' {
        $command = $_
        $outcome = Get-TestOutcome { & $command 'zzz*' }
        $outcome.Errors | Should -BeNullOrEmpty
        $outcome.Output | Should -BeNullOrEmpty
    }
}

Describe 'A record that names a region' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive -Cluster 'shop=AWS:us-east-1,us-west-2', 'ledger=GCP:us-central1,us-east1'
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'means that region for New-CmekKey, in <Form>' -TestCases @(
        @{ Form = 'a row of a file'; Rows = { "Name,Region`nshop,us-west-2`nledger,us-east1" | ConvertFrom-Csv } }
        @{ Form = 'a region''s status'; Rows = { Get-CmekStatus -Detailed | Where-Object Region -in 'us-west-2', 'us-east1' } }
    ) {
        $plan = (Get-TestPlan { & $Rows | New-CmekKey -WhatIf }) -join "`n"
        $plan | Should -Match 'us-west-2'
        $plan | Should -Not -Match 'us-east-1'
        $plan | Should -Match 'us-east1'
        $plan | Should -Not -Match 'us-central1'
    }

    It 'is joined by the other records of its cluster' {
        $made = 'us-east-1', 'us-west-2' | ForEach-Object { [pscustomobject]@{ ClusterName = 'shop'; Region = $_ } } | New-CmekKey
        $made.Region | Sort-Object | Should -Be @('us-east-1', 'us-west-2')
    }

    It 'is joined by the other records of its cluster, where one comes by its id and one by its name' {
        $plan = (Get-TestPlan {
            [pscustomobject]@{ ClusterId = (Get-CmekCluster ledger).Id; Region = 'us-central1' },
            [pscustomobject]@{ ClusterName = 'ledger'; Region = 'us-east1' } | New-CmekKey -WhatIf
        }) -join "`n"
        $plan | Should -Match 'us-central1'
        $plan | Should -Match 'us-east1'
    }

    It 'gives way to -Region' {
        (Get-TestPlan { [pscustomobject]@{ Name = 'ledger'; Region = 'us-east1' } | New-CmekKey -Region us-central1 -WhatIf }) -join "`n" |
            Should -Not -Match 'us-east1'
    }

    It 'rotates and rewraps nothing else, and both where both come' {
        $null = Enable-TestCluster
        $one = Get-CmekKey ledger | Where-Object Region -EQ us-east1 | Update-CmekCluster -Rewrap -RotateKey -Wait
        $one.Rotations.KeyUri | Should -BeLike '*us-east1*'
        (Get-CmekKey ledger | Sort-Object Region).PrimaryVersion | Should -Be @('1', '2')
        (Get-CmekKey ledger | Update-CmekCluster -Rewrap -RotateKey -Wait).Rotations | Should -HaveCount 2
        (Get-CmekKey ledger | Sort-Object Region).PrimaryVersion | Should -Be @('2', '3')
    }
}
