#Requires -Modules @{ ModuleName='Pester'; ModuleVersion='5.0' }

BeforeDiscovery {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
    $commands = (Get-Command -Module CmekTools).Name | Sort-Object | ForEach-Object { @{ Name = $_ } }

    # Written out, so that a command that begins to change something is seen here.
    $changing = @(
        @{ Name = 'Add-CmekRegion'; Impact = 'Medium' }
        @{ Name = 'Disable-CmekCluster'; Impact = 'Medium' }
        @{ Name = 'Enable-CmekCluster'; Impact = 'Medium' }
        @{ Name = 'Export-CmekBreakGlass'; Impact = 'Medium' }
        @{ Name = 'Export-CmekManifest'; Impact = 'Medium' }
        @{ Name = 'Grant-CmekAccess'; Impact = 'Medium' }
        @{ Name = 'New-CmekCluster'; Impact = 'Medium' }
        @{ Name = 'New-CmekKey'; Impact = 'Medium' }
        @{ Name = 'Remove-CmekKey'; Impact = 'High' }
        @{ Name = 'Restore-CmekAccess'; Impact = 'Medium' }
        @{ Name = 'Revoke-CmekAccess'; Impact = 'High' }
        @{ Name = 'Update-CmekCluster'; Impact = 'Medium' }
    )

    # Each command's parameters that the cloud can complete, as they are in the code.
    $completed = foreach ($command in Get-Command -Module CmekTools) {
        foreach ($parameter in $command.Parameters.Values) {
            $completer = $parameter.Attributes | Where-Object { $_ -is [System.Management.Automation.ArgumentCompleterAttribute] }
            if ($completer -and $completer.Type.Name -ne 'AwsProfileCompleter') {
                @{ Name = $command.Name; Parameter = $parameter.Name; Completer = $completer.Type.Name }
            }
        }
    }
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Helpers.psm1')
    Import-TestModule
    $module = Get-Module CmekTools
}

Describe 'The command <Name>' -ForEach $commands {
    BeforeAll {
        $command = Get-Command $Name
        $help = Get-Help $Name -Full
        $common = [System.Management.Automation.PSCmdlet]::CommonParameters + [System.Management.Automation.PSCmdlet]::OptionalCommonParameters
        $own = $command.Parameters.Keys | Where-Object { $_ -notin $common }
    }

    It 'has a synopsis and a description that are not made up by the engine' {
        $help.Synopsis | Should -Not -BeNullOrEmpty
        # Where there is no help the engine puts the syntax here.
        $help.Synopsis | Should -Not -Match '\[-\w+'
        ($help.description.Text -join '').Length | Should -BeGreaterThan 40
    }

    It 'has three examples or more, each with its command' {
        $examples = @($help.examples.example)
        $examples.Count | Should -BeGreaterOrEqual 3
        $examples.code | Should -Not -Contain $null
        "$($examples.code)" | Should -BeLike "*$Name*"
    }

    It 'has help for each of its own parameters' {
        foreach ($parameter in $own) {
            $text = ($help.parameters.parameter | Where-Object Name -eq $parameter).description.Text -join ''
            $text | Should -Not -BeNullOrEmpty -Because "-$parameter is to be described"
        }
    }

    It 'has no help for a parameter that it does not have' {
        $help.parameters.parameter.Name | Where-Object { $_ -and $_ -notin $command.Parameters.Keys } | Should -BeNullOrEmpty
    }

    It 'has a syntax for each parameter set' {
        @($help.syntax.syntaxItem).Count | Should -Be $command.ParameterSets.Count
    }

    It 'says what it takes and gives, and where to read on' {
        $help.inputTypes | Should -Not -BeNullOrEmpty
        $help.returnValues | Should -Not -BeNullOrEmpty
        # Where links are its own section, the engine offers Get-Help -Online; there is no page on the web.
        $help | Out-String | Should -Not -Match '-Online'
        ($help.description.Text -join ' ') | Should -Match 'See also: \w+-Cmek\w+'
    }

    It 'has a test file with a Describe of its own' {
        $files = Get-ChildItem $PSScriptRoot -Filter *.Tests.ps1 | Where-Object Name -ne 'Module.Tests.ps1'
        $files | Select-String -Pattern "^\s*Describe '.*\b$Name\b" | Should -Not -BeNullOrEmpty
    }

    It 'has an approved verb, the prefix Cmek and a singular noun' {
        (Get-Verb).Verb | Should -Contain $command.Verb
        $command.Noun | Should -MatchExactly '^Cmek[A-Z][a-z]+([A-Z][a-z]+)*$'
        # Of the nouns that end in s only those are plural that do not end in ss, us or is.
        $command.Noun | Should -Not -Match '(?<![sui])s$'
    }

    It 'says what type it gives' {
        $command.OutputType | Should -Not -BeNullOrEmpty
        $command.OutputType.Type | Should -Not -Contain $null
    }

    It 'has parameters in upper camel case, without an alias that another parameter has' {
        foreach ($parameter in $own) {
            $parameter | Should -MatchExactly '^[A-Z][A-Za-z]*$'
        }

        $aliases = $own | ForEach-Object { $command.Parameters[$_].Aliases } | Where-Object { $_ }
        $aliases | Where-Object { $_ -in $own } | Should -BeNullOrEmpty
        $aliases | Group-Object | Where-Object Count -gt 1 | Should -BeNullOrEmpty
    }

    It 'takes a password only as a SecureString' {
        foreach ($parameter in $own | Where-Object { $_ -match 'ApiKey$|Password|Secret|Token' }) {
            $command.Parameters[$parameter].ParameterType | Should -Be ([securestring])
        }
    }
}

