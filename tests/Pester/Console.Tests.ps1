#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

# What is PowerShell's own part of what users see: widths, colours, errors, transcripts, jobs. Nothing here changes a cluster twice.

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
    $null = Connect-TestSandbox $TestDrive
    $access = Enable-TestCluster
    $session = Get-CmekSession
    $module = Get-TestModulePath
    $rendering = $PSStyle.OutputRendering
    # The objects of each view.
    $shown = @{
        Cluster      = @(Get-CmekCluster)
        Status       = @(Get-CmekCluster | Get-CmekStatus)
        Region       = @((Get-CmekStatus shop).Regions)
        Key          = @(Get-CmekKey -ClusterName shop)
        Access       = @($access)
        Check        = @(Test-CmekAccess shop)
        Journal      = @(Get-CmekJournal | Select-Object -First 5)
        Organization = @(Get-CmekOrganization)
        Session      = @($session)
    }
}

AfterAll {
    $PSStyle.OutputRendering = $rendering
    Disconnect-TestSandbox
}

Describe 'The view of <_>' -ForEach 'Cluster', 'Status', 'Region', 'Key', 'Access', 'Check', 'Journal', 'Organization', 'Session' {
    BeforeAll {
        $objects = $shown[$_]
        $PSStyle.OutputRendering = 'PlainText'
    }

    It 'keeps within <_> columns, and names each column' -ForEach 80, 120, 200 {
        $width = $_
        $objects | Should -Not -BeNullOrEmpty
        $lines = @($objects | Out-String -Stream -Width $width | ForEach-Object TrimEnd | Where-Object { $_ })
        $lines.Count | Should -BeGreaterThan 2
        ($lines | Measure-Object Length -Maximum).Maximum | Should -BeLessOrEqual $width
        # As many rules as titles: no column was left out or ran into the next one.
        $lines[0] -split '\s{1,}' | Where-Object { $_ } | Should -HaveCount @($lines[1] -split '\s+' | Where-Object { $_ }).Count
        "$($lines[0])" | Should -Not -Match '…'
    }

    It 'says the same in a list' {
        $text = $objects[0] | Format-List | Out-String -Width 200
        $text | Should -Not -Match '(?m)^\w+\s*:\s*(System|CmekTools)\.\w+'
        $text | Should -Match ':'
    }
}

Describe 'The table of a revocation' {
    BeforeAll {
        $steps = foreach ($step in @('Cut', 'cut not seen yet, cluster still running'), @('Proof', 'key cut, cluster still running')) {
            [CmekTools.CmekStep]@{
                ClusterId = 'a'; ClusterName = 'shop'; Region = 'us-east-1'; Step = $step[0]; Result = 'done'; Now = $step[1]
                KeyUri = 'arn:aws:kms:us-east-1:111122223333:key/96eafe05-1abf-4597-902b-1d2d9b44abbe'
                AuthPrincipal = 'arn:aws:iam::111122223333:role/cmek-shop-14d86879'
            }
        }
    }

    It 'says which key and what happened, in whole words, <How>' -ForEach @(
        @{ How = 'as it is'; Show = { $steps | Out-String -Width 80 } }
        @{ How = 'sized by its texts'; Show = { $steps | Format-Table -AutoSize | Out-String -Width 80 } }
        @{ How = 'behind another table'; Show = { & { [pscustomobject]@{ One = 1 } | Format-Table One; $steps } | Out-String -Width 80 } }
    ) {
        $text = & $Show
        $text | Should -Match 'Cluster\s+Step\s+Now'
        foreach ($wanted in 'cut not seen yet, cluster still running', 'key cut, cluster still running', '96eafe05-1abf-4597-902b-1d2d9b44abbe', 'as cmek-shop-14d86879', 'us-east-1') {
            $text | Should -BeLike "*$wanted*"
        }

        $plan = [CmekTools.CmekRestorePlan]@{ ClusterId = 'a'; ClusterName = 'shop'; Region = 'us-east-1'; Newcomers = [string[]]'arn:aws:iam::1:role/new'; Reason = 'cut'; KeyUri = $steps[0].KeyUri; AuthPrincipal = $steps[0].AuthPrincipal; Action = 'GiveBack' }
        $plan | Format-Table -AutoSize | Out-String -Width 80 | Should -BeLike '*96eafe05-1abf-4597-902b-1d2d9b44abbe*came since: arn:aws:iam::1:role/new*'
    }

    It 'has times of one form in tables and lists' {
        $at = [DateTimeOffset]'2026-11-30T22:48:58Z'
        $key = [CmekTools.CmekKeyStatus]@{ State = 'ENABLED'; KeyUri = $steps[0].KeyUri; UpdatedAt = $at }
        foreach ($text in ($key | Format-Table | Out-String -Width 80), ($key | Format-List | Out-String), ($steps[0] | Format-List | Out-String)) {
            $text | Should -Match '\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ'
        }
    }
}

