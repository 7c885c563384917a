#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
}

Describe 'Start-CmekSandbox' {
    BeforeEach {
        $started = [System.Collections.Generic.List[object]]::new()
    }

    AfterEach {
        Disconnect-CmekCloud
        $started | Stop-CmekSandbox
    }

    BeforeAll {
        $outerState = $env:CMEKTOOLS_STATE
        $env:CMEKTOOLS_STATE = Join-Path $TestDrive 'state'
    }

    AfterAll {
        $env:CMEKTOOLS_STATE = $outerState
    }

    It 'listens on loopback, on a free port, each sandbox by itself' {
        $started.Add((Start-CmekSandbox))
        $started.Add((Start-CmekSandbox))
        $started.BaseAddress.Host | Should -Be '127.0.0.1', '127.0.0.1'
        $started[0].BaseAddress.Port | Should -Not -Be $started[1].BaseAddress.Port
    }

    It 'begins with one cluster on each cloud, without CMEK' {
        $started.Add((Start-CmekSandbox -RateLimit 0))
        $null = $started[0] | Connect-CmekCloud
        Get-CmekCluster | ForEach-Object { "$($_.Name) $($_.Provider)" } | Should -Be 'ledger GCP', 'shop AWS'
        (Get-CmekCluster | Get-CmekStatus).State | Should -Be 'DISABLED', 'DISABLED'
    }

    It 'takes the clusters by position' {
        $started.Add((Start-CmekSandbox 'orders=AWS:eu-west-1', 'audit-1=GCP:europe-west1,us-east1' -RateLimit 0))
        $null = $started[0] | Connect-CmekCloud
        Get-CmekCluster | ForEach-Object { "$($_.Name) $($_.Provider) $($_.Regions.Name)" } | Should -Be 'audit-1 GCP europe-west1 us-east1', 'orders AWS eu-west-1'
    }

    It 'says the variables that point other programs at it, and sets none' {
        $before = $env:COCKROACH_SERVER
        $started.Add((Start-CmekSandbox))
        $started[0].Environment['COCKROACH_SERVER'].TrimEnd('/') | Should -Be "$($started[0].BaseAddress)".TrimEnd('/')
        $started[0].Environment.Keys | Should -Contain 'AWS_ENDPOINT_URL'
        $started[0].Environment.Keys | Should -Contain 'CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS'
        $env:COCKROACH_SERVER | Should -Be $before
    }

    It 'takes as long for a transition as -StateTime says' {
        $started.Add((Start-CmekSandbox 'orders=AWS:eu-west-1' -StateTime 01:00:00 -RateLimit 0))
        $null = $started[0] | Connect-CmekCloud
        (New-CmekKey orders | Grant-CmekAccess | Enable-CmekCluster).State | Should -Be 'ENABLING'
        (Get-CmekStatus orders).State | Should -Be 'ENABLING'
    }

    It 'refuses NULL_KMS with -NoDisable' {
        $started.Add((Start-CmekSandbox 'orders=AWS:eu-west-1' -StateTime 00:00:00.05 -RateLimit 0 -NoDisable))
        $null = $started[0] | Connect-CmekCloud
        $null = Enable-TestCluster
        { Disable-CmekCluster orders -ErrorAction Stop } | Should -Throw -ErrorId 'DisableUnsupported,*'
    }

    It 'leaves a revoked cluster revoked with -NoVendorRecovery' {
        $started.Add((Start-CmekSandbox 'orders=AWS:eu-west-1' -StateTime 00:00:00.05 -RateLimit 0 -NoVendorRecovery))
        $null = $started[0] | Connect-CmekCloud
        $null = Enable-TestCluster
        $null = Revoke-CmekAccess orders -Force
        $null = Restore-CmekAccess orders -WarningAction SilentlyContinue
        { Wait-CmekStatus orders -TimeoutSeconds 1 -ErrorAction Stop } | Should -Throw -ErrorId 'StatusTimeout,*'
        (Get-CmekStatus orders).State | Should -Be 'REVOKED'
    }

    It 'says that a port is taken' {
        $started.Add((Start-CmekSandbox))
        $port = $started[0].BaseAddress.Port
        $outcome = Get-TestOutcome { Start-CmekSandbox -Port $port }
        $outcome.Output | Should -BeNullOrEmpty
        Assert-TestError $outcome.Errors[0] 'SandboxPortTaken' ResourceUnavailable -Target $port
    }

    It 'says what is wrong with the cluster "<_>"' -ForEach 'orders', 'orders=AWS', 'orders=IBM:us-east-1', '=AWS:us-east-1', 'orders=AWS:' {
        $text = $_
        { Start-CmekSandbox $text -ErrorAction Stop } | Should -Throw -ErrorId 'SandboxClusterInvalid,*'
    }

    It 'refuses -<Name> <Value>' -TestCases @(
        @{ Name = 'Port'; Value = 65536 }
        @{ Name = 'Port'; Value = -1 }
        @{ Name = 'RateLimit'; Value = -1 }
        @{ Name = 'RateLimit'; Value = 10001 }
        @{ Name = 'Cluster'; Value = '' }
    ) {
        $parameters = @{ $Name = $Value }
        { Start-CmekSandbox @parameters } | Should -Throw -ErrorId 'ParameterArgumentValidationError*'
    }
}

