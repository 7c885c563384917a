#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule

    function ConvertTo-TestApiKey([string] $Text) {
        $key = [securestring]::new()
        foreach ($character in $Text.ToCharArray()) {
            $key.AppendChar($character)
        }

        $key
    }
}

Describe 'Connect-CmekCloud' {
    BeforeAll {
        $world = Connect-TestSandbox $TestDrive
        $sandbox = $world.Sandbox
        $kept = @{}
        foreach ($name in 'COCKROACH_API_KEY', 'COCKROACH_SERVER') {
            $kept[$name] = [Environment]::GetEnvironmentVariable($name)
        }
    }

    BeforeEach {
        # What the person who runs the tests has set must not decide how they end.
        $env:COCKROACH_API_KEY = $null
        $env:COCKROACH_SERVER = $null
    }

    AfterEach {
        foreach ($name in $kept.Keys) {
            [Environment]::SetEnvironmentVariable($name, $kept[$name])
        }
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'refuses a profile that no file has before anything is sent' {
        $session = Get-CmekSession
        $outcome = Get-TestOutcome { Connect-CmekCloud -ProfileName 'no-such-profile' -Server 'http://127.0.0.1:9' }
        Assert-TestError $outcome.Errors[0] 'AwsProfileNotFound' AuthenticationError -Target 'no-such-profile'
        $outcome.Output | Should -BeNullOrEmpty
        Get-CmekSession | Should -Be $session
    }

    It 'takes a sandbox from the pipeline' {
        $session = $sandbox | Connect-CmekCloud
        $session | Should -BeOfType CmekTools.CmekSession
        $session.IsSandbox | Should -BeTrue
        $session.Server | Should -Be $sandbox.BaseAddress
        $session.Organization.Name | Should -Be 'Sandbox'
    }

    It 'takes a sandbox as a parameter and makes the connection the runspace''s own' {
        $session = Connect-CmekCloud -Sandbox $sandbox
        [object]::ReferenceEquals((Get-CmekSession), $session) | Should -BeTrue
    }

    It 'takes the address and the key as parameters' {
        $session = Connect-CmekCloud -Server $sandbox.BaseAddress -ApiKey (ConvertTo-TestApiKey $sandbox.Environment['COCKROACH_API_KEY'])
        $session.IsSandbox | Should -BeFalse
        (Get-CmekCluster).Name | Should -Be 'ledger', 'shop'
    }

    It 'takes the address and the key from the environment' {
        $env:COCKROACH_SERVER = $sandbox.BaseAddress
        $env:COCKROACH_API_KEY = $sandbox.Environment['COCKROACH_API_KEY']
        (Connect-CmekCloud).Server | Should -Be $sandbox.BaseAddress
    }

    It 'gives the key in -ApiKey precedence over the environment' {
        $env:COCKROACH_API_KEY = $sandbox.Environment['COCKROACH_API_KEY']
        $outcome = Get-TestOutcome { Connect-CmekCloud -Server $sandbox.BaseAddress -ApiKey (ConvertTo-TestApiKey 'another') }
        Assert-TestError $outcome.Errors[0] 'CloudApiKeyRejected' AuthenticationError
    }

    It 'does not show the key anywhere in the session' {
        $key = $sandbox.Environment['COCKROACH_API_KEY']
        $session = Connect-CmekCloud -Server $sandbox.BaseAddress -ApiKey (ConvertTo-TestApiKey $key)
        $shown = ($session | Format-List -Property * -Force | Out-String -Width 500) + ($session | Out-String) + ($session | ConvertTo-Json -Depth 4 -WarningAction SilentlyContinue) + "$session"
        $shown | Should -Not -BeLike "*$key*"
    }

    It 'keeps journal and receipts of a sandbox in a folder of their own' {
        $null = Connect-CmekCloud -Sandbox $sandbox
        $null = New-CmekKey shop -Region us-east-1 -AliasName state
        Get-TestJournalPath $world.StateFolder | Should -Exist
        Join-Path $world.StateFolder 'journal.jsonl' | Should -Not -Exist
    }

    It 'takes a state folder, relative to the current location' {
        Push-Location $TestDrive
        try {
            $null = Connect-CmekCloud -Sandbox $sandbox -StateFolder './own'
            $null = New-CmekKey shop -Region us-east-1 -AliasName own
        }
        finally {
            Pop-Location
        }

        Join-Path $TestDrive 'own/journal.jsonl' | Should -Exist
    }

    It 'takes the Google Cloud project that holds the keys' {
        $null = Connect-CmekCloud -Sandbox $sandbox -Project 'another-project'
        # The sandbox has one project only, so another one shows in the refusal.
        $outcome = Get-TestOutcome { New-CmekKey ledger -Region us-east1 }
        Assert-TestError $outcome.Errors[0] 'AccessDenied' PermissionDenied
        $outcome.Errors[0].Exception.Message | Should -BeLike '*projects/another-project/*'
    }

    It 'replaces the connection that was there only when it succeeds' {
        $before = Connect-CmekCloud -Sandbox $sandbox
        $null = Get-TestOutcome { Connect-CmekCloud -Server $sandbox.BaseAddress -ApiKey (ConvertTo-TestApiKey 'wrong') }
        [object]::ReferenceEquals((Get-CmekSession), $before) | Should -BeTrue
    }

    It 'refuses <Why>: <Id>' -TestCases @(
        @{ Why = 'http to another machine'; Server = 'http://cockroachlabs.cloud'; Key = 'x'; Id = 'ServerInsecure'; Category = 'InvalidArgument' }
        @{ Why = 'another scheme'; Server = 'ftp://cockroachlabs.cloud'; Key = 'x'; Id = 'ServerInvalid'; Category = 'InvalidArgument' }
        @{ Why = 'a relative address'; Server = 'cockroachlabs.cloud'; Key = 'x'; Id = 'ServerInvalid'; Category = 'InvalidArgument' }
        @{ Why = 'an empty key'; Server = 'https://cockroachlabs.cloud'; Key = ''; Id = 'ApiKeyMissing'; Category = 'AuthenticationError' }
    ) {
        $outcome = Get-TestOutcome { Connect-CmekCloud -Server $Server -ApiKey (ConvertTo-TestApiKey $Key) }
        $outcome.Output | Should -BeNullOrEmpty
        Assert-TestError $outcome.Errors[0] $Id $Category
    }

    It 'asks for a key where there is none' {
        $outcome = Get-TestOutcome { Connect-CmekCloud -Server $sandbox.BaseAddress }
        Assert-TestError $outcome.Errors[0] 'ApiKeyMissing' AuthenticationError
        $outcome.Errors[0].ErrorDetails.RecommendedAction | Should -BeLike '*COCKROACH_API_KEY*'
    }

    It 'says the service''s status and words when the key is rejected' {
        $outcome = Get-TestOutcome { Connect-CmekCloud -Server $sandbox.BaseAddress -ApiKey (ConvertTo-TestApiKey 'wrong') }
        Assert-TestError $outcome.Errors[0] 'CloudApiKeyRejected' AuthenticationError
        $outcome.Errors[0].Exception | Should -BeOfType CmekTools.CmekServiceException
        $outcome.Errors[0].Exception.StatusCode | Should -Be 401
        "$($outcome.Errors[0] | Format-List * -Force | Out-String)" | Should -Not -BeLike '*Bearer wrong*'
    }

    It 'ends the script with -ErrorAction Stop' {
        { Connect-CmekCloud -Server $sandbox.BaseAddress -ApiKey (ConvertTo-TestApiKey 'wrong') -ErrorAction Stop } |
            Should -Throw -ErrorId 'CloudApiKeyRejected,*'
    }

    It 'does not take a sandbox and an address at once' {
        { Connect-CmekCloud -Sandbox $sandbox -Server $sandbox.BaseAddress } | Should -Throw -ErrorId 'AmbiguousParameterSet,*'
    }

    It 'does not take a plain string as the key' {
        { Connect-CmekCloud -Server $sandbox.BaseAddress -ApiKey 'plain' } | Should -Throw -ErrorId 'CannotConvertArgumentNoMessage,*'
    }

    It 'completes the profiles of the AWS configuration' {
        $configuration = $env:AWS_CONFIG_FILE
        $env:AWS_CONFIG_FILE = Join-Path $TestDrive 'aws-config'
        try {
            Set-Content $env:AWS_CONFIG_FILE "[default]`nregion = us-east-1`n[profile pester-security]`n[profile pester two]`n[sso-session pester-sso]"
            Get-TestCompletion 'Connect-CmekCloud -ProfileName pester' | Should -Be 'pester-security', "'pester two'"
        }
        finally {
            $env:AWS_CONFIG_FILE = $configuration
        }
    }
}

Describe 'Get-CmekSession' {
    BeforeAll {
        $world = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'shows the runspace''s connection' {
        $session = Get-CmekSession
        [object]::ReferenceEquals($session, $world.Session) | Should -BeTrue
        $session.IsSandbox | Should -BeTrue
        $session.Server.Host | Should -Be '127.0.0.1'
    }

    It 'gives nothing and no error where there is no connection' {
        # A runspace of its own has no connection, whatever this one has.
        $other = [powershell]::Create()
        try {
            $null = $other.AddScript('Import-Module $args[0]; Get-CmekSession').AddArgument((Get-TestModulePath))
            $other.Invoke() | Should -BeNullOrEmpty
            $other.Streams.Error | Should -BeNullOrEmpty
        }
        finally {
            $other.Dispose()
        }
    }

    It 'can be given to other runspaces' {
        $module = Get-TestModulePath
        $session = Get-CmekSession
        $names = 'shop', 'ledger' | ForEach-Object -Parallel {
            Import-Module $using:module
            (Get-CmekStatus $_ -Session $using:session).ClusterName
        }
        $names | Sort-Object | Should -Be 'ledger', 'shop'
    }
}

Describe 'Who am I' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'is in the session and in the question of a break-glass once AWS has said it' {
        (Get-CmekSession).AwsIdentity | Should -BeNullOrEmpty
        $null = Enable-TestCluster shop
        $session = Get-CmekSession
        $session.AwsAccount | Should -Be '111122223333'
        $session.AwsIdentity | Should -BeLike 'arn:aws:iam::111122223333:*'
        $session.GoogleProject | Should -Be 'customer-project'
        $session | Format-List | Out-String -Width 80 | Should -BeLike "*AwsAccount*111122223333*GoogleProject*customer-project*"
        (Get-TestPlan { Revoke-CmekAccess shop -WhatIf })[0] | Should -BeLike "shop of the organization Sandbox, a SANDBOX, as $($session.AwsIdentity) on AWS*"
    }
}

Describe 'The Google project of the environment' {
    It 'is in the session, as the keys'' commands use it' {
        $there = Connect-TestSandbox $TestDrive
        $outer = $env:GOOGLE_CLOUD_PROJECT, $env:CLOUDSDK_CORE_PROJECT
        try {
            $environment = [System.Collections.Generic.Dictionary[string, string]]::new()
            foreach ($name in $there.Sandbox.Environment.Keys | Where-Object { $_ -ne 'GOOGLE_CLOUD_PROJECT' }) { $environment[$name] = $there.Sandbox.Environment[$name] }
            $null = Connect-CmekCloud -Sandbox ([CmekTools.CmekSandbox]@{ BaseAddress = $there.Sandbox.BaseAddress; Environment = $environment })
            $env:GOOGLE_CLOUD_PROJECT = $env:CLOUDSDK_CORE_PROJECT = $null
            (Get-CmekSession).GoogleProject | Should -BeNullOrEmpty
            $env:CLOUDSDK_CORE_PROJECT = 'other-project'
            (Get-CmekSession).GoogleProject | Should -Be 'other-project'
            $env:GOOGLE_CLOUD_PROJECT = 'customer-project'
            (Get-CmekSession).GoogleProject | Should -Be 'customer-project'
            (Get-TestPlan { New-CmekKey ledger -WhatIf }) -join ' ' | Should -BeLike '*projects/customer-project/*'
        }
        finally {
            $env:GOOGLE_CLOUD_PROJECT, $env:CLOUDSDK_CORE_PROJECT = $outer
            Disconnect-TestSandbox
        }
    }
}

Describe 'Get-CmekSandbox' {
    It 'finds a sandbox that was piped into a connection, until it is stopped' {
        $before = @(Get-CmekSandbox).Count
        $null = Connect-TestSandbox $TestDrive
        $found = @(Get-CmekSandbox)
        $found | Should -HaveCount ($before + 1)
        $found[-1].BaseAddress | Should -Be (Get-CmekSession).Server
        Disconnect-TestSandbox
        @(Get-CmekSandbox) | Should -HaveCount $before
    }
}

Describe 'A command that finds no connection' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $variables = (Get-TestSandbox).Environment
        # Another process: it has a sandbox neither to serve nor to be connected to.
        $outside = {
            param([hashtable] $Set, [string] $Script)

            $shell = [System.Environment]::ProcessPath
            $start = [System.Diagnostics.ProcessStartInfo]::new($shell)
            if ([System.IO.Path]::GetFileNameWithoutExtension($shell) -eq 'dotnet') { $start.ArgumentList.Add("$PSHOME/pwsh.dll") }
            foreach ($argument in '-NoProfile', '-NonInteractive', '-Command', "Import-Module '$(Get-TestModulePath)'; $Script") { $start.ArgumentList.Add($argument) }
            $start.RedirectStandardOutput = $true
            $start.RedirectStandardError = $true
            foreach ($name in 'COCKROACH_API_KEY', 'COCKROACH_SERVER', 'GOOGLE_SANDBOX_ACCESS_TOKEN') { $null = $start.Environment.Remove($name) }
            foreach ($name in $Set.Keys) { $start.Environment[$name] = $Set[$name] }
            $start.Environment['CMEKTOOLS_STATE'] = Join-Path $TestDrive ([guid]::NewGuid())
            $process = [System.Diagnostics.Process]::Start($start)
            $text = $process.StandardOutput.ReadToEnd()
            $process.WaitForExit()
            $text
        }
        $key = @{ COCKROACH_API_KEY = $variables['COCKROACH_API_KEY']; COCKROACH_SERVER = $variables['COCKROACH_SERVER'] }
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'connects by COCKROACH_API_KEY, and says so once' {
        $text = & $outside $key '(Get-CmekCluster 6>&1 | Out-String); (Get-CmekStatus shop 6>&1 | Out-String); Disconnect-CmekCloud; try { Get-CmekCluster -ErrorAction Stop } catch { $_.FullyQualifiedErrorId }'
        @($text -split "`n" | Where-Object { $_ -like 'Connected to *COCKROACH_API_KEY*' }) | Should -HaveCount 1
        $text | Should -BeLike '*shop*DISABLED*NotConnected*' -Because 'what was ended stays ended'
        $text | Should -Not -BeLike "*$($key.COCKROACH_API_KEY)*"
    }

    It 'leaves what goes to a file to what was asked for' {
        $text = & $outside $key 'Get-CmekCluster shop | ConvertTo-Json -Compress -Depth 2; Get-CmekStatus'
        ($text -split "`n")[0] | ConvertFrom-Json | ForEach-Object Name | Should -Be 'shop'
        $text | Should -Not -BeLike '*Connected to*'
    }

    It 'says why the key is not used by itself: <Why>' -TestCases @(
        @{ Why = '*after Disconnect-CmekCloud*'; Script = '$null = Get-CmekCluster; Disconnect-CmekCloud;' }
        @{ Why = '*while a sandbox runs*'; Script = '$null = Start-CmekSandbox;' }
        @{ Why = '*once Connect-CmekCloud was called*'; Script = '$null = Connect-CmekCloud; Disconnect-CmekCloud;' }
    ) {
        $text = & $outside $key "$Script try { Get-CmekCluster -ErrorAction Stop } catch { `$_.Exception.Message }"
        $text | Should -BeLike $Why
        $text | Should -Not -BeLike '*Set COCKROACH_API_KEY*'
    }

    It 'does not without the key, nor to a sandbox, nor beside one: <Why>' -TestCases @(
        @{ Why = 'no key'; With = { @{} }; Script = '' }
        @{ Why = 'a sandbox''s variables'; With = { $all = @{}; foreach ($name in $variables.Keys) { $all[$name] = $variables[$name] }; $all }; Script = '' }
        @{
            Why = 'a connection elsewhere in the process, for a branch without one'; With = { $key }
            Script = '$null = Connect-CmekCloud; $m = (Get-Module CmekTools).Path; 1 | ForEach-Object -Parallel { Import-Module $using:m; try { Get-CmekCluster -ErrorAction Stop } catch { $_.FullyQualifiedErrorId } }; exit;'
        }
        @{ Why = 'after a connection that failed'; With = { $key }; Script = 'try { Connect-CmekCloud -ApiKey (ConvertTo-SecureString wrong -AsPlainText -Force) -ErrorAction Stop } catch { };' }
        @{ Why = 'a sandbox in the process'; With = { $key }; Script = '$null = Start-CmekSandbox;' }
    ) {
        $text = & $outside (& $With) "$Script try { Get-CmekCluster -ErrorAction Stop } catch { `$_.FullyQualifiedErrorId }"
        $text | Should -BeLike 'NotConnected*'
    }
}