Describe 'Changing commands' {
    It '<Name> has -WhatIf and -Confirm, with the impact <Impact>' -TestCases $changing {
        $command = Get-Command $Name
        $command.Parameters.Keys | Should -Contain 'WhatIf'
        $command.Parameters.Keys | Should -Contain 'Confirm'
        $attribute = $command.ImplementingType.GetCustomAttributes([System.Management.Automation.CmdletAttribute], $false)
        $attribute.SupportsShouldProcess | Should -BeTrue
        $attribute.ConfirmImpact | Should -Be $Impact
    }

    It 'are all listed here' {
        $listed = 'Add-CmekRegion', 'Disable-CmekCluster', 'Enable-CmekCluster', 'Export-CmekBreakGlass', 'Export-CmekManifest', 'Grant-CmekAccess',
        'New-CmekCluster', 'New-CmekKey', 'Remove-CmekKey', 'Restore-CmekAccess', 'Revoke-CmekAccess', 'Update-CmekCluster'
        (Get-Command -Module CmekTools | Where-Object { $_.Parameters.ContainsKey('WhatIf') }).Name | Sort-Object | Should -Be $listed
    }

    It 'include every command with a verb that changes something, but those that touch this process only' {
        # They change the connection or the sandbox of this session, or write a text.
        $local = 'Connect-CmekCloud', 'Disconnect-CmekCloud', 'Start-CmekSandbox', 'Stop-CmekSandbox', 'New-CmekSupportRequest'
        $looking = 'Get', 'Test', 'Compare', 'Wait', 'Import'
        (Get-Command -Module CmekTools | Where-Object { $_.Verb -notin $looking -and $_.Name -notin $local -and -not $_.Parameters.ContainsKey('WhatIf') }).Name | Should -BeNullOrEmpty
    }
}

