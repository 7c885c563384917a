#Requires -Version 7.4

BeforeDiscovery {
    $tasks = (Get-Command (Join-Path $PSScriptRoot '../../build.ps1')).Parameters['Task'].Attributes.Where({ $_ -is [ValidateSet] }).ValidValues |
        ForEach-Object { @{ Name = $_ } }
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    $script = Join-Path (Get-TestRepositoryRoot) 'build.ps1'
}

Describe 'The help of build.ps1' {
    BeforeAll {
        $help = Get-Help $script -Full
        $told = ($help.parameters.parameter | Where-Object Name -eq 'Task').description.Text -join "`n"
    }

    It 'says what <Name> does, and shows it' -TestCases $tasks {
        $told | Should -Match "(?m)^$Name "
        $examples = $help.examples.example.code -join "`n"
        # Build is what is done where no task is named.
        $examples | Should -Match $($Name -eq 'Build' ? '\./build\.ps1$|\./build\.ps1\n' : "build\.ps1 $Name")
    }

    It 'describes each parameter' {
        foreach ($parameter in (Get-Command $script).Parameters.Keys | Where-Object { $_ -notin [System.Management.Automation.PSCmdlet]::CommonParameters -and $_ -notin 'WhatIf', 'Confirm' }) {
            ($help.parameters.parameter | Where-Object Name -eq $parameter).description.Text | Should -Not -BeNullOrEmpty -Because "-$parameter is to be described"
        }
    }
}