Describe 'Disconnect-CmekCloud' {
    BeforeEach {
        $world = Connect-TestSandbox $TestDrive
    }

    AfterEach {
        Disconnect-TestSandbox
    }

    It 'ends the runspace''s connection and gives nothing out' {
        Disconnect-CmekCloud | Should -BeNullOrEmpty
        Get-CmekSession | Should -BeNullOrEmpty
    }

    It 'does nothing where there is no connection' {
        Disconnect-CmekCloud
        { Disconnect-CmekCloud -ErrorAction Stop } | Should -Not -Throw
    }

    It 'ends only the session that comes through the pipeline' {
        $second = Connect-CmekCloud -Sandbox $world.Sandbox
        $world.Session | Disconnect-CmekCloud
        [object]::ReferenceEquals((Get-CmekSession), $second) | Should -BeTrue
        Get-CmekCluster shop | Should -Not -BeNullOrEmpty
        $second | Disconnect-CmekCloud
    }

    It 'leaves the sandbox as it is' {
        $null = New-CmekKey shop -Region us-east-1
        Disconnect-CmekCloud
        $null = $world.Sandbox | Connect-CmekCloud
        Get-CmekKey -ClusterName shop | Should -HaveCount 1
    }

    It 'makes every command that needs a connection say how to get one: <_>' -ForEach @(
        "Get-CmekOrganization", "Get-CmekCluster", "Get-CmekStatus shop", "Wait-CmekStatus shop", "New-CmekKey shop", "Get-CmekKey -ClusterName shop"
        "Grant-CmekAccess shop -Region us-east-1 -KeyUri x", "Test-CmekAccess shop -Quiet:`$false", "Revoke-CmekAccess shop -Force", "Restore-CmekAccess shop", "Disable-CmekCluster shop"
        "Update-CmekCluster shop -Rewrap", "Enable-CmekCluster shop -ManifestPath x", "Add-CmekRegion shop -ManifestPath x -NodeCount 1", "Compare-CmekCluster shop"
        "Export-CmekManifest shop", "Import-CmekManifest x shop", "Remove-CmekKey x -Confirm:`$false", "New-CmekSupportRequest -Purpose EnableOrganization"
        "New-CmekCluster orders -Provider AWS -RegionNodes @{ 'us-east-1' = 3 }"
    ) {
        Disconnect-CmekCloud
        $outcome = Get-TestOutcome ([scriptblock]::Create($_))
        $outcome.Output | Should -BeNullOrEmpty
        $outcome.Errors | Should -HaveCount 1
        Assert-TestError $outcome.Errors[0] 'NotConnected' ConnectionError
        $outcome.Errors[0].ErrorDetails.RecommendedAction | Should -BeLike '*Connect-CmekCloud*'
    }
}

