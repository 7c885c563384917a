# Runs the pages' examples and writes what each prints as a person sees it at 80 columns, between lines that say which it is.
param([string] $Module, [string] $Work)

Import-Module $Module
$PSStyle.OutputRendering = 'PlainText'
$ProgressPreference = 'SilentlyContinue'

function Show {
    process {
        if ($_ -is [Management.Automation.ErrorRecord]) { "$($_.InvocationInfo.MyCommand): $($_.Exception.Message)" } else { $_ }
    }
}

foreach ($page in [IO.File]::ReadAllText([IO.Path]::Combine($Work, 'pages.json')) | ConvertFrom-Json) {
    $folder = [IO.Path]::Combine($Work, $page.Name)
    $null = [IO.Directory]::CreateDirectory($folder)
    Set-Location $folder
    $env:CMEKTOOLS_STATE = [IO.Path]::Combine($folder, 'state')
    $sandbox = Start-CmekSandbox -StateTime 00:00:00.25 -RateLimit 0
    $null = $sandbox | Connect-CmekCloud
    # One scope a page: an example may use what an earlier one assigned, and no page what another did.
    & {
        foreach ($example in $page.Examples) {
            if ($example.Before) { . ([scriptblock]::Create($example.Before)) 3>$null 6>$null | Out-Null }
            [Console]::Out.WriteLine("<<<$($page.Name) $($example.Number)")
            . ([scriptblock]::Create($example.Code)) 2>&1 | Show | Out-String -Stream -Width 80 | Out-Host
            [Console]::Out.WriteLine(">>>")
        }
    }
    $sandbox | Stop-CmekSandbox -ErrorAction Ignore
    Disconnect-CmekCloud
}
