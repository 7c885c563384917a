#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

# The pages on automation, run as far as a machine without those services allows. GitHub's and Systems Manager's scripts have tests of their own.

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
    $pages = Join-Path (Get-TestRepositoryRoot) 'docs/automation'
    $version = (Get-Module CmekTools).Version.ToString()

    # The first fenced block of a language in a page.
    function Get-Block {
        param([string] $Page, [string] $Language)

        $text = [System.IO.File]::ReadAllText((Join-Path $pages $Page))
        [regex]::Match($text, "(?s)``````$Language\r?\n(.*?)``````").Groups[1].Value
    }

    # A process with the sandbox's variables and a folder of modules, as the image has one: what it printed, and its exit code.
    function Invoke-Outside {
        param([string[]] $Arguments, [hashtable] $Also = @{})

        $shell = [System.Environment]::ProcessPath
        $start = [System.Diagnostics.ProcessStartInfo]::new($shell)
        if ([System.IO.Path]::GetFileNameWithoutExtension($shell) -eq 'dotnet') { $start.ArgumentList.Add("$PSHOME/pwsh.dll") }
        foreach ($argument in $Arguments) { $start.ArgumentList.Add($argument) }
        $variables = (Get-TestSandbox).Environment
        foreach ($name in $variables.Keys) { $start.Environment[$name] = $variables[$name] }
        $start.Environment['PSModulePath'] = $modules
        $start.Environment['CMEKTOOLS_STATE'] = Join-Path $TestDrive ([guid]::NewGuid())
        foreach ($name in $Also.Keys) { $start.Environment[$name] = $Also[$name] }
        $start.RedirectStandardOutput = $true
        $start.RedirectStandardError = $true
        $process = [System.Diagnostics.Process]::Start($start)
        $errors = $process.StandardError.ReadToEndAsync()
        $text = $process.StandardOutput.ReadToEnd()
        $process.WaitForExit()
        [pscustomobject]@{ Code = $process.ExitCode; Text = $text + $errors.Result }
    }

    # COPY out/CmekTools/VERSION/ …/Modules/CmekTools/VERSION/
    $modules = Join-Path $TestDrive 'modules'
    $null = New-Item -ItemType Directory (Join-Path $modules 'CmekTools')
    Copy-Item -Recurse (Get-Module CmekTools).ModuleBase (Join-Path $modules "CmekTools/$version")
    $null = Connect-TestSandbox $TestDrive -Cluster 'shop=AWS:us-east-1', 'plain=AWS:us-east-1'
    $null = New-CmekKey shop | Grant-CmekAccess | Enable-CmekCluster -Wait
}

AfterAll {
    Disconnect-TestSandbox
}

Describe 'The container' {
    BeforeAll {
        $dockerfile = Get-Block container.md dockerfile
        $entry = [regex]::Match($dockerfile, '(?m)^ENTRYPOINT (\[.*\])$').Groups[1].Value | ConvertFrom-Json
        $shell = $entry[1..($entry.Count - 1)]
    }

    It 'copies what is there, of this version' {
        [regex]::Match($dockerfile, '(?m)^ARG VERSION=(.*)$').Groups[1].Value | Should -Be $version
        foreach ($copied in [regex]::Matches($dockerfile, '(?m)^COPY (\S+) ')) {
            $source = $copied.Groups[1].Value.Replace('${VERSION}', $version)
            if ($source -notlike 'out/*') { Join-Path (Get-TestRepositoryRoot) $source | Should -Exist }
        }
    }

    It 'begins with what its entry point and command say' {
        $entry[0] | Should -Be 'pwsh'
        $command = [regex]::Match($dockerfile, '(?m)^CMD (\[.*\])$').Groups[1].Value | ConvertFrom-Json
        $run = Invoke-Outside ($shell + $command)
        $run.Code | Should -Be 0 -Because $run.Text
        $run.Text | Should -BeLike '*Revoke-CmekAccess*'
    }

    # With -WhatIf: a real rotation is waited for at the real service's pace, and Azure's runbook below has one.
    It 'runs a runbook' {
        $runbook = Join-Path $modules "CmekTools/$version/runbooks/rotate.ps1"
        $run = Invoke-Outside ($shell + '-Command' + "`$null = Connect-CmekCloud; & '$runbook' -ClusterName shop -WhatIf")
        $run.Code | Should -Be 0 -Because $run.Text
    }

    It 'ends the drift job with 0 where all is well, and with 1 where something differs or nothing could be seen' {
        $yaml = Get-Block container.md yaml
        $script = [regex]::Match($yaml, '(?s)- -Command\n\s+- \|\n(.*?)\n {14}env:').Groups[1].Value
        $script | Should -BeLike '*Compare-CmekCluster*exit 1*'
        $script = $script.Replace('Get-CmekCluster |', 'Get-CmekCluster $env:ONLY |')
        $well = Invoke-Outside ($shell + '-Command' + $script) @{ ONLY = 'shop' }
        $well.Code | Should -Be 0 -Because $well.Text
        $drift = Invoke-Outside ($shell + '-Command' + $script) @{ ONLY = '*' }
        $drift.Code | Should -Be 1 -Because $drift.Text
        $drift.Text | Should -BeLike '*plain*RegionMissing*'
        (Invoke-Outside ($shell + '-Command' + $script) @{ ONLY = '*'; COCKROACH_API_KEY = 'wrong' }).Code | Should -Be 1
    }
}

Describe 'Azure Automation' {
    BeforeAll {
        # The sandbox has no exchange of identity tokens: the credentials of its variables take their place. All else is as on the page.
        $text = (Get-Block azure-automation.md powershell) -replace '(?m)^\$env:AWS_(WEB_IDENTITY_TOKEN_FILE|ROLE_ARN) = .*$'
        $file = Join-Path $TestDrive 'azure.ps1'
        Set-Content $file $text
        $begin = @'
function Get-AutomationVariable { param($Name) if ($Name -eq 'CockroachApiKey') { $env:KEY } else { '{"credential_source":{"file":""}}' } }
function Invoke-RestMethod { @{ access_token = 'token' } }
'@
        $key = (Get-TestSandbox).Environment['COCKROACH_API_KEY']
    }

    It 'rotates, and fails where it did not' {
        $before = (Get-CmekStatus shop).Regions[0].Current.UpdatedAt
        $run = Invoke-Outside '-NoProfile', '-NonInteractive', '-Command', "$begin; & '$file' -ClusterName shop" @{ KEY = $key }
        $run.Code | Should -Be 0 -Because $run.Text
        (Get-CmekStatus shop).Regions[0].Current.UpdatedAt | Should -BeGreaterThan $before
        (Invoke-Outside '-NoProfile', '-NonInteractive', '-Command', "$begin; & '$file' -ClusterName nothere" @{ KEY = $key }).Code | Should -Be 1
    }
}

Describe 'Systems Manager' {
    It 'takes the name of its own example' {
        $page = [System.IO.File]::ReadAllText((Join-Path $pages 'aws-systems-manager.md'))
        $pattern = [regex]::Match($page, "allowedPattern: '(.*)'").Groups[1].Value
        [regex]::Match($page, 'ClusterName=(\S+)').Groups[1].Value | Should -Match $pattern
        foreach ($wrong in "a';b", 'a b', '$(x)', '') { $wrong | Should -Not -Match $pattern }
    }
}