Describe 'The proof of a rotation' {
    It 'is in the table and in the list, in a copy too' {
        $rotation = [CmekTools.CmekKeyRotation]@{ KeyUri = 'projects/p/cryptoKeys/shop'; Before = '1'; After = '2' }
        $status = [CmekTools.CmekStatus]@{ ClusterId = 'a'; ClusterName = 'shop'; State = 'ENABLED'; Rotations = [CmekTools.CmekKeyRotation[]]$rotation }
        $copy = [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize($status))
        foreach ($shown in $status, $copy) {
            $shown | Out-String -Width 120 | Should -Match 'rotated shop: 1 -> 2'
            $shown | Format-List | Out-String -Width 120 | Should -Match 'Rotations\s+: projects/p/cryptoKeys/shop: 1 -> 2'
        }
        Get-CmekStatus shop | Format-List | Out-String | Should -Not -Match 'Rotations'
    }
}

Describe 'Colours' {
    It 'are in the state where they are wanted, and nowhere else' {
        $PSStyle.OutputRendering = 'Ansi'
        $coloured = Get-CmekStatus shop | Out-String -Width 120
        $PSStyle.OutputRendering = 'PlainText'
        $plain = Get-CmekStatus shop | Out-String -Width 120
        $coloured | Should -Match ([regex]::Escape($PSStyle.Foreground.Green) + 'ENABLED')
        $plain | Should -Not -Match "`e"
        [System.Management.Automation.Internal.StringDecorated]::new($coloured).ToString('PlainText') | Should -Be $plain
    }

    It 'are never in the objects' {
        $PSStyle.OutputRendering = 'Ansi'
        Get-CmekStatus shop | ConvertTo-Json -Depth 5 | Should -Not -Match '\\u001b|\e'
        "$(Get-CmekStatus shop)" | Should -Not -Match "`e"
    }
}

Describe 'Errors' {
    BeforeAll {
        $PSStyle.OutputRendering = 'PlainText'
        $record = (Get-TestOutcome { Get-CmekCluster nothere }).Errors[0]
    }

    It 'say in the concise view what is wrong and what to do, without a stack' {
        $ErrorView = 'ConciseView'
        $text = $record | Out-String -Width 120
        $text | Should -Match "There is no cluster 'nothere'"
        $text | Should -Match 'Recommendation: \S'
        $text | Should -Not -Match 'at CmekTools\.|StackTrace|\.cs:'
    }

    It 'have category and id in the <_>' -ForEach 'NormalView', 'CategoryView' {
        $ErrorView = $_
        $record | Out-String -Width 200 | Should -Match 'ObjectNotFound'
    }

    It 'show no secret in the detailed view' {
        $ErrorView = 'DetailedView'
        $text = $record | Out-String -Width 200
        $text | Should -Match 'ClusterNotFound'
        $text | Should -Not -Match ([regex]::Escape((Get-TestSandbox).Environment['COCKROACH_API_KEY']))
    }
}