# The dotnet commands take minutes and are run by the build itself: what is looked at here is which of them are called, and what comes of them.
Describe 'build.ps1' {
    BeforeAll {
        # A tree like the repository's, to build, pack and clean in.
        $root = Join-Path $TestDrive 'tree with [spaces]'
        foreach ($folder in 'src/One/bin/Debug', 'src/One/obj', 'tests/Two/bin', 'tests/Two/obj', 'tests/Two/TestResults', 'out/CmekTools', 'docs/bin', 'module', 'tests/Pester') {
            $null = [System.IO.Directory]::CreateDirectory((Join-Path $root $folder))
            Set-Content -LiteralPath (Join-Path $root "$folder/file.txt") 'text'
        }

        $manifest = Join-Path (Get-TestRepositoryRoot) 'module/CmekTools.psd1'
        $version = (Import-PowerShellDataFile $manifest).ModuleVersion
        $build = Join-Path $root 'build.ps1'
        [System.IO.File]::Copy($manifest, (Join-Path $root 'module/CmekTools.psd1'))
        [System.IO.File]::Copy($script, $build)
        Set-Content -LiteralPath (Join-Path $root 'src/One/One.csproj'), (Join-Path $root 'tests/Two/Two.csproj') '<Project />'

        # A PowerShell in which `dotnet` writes down what it is called with, and ends with the code that is wanted.
        function Invoke-TestBuild([string] $Arguments, [int] $Code = 0, [string] $Key = '') {
            $shell = [powershell]::Create()
            try {
                $null = $shell.AddScript(@"
`$env:PSGALLERY_API_KEY = '$Key'
`$global:called = [System.Collections.Generic.List[string]]::new()
function global:dotnet { `$global:called.Add(`$args -join ' '); `$global:LASTEXITCODE = $Code }
& '$build' $Arguments
`$global:ended = `$LASTEXITCODE
"@)
                $ended = $null
                try {
                    $output = $shell.Invoke()
                }
                catch {
                    $ended = $_.Exception.InnerException.Message
                }

                $state = $shell.Runspace.SessionStateProxy
                [pscustomobject]@{
                    Called = @($state.GetVariable('called'))
                    Code   = $state.GetVariable('ended')
                    Ended  = $ended
                    Output = $output
                    Errors = @($shell.Streams.Error)
                }
            }
            finally {
                $shell.Dispose()
            }
        }
    }

    It 'calls for "<Arguments>" what a person would' -TestCases @(
        @{ Arguments = ''; Called = '^build .*CmekTools\.sln --configuration Debug$' }
        @{ Arguments = 'Build -Configuration Release'; Called = '^build .*CmekTools\.sln --configuration Release$' }
        @{ Arguments = 'Test'; Called = '^test .*CmekTools\.sln --configuration Debug$' }
        @{ Arguments = 'Test -Filter FullyQualifiedName~Revoke'; Called = '^test .*CmekTools\.sln --configuration Debug --filter FullyQualifiedName~Revoke$' }
        @{ Arguments = 'Watch'; Called = '^watch --no-hot-reload --non-interactive --project .*CmekTools\.Tests build$' }
        @{ Arguments = 'Watch -Filter FullyQualifiedName~Revoke'; Called = '^watch .*CmekTools\.Tests test --filter FullyQualifiedName~Revoke$' }
        @{ Arguments = 'Package'; Called = '^build .*CmekTools\.Module -t:PackModule$' }
        @{ Arguments = 'Publish -WhatIf'; Called = '^build .*CmekTools\.Module -t:PackModule$' }
    ) {
        $run = Invoke-TestBuild $Arguments
        $run.Ended | Should -BeNullOrEmpty
        $run.Called.Count | Should -Be 1
        $run.Called[0] | Should -Match $Called
        $run.Code | Should -Be 0
    }

    It 'goes no further, and ends with its code, where the first program of <_> fails' -ForEach 'Build', 'Test', 'Pester', 'Drill', 'Package', 'Publish -Confirm:$false' {
        $run = Invoke-TestBuild $_ -Code 7 -Key 'secret'
        $run.Called.Count | Should -Be 1
        $run.Code | Should -Be 7
    }

    It 'publishes the package of the version with the key, and only when it is told so' {
        $run = Invoke-TestBuild 'Publish -Confirm:$false' -Key 'secret'
        $run.Called.Count | Should -Be 2
        $run.Called[1] | Should -BeLike "nuget push *CmekTools.$version.nupkg --source https://www.powershellgallery.com/api/v2/package --api-key secret"
        (Invoke-TestBuild 'Publish -Confirm:$false').Ended | Should -BeLike '*PSGALLERY_API_KEY*'
        # Nobody is there to answer.
        $asked = Invoke-TestBuild 'Publish' -Key 'secret'
        $asked.Called.Count | Should -Be 1
    }

    It 'refuses what is no task' {
        $run = Invoke-TestBuild 'Deploy'
        $run.Called | Should -BeNullOrEmpty
        "$($run.Ended) $($run.Errors)" | Should -BeLike '*Build,Test,Pester,Drill,Package,Publish,Watch,Clean*'
    }

    It 'cleans what can be made again, and nothing else' {
        $null = Invoke-TestBuild 'Clean -WhatIf'
        [System.IO.File]::Exists((Join-Path $root 'src/One/bin/Debug/file.txt')) | Should -BeTrue
        $run = Invoke-TestBuild 'Clean'
        $run.Errors | Should -BeNullOrEmpty
        $run.Called | Should -BeNullOrEmpty
        foreach ($gone in 'src/One/bin', 'src/One/obj', 'tests/Two/bin', 'tests/Two/obj', 'tests/Two/TestResults', 'out') {
            [System.IO.Path]::Exists((Join-Path $root $gone)) | Should -BeFalse -Because "$gone can be made again"
        }

        foreach ($kept in 'src/One/One.csproj', 'tests/Two/Two.csproj', 'docs/bin/file.txt', 'module/CmekTools.psd1', 'tests/Pester/file.txt', 'build.ps1') {
            [System.IO.Path]::Exists((Join-Path $root $kept)) | Should -BeTrue -Because "$kept is somebody's work"
        }

        # There is nothing left: that is no error.
        (Invoke-TestBuild 'Clean').Errors | Should -BeNullOrEmpty
    }
}

Describe 'build.ps1 Pester and Drill' {
    BeforeAll {
        # The build has been done, or these tests would not run: `dotnet` is taken away, all else is real.
        function Invoke-RealBuild([string] $Arguments) {
            $shell = [powershell]::Create()
            try {
                $null = $shell.AddScript("function global:dotnet { if ('build' -ne `$args[0]) { & (Get-Command dotnet -CommandType Application)[0].Source @args } else { `$global:LASTEXITCODE = 0 } }; & '$script' $Arguments *>&1; `"code `$LASTEXITCODE`"")
                @($shell.Invoke() | ForEach-Object { "$_" })
            }
            finally {
                $shell.Dispose()
            }
        }

        $file = Join-Path $TestDrive "it's one.Tests.ps1"
        Set-Content $file @'
Describe 'One' {
    It 'passes' { $PSVersionTable.PSVersion.Major | Should -BeGreaterOrEqual 7 }
    It 'fails' { 1 | Should -Be 2 }
    It 'is left out' { 'this' | Should -Be 'not run' }
}
'@
    }

    It 'Pester runs the tests that are chosen, and ends with the number of those that failed' {
        $lines = Invoke-RealBuild "Pester -Path '$($file -replace "'", "''")' -Name '*passes', '*fails'"
        $lines[-1] | Should -Be 'code 1'
        $said = [System.Management.Automation.Internal.StringDecorated]::new($lines -join "`n").ToString('PlainText')
        $said | Should -Match 'Expected 2, but got 1'
        $said | Should -Match 'Tests Passed: 1, Failed: 1, .*NotRun: 1'
    }
}