Describe 'Start-CmekSandbox -Wait' {
    BeforeAll {
        # Serves in a runspace of its own, and comes back when the last line is there.
        function Start-TestServer([string] $Parameters) {
            $shell = [powershell]::Create()
            $null = $shell.AddScript("Import-Module '$(Get-TestModulePath)'; Start-CmekSandbox -Wait $Parameters")
            $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
            $running = $shell.BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]::new(), $output)
            $lines = [System.Collections.Generic.List[string]]::new()
            # The enumerator of such a collection waits for the next object.
            foreach ($line in $output) {
                $lines.Add("$line")
                if ("$line".StartsWith('#')) {
                    break
                }
            }

            [pscustomobject]@{ Shell = $shell; Running = $running; Lines = $lines }
        }

        function Get-TestAnswer([string] $Address) {
            try {
                (Invoke-WebRequest "$Address/nothing" -SkipHttpErrorCheck -TimeoutSec 5).StatusCode
            }
            catch [System.Net.Http.HttpRequestException] {
                'nobody'
            }
        }
    }

    It 'writes the variables, serves, and frees its port when it is stopped' {
        $server = Start-TestServer "-Cluster 'orders=AWS:eu-west-1' -As Env"
        try {
            $environment = @{}
            $server.Lines | Where-Object { $_ -notlike '#*' } | ForEach-Object { $environment[$_.Split('=', 2)[0]] = $_.Split('=', 2)[1] }
            $address = $environment['COCKROACH_SERVER'].TrimEnd('/')
            $server.Lines[-1] | Should -Be "# $address/ serves until Ctrl-C."
            $headers = @{ Authorization = "Bearer $($environment['COCKROACH_API_KEY'])"; 'Cc-Version' = '2024-09-16' }
            (Invoke-RestMethod "$address/api/v1/clusters" -Headers $headers).clusters.name | Should -Be 'orders'
            $server.Running.IsCompleted | Should -BeFalse
        }
        finally {
            $server.Shell.Stop()
        }

        Get-TestAnswer $address | Should -Be 'nobody'
        $server.Shell.InvocationStateInfo.State | Should -Be 'Stopped'
        $server.Shell.Streams.Error | Should -BeNullOrEmpty
        $server.Shell.Dispose()
    }

    It 'ends, and frees its port, when the next command has had enough' {
        $lines = Start-CmekSandbox -Wait -As Env | Select-Object -First 3
        $lines.Count | Should -Be 3
        $address = ($lines | Where-Object { $_ -like 'AWS_ENDPOINT_URL=*' }).Split('=', 2)[1]
        Get-TestAnswer $address | Should -Be 'nobody'
    }

    It 'writes the same variables as Environment has, in statements of PowerShell' {
        $wanted = Start-CmekSandbox
        $wanted | Stop-CmekSandbox
        $lines = Start-CmekSandbox -Wait | Select-Object -First $wanted.Environment.Count
        $shell = [powershell]::Create()
        try {
            $set = $shell.AddScript("$($lines -replace '\$env:', '$set_' -join '; '); (Get-Variable set_*).Name -replace '^set_'").Invoke()
            $shell.Streams.Error | Should -BeNullOrEmpty
        }
        finally {
            $shell.Dispose()
        }

        $set | Should -Be @($wanted.Environment.Keys | Sort-Object)
    }

    It 'writes statements that <_> understands' -ForEach 'bash', 'sh' {
        if (-not (Get-Command $_ -CommandType Application -ErrorAction Ignore)) {
            Set-ItResult -Skipped -Because "$_ is not installed"
            return
        }

        $lines = Start-CmekSandbox -Wait -As Bash | Select-Object -First 5
        $file = Join-Path $TestDrive 'sandbox.sh'
        Set-Content $file $lines
        $said = & $_ -eu -c '. "$1"; printf %s "$AWS_ENDPOINT_URL"' $_ $file
        $LASTEXITCODE | Should -Be 0
        $said | Should -Be ($lines | Where-Object { $_ -like '*AWS_ENDPOINT_URL*' }).Split("'")[1]
    }

    It 'says that a port is taken, and serves nothing' {
        $sandbox = Start-CmekSandbox
        try {
            $outcome = Get-TestOutcome { Start-CmekSandbox -Wait -Port $sandbox.BaseAddress.Port }
            $outcome.Output | Should -BeNullOrEmpty
            Assert-TestError $outcome.Errors[0] 'SandboxPortTaken' ResourceUnavailable
        }
        finally {
            $sandbox | Stop-CmekSandbox
        }
    }
}