Describe 'A transcript' {
    It 'has what was shown, and no secret' {
        $file = Join-Path $TestDrive 'transcript.txt'
        $script = @"
Import-Module '$module'
`$sandbox = Start-CmekSandbox -StateTime 0:0:0.05 -RateLimit 0
`$secret = ConvertTo-SecureString `$sandbox.Environment['COCKROACH_API_KEY'] -AsPlainText
`$null = Start-Transcript '$file'
Connect-CmekCloud -Sandbox `$sandbox -Verbose | Out-Default
New-CmekKey shop -Verbose | Grant-CmekAccess -Verbose | Enable-CmekCluster -Wait -Verbose | Out-Default
Get-CmekStatus nothere
`$null = Stop-Transcript
[System.Net.NetworkCredential]::new('', `$secret).Password
"@
        $shell = [System.Environment]::ProcessPath
        $arguments = @(if ([System.IO.Path]::GetFileNameWithoutExtension($shell) -eq 'dotnet') { "$PSHOME/pwsh.dll" }; '-NoProfile', '-NonInteractive', '-Command', $script)
        $secret = (& $shell @arguments 2>$null)[-1]
        $secret | Should -Not -BeNullOrEmpty
        $text = Get-Content $file -Raw
        $text | Should -Match 'us-east-1=ENABLED'
        $text | Should -Match 'VERBOSE: '
        $text | Should -Match "no cluster 'nothere'"
        # The head of a transcript names the command line, which has no secret in it.
        $text | Should -Not -Match ([regex]::Escape($secret))
    }
}

Describe 'Jobs and branches' {
    It 'Start-ThreadJob gives the objects themselves, over a session that is handed over' {
        $status = Start-ThreadJob { Import-Module $using:module; Get-CmekStatus shop -Session $using:session } | Receive-Job -Wait -AutoRemoveJob
        $status | Should -BeOfType ([CmekTools.CmekStatus])
        $status.State | Should -Be 'ENABLED'
    }

    It 'Stop-Job ends a command that waits, without an error' {
        $begun = [System.Threading.ManualResetEventSlim]::new()
        $job = Start-ThreadJob {
            Import-Module $using:module
            $slow = Start-CmekSandbox 'orders=AWS:eu-west-1' -StateTime 01:00:00 -RateLimit 0
            $null = Connect-CmekCloud -Sandbox $slow -StateFolder $using:TestDrive/stopped
            $null = New-CmekKey orders | Grant-CmekAccess | Enable-CmekCluster
            'begun'
            ($using:begun).Set()
            Wait-CmekStatus orders
            'never'
        }
        $begun.Wait([timespan]'00:01:00') | Should -BeTrue
        $job | Stop-Job
        $job.State | Should -Be 'Stopped'
        $job.Error | Should -BeNullOrEmpty
        $job | Receive-Job | Should -Be 'begun'
        $job | Remove-Job
    }

    It 'ForEach-Object -Parallel shares a session, and each branch may have one of its own' {
        $shared = 'shop', 'ledger' | ForEach-Object -Parallel { Import-Module $using:module; Get-CmekStatus $_ -Session $using:session }
        $shared.ClusterName | Sort-Object | Should -Be 'ledger', 'shop'
        $sandbox = Get-TestSandbox
        $own = 'shop', 'ledger' | ForEach-Object -Parallel {
            Import-Module $using:module
            $null = Connect-CmekCloud -Sandbox $using:sandbox
            "$($_) $((Get-CmekStatus $_).State)"
        }
        $own | Sort-Object | Should -Be 'ledger ENABLED', 'shop ENABLED'
        Get-CmekSession | Should -Be $session
    }

    # Start-Job and remoting send copies by this serializer.
    It 'copies of clusters pipe on and are shown by the same view' {
        $PSStyle.OutputRendering = 'PlainText'
        $copies = @([System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize(@(Get-CmekCluster))))
        $copies[0].PSObject.TypeNames[0] | Should -Be 'Deserialized.CmekTools.CmekCluster'
        ($copies | Get-CmekStatus).ClusterName | Should -Be 'ledger', 'shop'
        $copies | Out-String -Width 120 | Should -Be (Get-CmekCluster | Out-String -Width 120)
    }

    It 'copies of <Name> are refused, not taken for something else' -TestCases @(
        @{ Name = 'sessions'; Script = { param($copy) Get-CmekCluster -Session $copy }; Id = 'ParameterArgumentTransformationError,*' }
        @{ Name = 'sandboxes'; Script = { param($copy) Connect-CmekCloud -Sandbox $copy }; Id = 'CannotConvertArgumentNoMessage,*' }
    ) {
        $original = @{ sessions = $session; sandboxes = Get-TestSandbox }[$Name]
        $copy = [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize($original))
        { & $Script $copy } | Should -Throw -ErrorId $Id
    }

    It 'a copy of a session is told from one, with what to do' {
        $copy = [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize($session))
        foreach ($command in 'Get-CmekStatus', 'Get-CmekJournal', 'Disconnect-CmekCloud', 'Test-CmekBreakGlass') {
            { & $command -Session $copy } | Should -Throw '*Use Connect-CmekCloud in that process*'
        }
        { Get-CmekStatus -Session 4 } | Should -Throw -ErrorId 'CannotConvertArgumentNoMessage,*'
    }

    It 'no copy has the key of the connection in it' {
        $secret = [regex]::Escape((Get-TestSandbox).Environment['COCKROACH_API_KEY'])
        [System.Management.Automation.PSSerializer]::Serialize($session, 10) | Should -Not -Match $secret
    }
}