Describe 'Get-CmekOrganization' {
    BeforeAll {
        $world = Connect-TestSandbox $TestDrive
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'reads the organization of the API key' {
        $organization = Get-CmekOrganization
        $organization | Should -BeOfType CmekTools.CmekOrganization
        $organization.Id | Should -Be $world.Session.Organization.Id
        { [guid]::Parse($organization.Id) } | Should -Not -Throw
        $organization.Label | Should -Be 'sandbox'
    }

    It 'takes the session to use' {
        (Get-CmekOrganization -Session $world.Session).Name | Should -Be 'Sandbox'
    }

    It 'refuses a session that is null' {
        { Get-CmekOrganization -Session $null } | Should -Throw -ErrorId 'ParameterArgumentValidationError,*'
    }

    It 'says so when nobody answers' {
        $gone = Start-CmekSandbox -RateLimit 0
        $session = Connect-CmekCloud -Sandbox $gone
        $gone | Stop-CmekSandbox
        try {
            $outcome = Get-TestOutcome { Get-CmekOrganization -Session $session }
            Assert-TestError $outcome.Errors[0] 'CloudApiUnreachable' ConnectionError
        }
        finally {
            $session | Disconnect-CmekCloud
            $null = Connect-CmekCloud -Sandbox $world.Sandbox
        }
    }
}
