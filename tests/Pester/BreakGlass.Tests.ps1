#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
}

Describe 'Test-CmekBreakGlass' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $null = New-CmekKey shop | Grant-CmekAccess | Enable-CmekCluster -Wait
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'takes names, ids and clusters from the pipeline, and answers once' {
        Test-CmekBreakGlass shop -Quiet | Should -BeTrue
        Test-CmekBreakGlass -ClusterId (Get-CmekCluster shop).Id -Quiet | Should -BeTrue
        Get-CmekCluster shop | Test-CmekBreakGlass -Quiet | Should -BeTrue
        Get-CmekCluster | Test-CmekBreakGlass -Quiet | Should -BeFalse
        Test-CmekBreakGlass -Quiet | Should -BeTrue
    }

    It 'gives a row for each thing, with a remedy where one is due' {
        $rows = Test-CmekBreakGlass shop, ledger
        $rows | Should -BeOfType CmekTools.CmekCheck
        $rows.Where{ $_.Name -eq 'CutPolicyWrite' }.Region | Should -Be us-east-1, us-west-2
        $off = $rows.Where{ $_.Result -ne 'Pass' }
        $off.ClusterName | Should -Be ledger
        $off.Remedy | Should -Not -BeNullOrEmpty
    }
}

Describe 'Export-CmekBreakGlass' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $null = New-CmekKey shop | Grant-CmekAccess | Enable-CmekCluster -Wait
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'gives the text, or writes it, and tells what cannot be written' {
        $text = Export-CmekBreakGlass shop
        $text | Should -Match 'aws kms put-key-policy'
        $text | Should -Not -Match 'sandbox/admin/secret'
        $path = Join-Path $TestDrive 'shop.md'
        (Get-CmekCluster shop | Export-CmekBreakGlass -Path $path).FullName | Should -Be $path
        Get-Content $path -Raw | Should -Match 'REVOKE'
        (Get-TestOutcome { Export-CmekBreakGlass ledger }).Errors[0].FullyQualifiedErrorId | Should -BeLike 'CmekNotEnabled,*'
    }
}

Describe 'A break-glass without any connection' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive -Cluster 'shop=AWS:us-east-1'
        $null = New-CmekKey shop | Grant-CmekAccess | Enable-CmekCluster -Wait

        # Another process, which serves no sandbox: it reads the status once, and then has neither connection nor API key.
        $script = Join-Path $TestDrive 'away.ps1'
        Set-Content $script @'
Import-Module $args[0]
$WarningPreference = $InformationPreference = 'SilentlyContinue'
$null = Get-CmekStatus shop
Disconnect-CmekCloud
$key = $env:COCKROACH_API_KEY
$env:COCKROACH_API_KEY = $null
$told = @{}
$checks = Test-CmekBreakGlass shop -KeyOnly
$told.Known = ($checks | Where-Object Name -EQ CutKeys).Seen
$told.Ready = Test-CmekBreakGlass shop -KeyOnly -Quiet
Revoke-CmekAccess nobody -Force -KeyOnly -ErrorVariable unknown -ErrorAction SilentlyContinue
$told.Unknown = $unknown.FullyQualifiedErrorId
$told.Advice = $unknown.ErrorDetails.RecommendedAction
$steps = Revoke-CmekAccess shop -Force -ErrorVariable unsent -ErrorAction SilentlyContinue -WarningVariable said
$told.Unsent = $unsent.FullyQualifiedErrorId
$told.Order = $steps.Step -join ' '
$told.Now = $steps[-1].Now
$told.KeyCut = $steps[-1].KeyCut
$told.Said = "$said"
$again = Revoke-CmekAccess shop -Force -KeyOnly -ErrorAction Stop
$told.Again = $again[-1].KeyCut
$null = Connect-CmekCloud -ApiKey (ConvertTo-SecureString $key -AsPlainText -Force)
$null = Restore-CmekAccess shop -ErrorAction Stop
$told.Open = @(Get-CmekReceipt -Open).Count
$told.Usable = Test-CmekAccess shop -Quiet
Revoke-CmekAccess shop -Force -KeyOnly -WhatIf -ErrorAction Stop
$branch = 1 | ForEach-Object -Parallel {
    Import-Module $using:args[0]
    Revoke-CmekAccess shop -Force -KeyOnly -ErrorVariable refused -ErrorAction SilentlyContinue
    $refused.FullyQualifiedErrorId
}
$told.Branch = $branch
'TOLD ' + ($told | ConvertTo-Json -Compress)
'@
        $shell = [System.Environment]::ProcessPath
        $start = [System.Diagnostics.ProcessStartInfo]::new($shell)
        if ([System.IO.Path]::GetFileNameWithoutExtension($shell) -eq 'dotnet') { $start.ArgumentList.Add("$PSHOME/pwsh.dll") }
        foreach ($argument in '-NoProfile', '-NonInteractive', '-File', $script, (Get-TestModulePath)) { $start.ArgumentList.Add($argument) }
        $variables = (Get-TestSandbox).Environment
        foreach ($name in $variables.Keys) { $start.Environment[$name] = $variables[$name] }
        $null = $start.Environment.Remove('GOOGLE_SANDBOX_ACCESS_TOKEN')
        $start.Environment['CMEKTOOLS_STATE'] = Join-Path $TestDrive ([guid]::NewGuid())
        $start.RedirectStandardOutput = $true
        $process = [System.Diagnostics.Process]::Start($start)
        $text = $process.StandardOutput.ReadToEnd()
        $process.WaitForExit()
        $line = $text -split "`n" | Where-Object { $_ -like 'TOLD *' }
        $line | Should -Not -BeNullOrEmpty -Because $text
        $told = $line.Substring(5) | ConvertFrom-Json
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'is ready by what was seen before' {
        $told.Known | Should -BeLike '1 key with 1 principal *'
        $told.Ready | Should -BeTrue
    }

    It 'cuts by name, and the REVOKE that could not be sent is the error' {
        $told.KeyCut | Should -BeTrue
        $told.Now | Should -Be "key cut, cluster's state not seen"
        $told.Unsent | Should -BeLike 'RevokeNotSent,*'
        $told.Said | Should -BeLike '*The keys of shop are those that are known here, by the inventory*'
        $told.Again | Should -BeTrue -Because 'with -KeyOnly nothing is left undone'
    }

    It 'is given back by its receipt when there is a connection' {
        $told.Open | Should -Be 0
        $told.Usable | Should -BeTrue
    }

    It 'says what can be given where a cluster is not known here' {
        $told.Unknown | Should -BeLike 'NotConnected,*'
        foreach ($way in '-KeyUri', '-ManifestPath', '-Discover') { $told.Advice | Should -Match $way }
    }

    It 'guesses nothing beside a connection in the same process' {
        $told.Branch | Should -BeLike 'NotConnected,*'
    }
}
