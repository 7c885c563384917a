# Uses the module beside assemblies of other versions, in runspaces side by side, and after it was removed. Writes one line a stage.
param([string] $Module, [string] $Fakes, [string] $When)

function Use-Module([string] $Stage) {
    $sandbox = Start-CmekSandbox -StateTime 00:00:00.05 -RateLimit 0
    $null = $sandbox | Connect-CmekCloud
    $states = (Get-CmekCluster | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait).State
    Disconnect-CmekCloud
    $sandbox | Stop-CmekSandbox
    "$Stage $states"
}

function Import-Fake([string] $Folder) {
    # As another module would: two into the default context, one (which PowerShell has itself) into a context of its own.
    foreach ($file in [IO.Directory]::GetFiles($Folder, '*.dll')) {
        if ($file -match 'Newtonsoft') {
            $loaded = [Runtime.Loader.AssemblyLoadContext]::new('Other').LoadFromAssemblyPath($file)
        }
        else { $loaded = [Reflection.Assembly]::LoadFrom($file) }
        "fake $($loaded.GetName().Name) $($loaded.GetName().Version)"
    }
}

if ($When -eq 'Before') { Import-Fake $Fakes }
Import-Module $Module
Use-Module 'first'
if ($When -eq 'After') { Import-Fake $Fakes }
Import-Module $Module
Use-Module 'twice'
Remove-Module CmekTools
"removed $(@(Get-Command -Module CmekTools).Count)"
Import-Module $Module
Use-Module 'again'

$work = foreach ($number in 1, 2) {
    $shell = [PowerShell]::Create([Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace([Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()))
    $shell.Runspace.Open()
    $null = $shell.AddScript("param(`$Module, `$Stage) Import-Module `$Module`nfunction Use-Module {${function:Use-Module}}`nUse-Module `$Stage").AddArgument($Module).AddArgument("runspace$number")
    [pscustomobject]@{ Shell = $shell; Running = $shell.BeginInvoke() }
}
foreach ($one in $work) {
    $one.Shell.EndInvoke($one.Running)
    if ($one.Shell.HadErrors) { throw $one.Shell.Streams.Error[0] }
    $one.Shell.Dispose()
}
foreach ($assembly in [AppDomain]::CurrentDomain.GetAssemblies()) {
    if ($assembly.GetName().Name -in 'AWSSDK.Core', 'Google.Apis') {
        "context $($assembly.GetName().Name) $($assembly.GetName().Version.Major) $([Runtime.Loader.AssemblyLoadContext]::GetLoadContext($assembly).Name)"
    }
}