Describe 'The manifest' {
    BeforeAll {
        $path = Get-TestModulePath
        $manifest = Test-ModuleManifest $path
        $data = Import-PowerShellDataFile $path
    }

    It 'is valid' {
        $manifest.Name | Should -Be 'CmekTools'
        $manifest.Version | Should -BeGreaterThan ([version]'0.0')
        $manifest.Guid | Should -Not -Be ([guid]::Empty)
        $manifest.Description | Should -Not -BeNullOrEmpty
        $manifest.Author | Should -Not -BeNullOrEmpty
        $manifest.LicenseUri | Should -Not -BeNullOrEmpty
        $manifest.PowerShellVersion | Should -Be '7.4'
        $manifest.CompatiblePSEditions | Should -Be 'Core'
        $manifest.RequiredModules | Should -BeNullOrEmpty
    }

    It 'lies in a folder of its version, as the Gallery wants it' {
        [System.IO.Path]::GetFileName([System.IO.Path]::GetDirectoryName($path)) | Should -Be "$($manifest.Version)"
    }

    It 'exports the commands one by one, and exactly those that there are' {
        $data.CmdletsToExport | Should -Not -Contain '*'
        $data.CmdletsToExport | Sort-Object | Should -Be @($module.ExportedCommands.Keys | Sort-Object)
        $data.CmdletsToExport | Sort-Object | Should -Be @((Get-Command -Module CmekTools).Name | Sort-Object)
    }

    It 'exports no alias, function or variable' {
        $module.ExportedAliases.Count | Should -Be 0
        $module.ExportedFunctions.Count | Should -Be 0
        $module.ExportedVariables.Count | Should -Be 0
        $data.AliasesToExport | Should -BeNullOrEmpty
        $data.FunctionsToExport | Should -BeNullOrEmpty
        Get-Alias | Where-Object Source -eq 'CmekTools' | Should -BeNullOrEmpty
    }

    It 'has the tags of the Gallery' {
        foreach ($tag in 'PSEdition_Core', 'Windows', 'Linux', 'MacOS', 'CockroachDB', 'CMEK') {
            $manifest.Tags | Should -Contain $tag
        }
    }

    It 'has a section for each error in its topic, and no table' {
        $text = Get-Content -Raw (Join-Path $module.ModuleBase 'en-US/about_CmekTools_Errors.help.txt')
        foreach ($id in 'KeyInUse', 'NotConnected', 'KeysMissing', 'WaitContradicts') { $text | Should -Match "(?m)^  $id \(" }
        $text | Should -Not -Match '(?m)^\s*\|'
    }

    It 'has a synopsis for each topic, and points to no file that it does not have' {
        $topics = Get-ChildItem (Join-Path $module.ModuleBase 'en-US') -Filter 'about_*.help.txt'
        $topics.Count | Should -BeGreaterThan 3
        foreach ($topic in $topics) {
            (Get-Help ($topic.Name -replace '\.help\.txt$')).Trim() | Should -Not -BeNullOrEmpty
            [regex]::Match((Get-Content -Raw $topic), '(?s)SHORT DESCRIPTION\r?\n\s+(\S.*?)\r?\n\r?\n').Groups[1].Value | Should -Not -BeNullOrEmpty
        }

        foreach ($file in Get-ChildItem (Join-Path $module.ModuleBase 'en-US') -File) {
            Get-Content -Raw $file | Should -Not -Match 'docs/[\w-]+\.md|security\.md'
        }
    }

    It 'says in the help where wildcards are taken, and only there' {
        foreach ($command in 'Get-CmekStatus', 'Get-CmekKey', 'Test-CmekAccess', 'Compare-CmekCluster') {
            (Get-Help $command -Parameter ClusterName).globbing | Should -Be 'true' -Because $command
        }

        (Get-Help Enable-CmekCluster -Parameter ClusterName).globbing | Should -Be 'false'
        (Get-Help Revoke-CmekAccess -Parameter ClusterName).globbing | Should -Be 'false'
    }

    It 'is found by these tests as a package too, where nothing else was built' {
        $root = Join-Path $TestDrive 'packed'
        $tests = New-Item -ItemType Directory (Join-Path $root 'tests/Pester'), (Join-Path $root 'out')
        Copy-Item (Join-Path $PSScriptRoot 'Helpers.psm1') $tests[0]
        [System.IO.Compression.ZipFile]::CreateFromDirectory($module.ModuleBase, (Join-Path $root 'out/CmekTools.0.0.7.nupkg'))
        $given = $env:CMEKTOOLS_MODULE
        $env:CMEKTOOLS_MODULE = $null
        $other = [powershell]::Create()
        try {
            $null = $other.AddScript('Import-Module $args[0]; Get-TestModulePath').AddArgument((Join-Path $tests[0] 'Helpers.psm1'))
            $found = $other.Invoke()
        }
        finally {
            $other.Dispose()
            $env:CMEKTOOLS_MODULE = $given
        }

        $found | Should -Be (Join-Path $root 'out/packed/CmekTools/0.0.7/CmekTools.psd1')
        $found | Should -Exist
    }

    It 'holds the runbooks that its README names' {
        (Get-ChildItem (Join-Path $module.ModuleBase 'runbooks') -Filter *.ps1).Name | Should -Contain 'drill.ps1'
    }

    It 'has the about topic <_>' -ForEach 'about_CmekTools', 'about_CmekTools_Sandbox', 'about_CmekTools_Security', 'about_CmekTools_Errors' {
        Join-Path $module.ModuleBase "en-US/$_.help.txt" | Should -Exist
    }
}

Describe 'Importing' {
    It 'works in a second runspace of the process, with a connection of its own' {
        $other = [powershell]::Create()
        try {
            $null = $other.AddScript('Import-Module $args[0] -ErrorAction Stop; (Get-Command -Module CmekTools).Count; $null -eq (Get-CmekSession)').AddArgument((Get-TestModulePath))
            $other.Invoke() | Should -Be $module.ExportedCommands.Count, $true
            $other.Streams.Error | Should -BeNullOrEmpty
        }
        finally {
            $other.Dispose()
        }
    }

    It 'works again after Remove-Module, and once more over itself' {
        $other = [powershell]::Create()
        try {
            $null = $other.AddScript('Import-Module $args[0]; Remove-Module CmekTools; Import-Module $args[0]; Import-Module $args[0] -Force; (Get-Command -Module CmekTools).Count').AddArgument((Get-TestModulePath))
            $other.Invoke() | Should -Be $module.ExportedCommands.Count
            $other.Streams.Error | Should -BeNullOrEmpty
        }
        finally {
            $other.Dispose()
        }
    }

    It 'says nothing' {
        $other = [powershell]::Create()
        try {
            $null = $other.AddScript('Import-Module $args[0] *>&1').AddArgument((Get-TestModulePath))
            $other.Invoke() | Should -BeNullOrEmpty
        }
        finally {
            $other.Dispose()
        }
    }
}

