#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

BeforeDiscovery {
    $clouds = @(
        @{ Cloud = 'AWS'; Name = 'shop'; Region = 'us-east-1', 'us-west-2'; Made = 'kms:CreateAlias' }
        @{ Cloud = 'GCP'; Name = 'ledger'; Region = 'us-central1', 'us-east1'; Made = 'cloudkms:cryptoKeys.create' }
    )
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
}

Describe 'Get-CmekJournal on <Cloud>' -ForEach $clouds {
    BeforeAll {
        $world = Connect-TestSandbox $TestDrive
        $access = New-CmekKey $Name | Grant-CmekAccess
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'has one entry for each change, in the order of announcement' {
        $entries = Get-CmekJournal
        $entries | Should -BeOfType CmekTools.CmekJournalEntry
        $entries.Kind | Should -Contain $Made
        $entries.Outcome | Sort-Object -Unique | Should -Be 'done'
        $entries.Command | Sort-Object -Unique | Should -Be 'Grant-CmekAccess', 'New-CmekKey'
        $entries.Time | Should -Be @($entries.Time | Sort-Object)
        $entries | ForEach-Object { $_.EndTime -ge $_.Time } | Should -Not -Contain $false
        $entries.Summary | Should -Not -Contain $null
    }

    It 'says which run an entry belongs to' {
        $runs = Get-CmekJournal | Group-Object RunId
        $runs | Should -HaveCount 2
        foreach ($run in $runs) {
            $run.Group.Command | Sort-Object -Unique | Should -HaveCount 1
        }
    }

    It 'takes a pattern of targets by position' {
        (Get-CmekJournal "*$($access[0].KeyUri)*").Target | Sort-Object -Unique | Should -BeLike "*$($access[0].KeyUri)*"
        Get-CmekJournal 'no-such-target' | Should -BeNullOrEmpty
    }

    It 'takes the name of the cluster that a change was for' {
        $all = Get-CmekJournal
        Get-CmekJournal $Name | Should -HaveCount $all.Count
        Get-CmekJournal $Name -Unsettled | Should -BeNullOrEmpty
        ($all | Where-Object ClusterName -ne $Name) | Should -BeNullOrEmpty
    }

    It 'takes the time after which changes were announced' {
        $all = Get-CmekJournal
        Get-CmekJournal -After ([DateTimeOffset]::UtcNow.AddMinutes(1)) | Should -BeNullOrEmpty
        Get-CmekJournal -After ([DateTimeOffset]::UtcNow.AddHours(-1)) | Should -HaveCount $all.Count
        Get-CmekJournal -After $all[-1].Time | Should -Not -BeNullOrEmpty
    }

    It 'reads a folder without a connection' {
        $all = Get-CmekJournal
        $run = [powershell]::Create()
        try {
            $null = $run.AddScript('Import-Module $args[0]; Get-CmekJournal -StateFolder $args[1]').AddArgument((Get-TestModulePath)).AddArgument((Split-Path (Get-TestJournalPath $world.StateFolder)))
            $run.Invoke() | Should -HaveCount $all.Count
            $run.Streams.Error | Should -BeNullOrEmpty
        }
        finally {
            $run.Dispose()
        }
    }

    It 'reads the journal of the session given' {
        $all = Get-CmekJournal
        Get-CmekJournal -Session $world.Session | Should -HaveCount $all.Count
    }

    It 'holds no key and no token' {
        $text = Get-Content (Get-TestJournalPath $world.StateFolder) -Raw
        foreach ($secret in 'COCKROACH_API_KEY', 'AWS_SECRET_ACCESS_KEY', 'GOOGLE_SANDBOX_ACCESS_TOKEN') {
            $text | Should -Not -BeLike "*$($world.Sandbox.Environment[$secret])*"
        }
    }

    It 'has entries for changes that failed too' {
        $refusing = Connect-TestSandbox $TestDrive -Options @{ NoDisable = $true }
        try {
            $null = Enable-TestCluster $Name
            $null = Get-TestOutcome { Disable-CmekCluster $Name -Session $refusing.Session }
            $failed = Get-CmekJournal | Where-Object Outcome -eq 'failed'
            $failed.Command | Should -Be 'Disable-CmekCluster'
            $failed.Message | Should -Not -BeNullOrEmpty
        }
        finally {
            Disconnect-TestSandbox
            $null = Connect-CmekCloud -Sandbox (Get-TestSandbox)
        }
    }
}

Describe 'What the journal has of a cluster on <Cloud>' -ForEach $clouds {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $null = Enable-TestCluster $Name
        $null = Revoke-CmekAccess $Name -Force -NoWait 3>$null
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'is everything that was done to its keys, roles and policies' {
        $all = @(Get-CmekJournal)
        $all.Count | Should -BeGreaterThan 5
        @(Get-CmekJournal $Name) | Should -HaveCount $all.Count
        @($all | Where-Object { -not $_.ClusterName }) | Should -BeNullOrEmpty
    }

    It 'is what a support request tells, all of it' {
        $body = (New-CmekSupportRequest $Name Recover).Body
        foreach ($entry in Get-CmekJournal $Name | Where-Object Outcome -EQ done) { $body | Should -BeLike "*$([wildcardpattern]::Escape("$($entry.Command): $($entry.Summary) (done)"))*" }
    }

    It 'proves to a later session that the API key may change the cluster' {
        $null = Restore-CmekAccess $Name
        $null = Connect-CmekCloud -Sandbox (Get-TestSandbox)
        (Test-CmekBreakGlass $Name | Where-Object Name -EQ CloudApiRole).Result | Should -Be 'Pass'
        (Test-CmekAccess $Name | Where-Object Name -EQ CloudApiRole).Result | Should -Be 'Pass'
    }
}

Describe 'Get-CmekJournal' {
    It 'gives nothing and no error where there is no journal' {
        $outcome = Get-TestOutcome { Get-CmekJournal -StateFolder (Join-Path $TestDrive 'never') }
        $outcome.Output | Should -BeNullOrEmpty
        $outcome.Errors | Should -BeNullOrEmpty
        Join-Path $TestDrive 'never' | Should -Not -Exist
    }

    It 'says unknown for a change of which the end was not written' {
        $source = Connect-TestSandbox $TestDrive -Cluster 'one=AWS:us-east-1'
        try {
            $null = New-CmekKey one
            $lines = Get-Content (Get-TestJournalPath $source.StateFolder)
        }
        finally {
            Disconnect-TestSandbox
        }

        # What a killed process leaves: the announcement, and half a line.
        $cut = New-Item -ItemType Directory (Join-Path $TestDrive 'cut')
        [System.IO.File]::WriteAllText((Join-Path $cut 'journal.jsonl'), $lines[0] + "`n" + $lines[1].Substring(0, 10))
        (Get-CmekJournal -StateFolder $cut).Outcome | Should -Be 'unknown'
    }

    It 'does not take <_> as a time' -ForEach 'yesterday', 'x' {
        $time = $_
        { Get-CmekJournal -After $time } | Should -Throw -ErrorId 'CannotConvertArgumentNoMessage,*'
    }
}

Describe 'Get-CmekReceipt' {
    BeforeAll {
        $world = Connect-TestSandbox $TestDrive
        $null = Enable-TestCluster
        $null = Get-CmekCluster | Revoke-CmekAccess -KeyOnly -Force
        $null = Restore-CmekAccess ledger -WarningAction SilentlyContinue
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'lists the receipts, newest first' {
        $receipts = Get-CmekReceipt
        $receipts | Should -BeOfType CmekTools.CmekReceipt
        $receipts.ClusterName | Sort-Object | Should -Be 'ledger', 'shop'
        $receipts.CreatedAt | Should -Be @($receipts.CreatedAt | Sort-Object -Descending)
        $receipts.Path | Should -Exist
        $receipts.OrganizationId | Sort-Object -Unique | Should -Be (Get-CmekOrganization).Id
    }

    It 'takes the name of <Name> by position, with wildcards, and says what was cut' -TestCases @(
        @{ Name = 'shop'; Pattern = 'sh*'; Region = 'us-east-1', 'us-west-2' }
        @{ Name = 'ledger'; Pattern = 'LEDGER'; Region = 'us-central1', 'us-east1' }
    ) {
        $receipt = Get-CmekReceipt $Pattern
        $receipt.ClusterName | Should -Be $Name
        $receipt.Accesses.Region | Sort-Object | Should -Be $Region
        $receipt.Accesses.KeyUri | Sort-Object | Should -Be @((Get-CmekStatus $Name).Regions.KeyUri | Sort-Object)
        Get-Content $receipt.Path -Raw | Test-Json | Should -BeTrue
    }

    It 'lists only the open ones with -Open' {
        (Get-CmekReceipt -Open).ClusterName | Should -Be 'shop'
        (Get-CmekReceipt shop).RestoredAt | Should -BeNullOrEmpty
        (Get-CmekReceipt ledger).RestoredAt | Should -Not -BeNullOrEmpty
        Get-CmekReceipt ledger -Open | Should -BeNullOrEmpty
    }

    It 'passes over a file that is no receipt' {
        $folder = [System.IO.Path]::GetDirectoryName((Get-CmekReceipt shop).Path)
        Set-Content (Join-Path $folder 'note.json') '{}'
        Set-Content (Join-Path $folder 'broken.json') 'x'
        Get-CmekReceipt | Should -HaveCount 2
    }

    It 'leaves files that only their owner can read' -Skip:$IsWindows {
        foreach ($path in @((Get-CmekReceipt).Path) + (Get-TestJournalPath $world.StateFolder)) {
            [System.IO.File]::GetUnixFileMode($path) | Should -Be ([System.IO.UnixFileMode]'UserRead, UserWrite')
        }
    }

    It 'gives nothing for a cluster that was not cut' {
        Get-CmekReceipt nope | Should -BeNullOrEmpty
    }
}

Describe 'New-CmekSupportRequest' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $access = Enable-TestCluster
        $organization = (Get-CmekOrganization).Id
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'writes the organization''s request where no cluster is given' {
        $request = New-CmekSupportRequest -Purpose EnableOrganization -WarningAction SilentlyContinue
        $request | Should -BeOfType CmekTools.CmekSupportRequest
        $request.Purpose | Should -Be 'EnableOrganization'
        $request.Subject | Should -BeLike "*CMEK*$organization*"
        $request.ClusterId | Should -BeNullOrEmpty
        $request.Address.Scheme | Should -Be 'https'
    }

    It 'writes <Purpose> for <Name> with ids, keys and principals' -TestCases @(
        @{ Name = 'shop'; Purpose = 'Recover' }
        @{ Name = 'shop'; Purpose = 'Disable' }
        @{ Name = 'ledger'; Purpose = 'Recover' }
        @{ Name = 'ledger'; Purpose = 'Disable' }
    ) {
        $request = New-CmekSupportRequest $Name -Purpose $Purpose
        $request.Purpose | Should -Be $Purpose
        $request.ClusterId | Should -Be (Get-CmekCluster $Name).Id
        $request.Subject | Should -BeLike "$Purpose*$($request.ClusterId)*$organization*"
        foreach ($one in $access | Where-Object ClusterName -eq $Name) {
            $request.Body | Should -BeLike "*$($one.KeyUri)*"
            $request.Body | Should -BeLike "*$($one.AuthPrincipal)*"
        }
    }

    It 'binds a cluster by <How>' -TestCases @(
        @{ How = 'a cluster' }
        @{ How = 'a status' }
        @{ How = 'the property Id' }
    ) {
        $cluster = Get-CmekCluster ledger
        $request = switch ($How) {
            'a cluster' { $cluster | New-CmekSupportRequest -Purpose Recover }
            'a status' { Get-CmekStatus ledger | New-CmekSupportRequest -Purpose Recover }
            'the property Id' { [pscustomobject]@{ Id = $cluster.Id } | New-CmekSupportRequest -Purpose Recover }
        }
        $request.ClusterId | Should -Be $cluster.Id
        $request.Purpose | Should -Be 'Recover'
    }

    It 'is subject and body as a string' {
        $request = New-CmekSupportRequest shop Disable
        "$request" | Should -BeLike "$($request.Subject)*"
        "$request" | Should -BeLike "*$($request.Body.Split("`n")[0])*"
    }

    It 'writes nothing into the journal' {
        $entries = (Get-CmekJournal).Count
        $null = Get-CmekCluster | New-CmekSupportRequest -Purpose Disable
        (Get-CmekJournal).Count | Should -Be $entries
    }

    It 'goes on with the next record after a cluster that is not there' {
        $id = (Get-CmekCluster ledger).Id
        $outcome = Get-TestOutcome { [pscustomobject]@{ Id = [guid]::Empty }, [pscustomobject]@{ Id = $id } | New-CmekSupportRequest -Purpose Disable }
        Assert-TestError $outcome.Errors[0] 'CloudApiNotFound' ObjectNotFound -Target ([guid]::Empty)
        $outcome.Output.ClusterId | Should -Be $id
        { New-CmekSupportRequest nope Disable -ErrorAction Stop } | Should -Throw -ErrorId 'ClusterNotFound,*'
    }

    It 'has to be told a purpose, and one of a cluster which' {
        $sets = (Get-Command New-CmekSupportRequest).Parameters['Purpose'].ParameterSets
        $sets.Keys | Sort-Object | Should -Be 'Cluster', 'Organization'
        $sets.Values.IsMandatory | Should -Not -Contain $false
        $outcome = Get-TestOutcome { New-CmekSupportRequest -Purpose Recover }
        Assert-TestError $outcome.Errors[0] ClusterMissing InvalidArgument
    }
}

Describe 'Test-CmekJournal on <Cloud>' -ForEach $clouds {
    BeforeAll {
        $world = Connect-TestSandbox $TestDrive
        $null = New-CmekKey $Name | Grant-CmekAccess
        $path = Get-TestJournalPath $world.StateFolder
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'finds nothing in a journal that nobody changed' {
        $check = Test-CmekJournal
        $check | Should -BeOfType CmekTools.CmekJournalCheck
        $check.Result | Should -Be 'Pass'
        Test-CmekJournal -Quiet | Should -BeTrue
    }

    It 'names the line that was changed' {
        $text = [System.IO.File]::ReadAllText($path)
        try {
            [System.IO.File]::WriteAllText($path, $text.Replace('"phase":"done"', '"phase":"DONE"'))
            $check = Test-CmekJournal
            $check.Result | Should -Contain 'Fail'

            # The one behind the first that was changed: it does not follow it any more.
            $first = [array]::FindIndex($text.Split("`n"), [Predicate[string]] { param($Line) $Line.Contains('"phase":"done"') })
            $check.LineNumber | Should -Contain ($first + 2)
            Test-CmekJournal -Quiet | Should -BeFalse
        }
        finally {
            [System.IO.File]::WriteAllText($path, $text)
        }
    }

    It 'reads a folder without a connection' {
        Test-CmekJournal -StateFolder (Split-Path $path) -Quiet | Should -BeTrue
    }
}