Describe 'Stop-CmekSandbox' {
    BeforeAll {
        function Test-TestPort([int] $Port) {
            $client = [System.Net.Sockets.TcpClient]::new()
            try {
                $client.Connect('127.0.0.1', $Port)
                $true
            }
            catch [System.Net.Sockets.SocketException] {
                $false
            }
            finally {
                $client.Dispose()
            }
        }

        $outerState = $env:CMEKTOOLS_STATE
        $env:CMEKTOOLS_STATE = Join-Path $TestDrive 'state'
    }

    AfterAll {
        Disconnect-CmekCloud
        $env:CMEKTOOLS_STATE = $outerState
    }

    It 'takes sandboxes from the pipeline, stops all of them and gives nothing out' {
        $sandboxes = (Start-CmekSandbox), (Start-CmekSandbox)
        $sandboxes | ForEach-Object { Test-TestPort $_.BaseAddress.Port } | Should -Be $true, $true
        $sandboxes | Stop-CmekSandbox | Should -BeNullOrEmpty
        $sandboxes | ForEach-Object { Test-TestPort $_.BaseAddress.Port } | Should -Be $false, $false
    }

    It 'takes a sandbox by position, and once more' {
        $sandbox = Start-CmekSandbox
        Stop-CmekSandbox $sandbox
        { Stop-CmekSandbox $sandbox -ErrorAction Stop } | Should -Not -Throw
    }

    It 'frees the port' {
        $sandbox = Start-CmekSandbox
        $port = $sandbox.BaseAddress.Port
        Stop-CmekSandbox $sandbox
        $next = Start-CmekSandbox -Port $port
        $next.BaseAddress.Port | Should -Be $port
        Stop-CmekSandbox $next
    }

    It 'leaves journal and receipts of the trial' {
        $sandbox = Start-CmekSandbox -RateLimit 0
        $null = $sandbox | Connect-CmekCloud -StateFolder (Join-Path $TestDrive 'trial')
        $null = New-CmekKey shop -Region us-east-1
        Stop-CmekSandbox $sandbox
        Get-CmekJournal | Should -Not -BeNullOrEmpty
    }

    It 'refuses <Why>' -TestCases @(
        @{ Why = 'nothing'; Value = $null; Id = 'ParameterArgumentValidationError' }
        @{ Why = 'an address'; Value = 'http://127.0.0.1:1/'; Id = 'CannotConvertArgumentNoMessage' }
    ) {
        { Stop-CmekSandbox $Value } | Should -Throw -ErrorId "$Id,*"
    }
}