Describe 'Completion' {
    BeforeAll {
        $null = Connect-TestSandbox $TestDrive
        $access = Enable-TestCluster
        $receipt = (Revoke-CmekAccess shop -KeyOnly -Force)[0].ReceiptPath
        $wanted = @{
            ClusterNameCompleter = 'shop'
            ClusterIdCompleter   = (Get-CmekCluster shop).Id
            RegionCompleter      = 'us-west-2'
            FaultCompleter       = '* ResetBefore'
            KeyUriCompleter      = ($access | Where-Object ClusterName -eq 'shop' | Select-Object -First 1).KeyUri
            ReceiptCompleter     = $receipt
            PrincipalCompleter   = ($access | Where-Object ClusterName -eq 'shop' | Select-Object -First 1).AuthPrincipal
            RoleNameCompleter    = ($access | Where-Object ClusterName -eq 'shop' | Select-Object -First 1).AuthPrincipal.Split('/')[-1]
        }
    }

    AfterAll {
        Disconnect-TestSandbox
    }

    It 'offers <Name> -<Parameter> what there is' -TestCases $completed {
        $wanted.Keys | Should -Contain $Completer
        (Get-TestCompletion "$Name -$Parameter ").Trim("'") | Should -Contain $wanted[$Completer]
    }

    It 'offers <Name> -<Parameter> nothing that does not begin as typed' -TestCases ($completed | Where-Object Completer -eq 'ClusterNameCompleter') {
        Get-TestCompletion "$Name -$Parameter le" | Should -Be 'ledger'
    }

    It 'offers the regions of the cluster that is named' {
        Get-TestCompletion 'New-CmekKey ledger -Region ' | Should -Be 'us-central1', 'us-east1'
    }

    It 'offers for a new region none that the cluster has' {
        Get-TestCompletion 'New-CmekKey ledger -NewRegion -Region ' | Should -Not -Contain 'us-east1' -Because 'the cluster has it'
        $offered = Get-TestCompletion 'Add-CmekRegion shop -Region '
        foreach ($region in (Get-CmekCluster shop).Regions.Name) { $offered | Should -Not -Contain $region }
    }

    It 'is there for every parameter of <Name> that names a cluster, a region or a key that is there' -TestCases $commands {
        # A name that is to be given to something new cannot be completed.
        $new = @{ 'New-CmekCluster' = 'Name'; 'New-CmekSupportRequest' = 'ClusterId'; 'Test-CmekAccess' = '' }
        foreach ($parameter in 'ClusterName', 'ClusterId', 'Region', 'KeyUri', 'ReceiptPath') {
            $found = (Get-Command $Name).Parameters[$parameter]
            if ($found -and $new[$Name] -ne $parameter) {
                $found.Attributes.Where({ $_ -is [System.Management.Automation.ArgumentCompleterAttribute] }) | Should -Not -BeNullOrEmpty -Because "-$parameter can be completed"
            }
        }
    }

    It 'offers nothing and throws nothing where there is no connection' {
        Disconnect-CmekCloud
        try {
            # What is left are files, the engine's own last resort.
            Get-TestCompletion 'Get-CmekStatus -ClusterName sho' | Should -Not -Contain 'shop'
        }
        finally {
            $null = Connect-CmekCloud -Sandbox (Get-TestSandbox)
        }
    }
}

Describe 'The scripts' {
    BeforeAll {
        $analyzer = Get-Module PSScriptAnalyzer -ListAvailable
        $root = [System.IO.Path]::GetFullPath([System.IO.Path]::Combine($PSScriptRoot, '..', '..'))
    }

    It 'keep the rules of PSScriptAnalyzer in <_>' -ForEach 'module', 'runbooks', 'benchmarks', 'tests', 'build.ps1' {
        if (-not $analyzer) {
            Set-ItResult -Skipped -Because 'PSScriptAnalyzer is not installed'
            return
        }
        $found = Invoke-ScriptAnalyzer -Path (Join-Path $root $_) -Recurse -Settings (Join-Path $PSScriptRoot 'PSScriptAnalyzerSettings.psd1')
        $found | ForEach-Object { "$($_.ScriptName):$($_.Line) $($_.RuleName)" } | Should -BeNullOrEmpty
    }
}
