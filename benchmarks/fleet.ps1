<#
.SYNOPSIS
Measures what a fleet costs, each figure as a ratio within one run, and prints one table.

.DESCRIPTION
The sandbox runs in a process of its own. What is compared is measured in the same run on the same machine, so that a slow or busy machine slows
both sides. Build in Release first for the figures that users see. The whole table takes about seven minutes; -Only names the rows to measure.

.PARAMETER Only
The rows: status, life, test, cost, memory, import, cold.

.PARAMETER Module
The module's manifest.

.PARAMETER Strict
End with code 1 where a figure is not reached.
#>
param(
    [string[]] $Only = @('status', 'life', 'test', 'cost', 'memory', 'import', 'cold'),
    [string] $Module,
    [switch] $Strict
)

$ErrorActionPreference = 'Stop'
# With -File a list comes as one text.
$Only = @($Only -split ',')
$ProgressPreference = 'SilentlyContinue'
$root = [IO.Path]::GetFullPath([IO.Path]::Combine($PSScriptRoot, '..'))
if (-not $Module) {
    $Module = [IO.Directory]::GetFiles([IO.Path]::Combine($root, 'out', 'CmekTools'), 'CmekTools.psd1', 'AllDirectories')[0]
}
$work = [IO.Directory]::CreateTempSubdirectory('cmek-benchmark-').FullName
$env:CMEKTOOLS_STATE = [IO.Path]::Combine($work, 'state')
$table = [Collections.Generic.List[object]]::new()

function Start-Shell([string] $Code) {
    $start = [Diagnostics.ProcessStartInfo]::new([Environment]::ProcessPath)
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardInput = $true
    if ([IO.Path]::GetFileNameWithoutExtension([Environment]::ProcessPath) -eq 'dotnet') { $start.ArgumentList.Add("$PSHOME/pwsh.dll") }
    foreach ($argument in '-NoProfile', '-NonInteractive', '-Command', $Code) { $start.ArgumentList.Add($argument) }
    [Diagnostics.Process]::Start($start)
}

# Runs code in a fresh process and gives the last line that it prints.
function Invoke-Shell([string] $Code) {
    $process = Start-Shell $Code
    $text = $process.StandardOutput.ReadToEnd()
    $process.WaitForExit()
    $text.Trim().Split("`n")[-1]
}

# A sandbox in a process of its own; its variables become this process's.
function Start-Other([int] $Clusters, [string[]] $Region, [double] $AnswerTime, [double] $StateTime, [int] $RateLimit) {
    $process = Start-Shell (@'
Import-Module '{0}'
$names = foreach ($i in 1..{1}) {{ 'c{{0:00000}}=AWS:{2}' -f $i }}
$sandbox = Start-CmekSandbox $names -AnswerTime ([timespan]::FromSeconds({3})) -StateTime ([timespan]::FromSeconds({4})) -RateLimit {5}
[Console]::Out.WriteLine(($sandbox.Environment | ConvertTo-Json -Compress))
$null = [Console]::In.ReadLine()
'@ -f $Module, $Clusters, ($Region -join ','), $AnswerTime.ToString([cultureinfo]::InvariantCulture), $StateTime.ToString([cultureinfo]::InvariantCulture), $RateLimit)
    $variables = $process.StandardOutput.ReadLine() | ConvertFrom-Json
    foreach ($variable in $variables.PSObject.Properties) { [Environment]::SetEnvironmentVariable($variable.Name, $variable.Value) }
    $process
}

function Stop-Other($Process) {
    $Process.StandardInput.WriteLine()
    $Process.WaitForExit()
}

# Runs code and counts its requests to the Cloud API by what -Verbose tells.
function Measure-Run([scriptblock] $Code) {
    $log = [IO.Path]::Combine($work, 'verbose.txt')
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $output = & { $VerbosePreference = 'Continue'; & $Code } 4> $log
    $seconds = $watch.Elapsed.TotalSeconds
    $lines = [IO.File]::ReadAllLines($log) -match '(GET|POST|PUT|PATCH) /api/'
    [pscustomobject]@{ Seconds = $seconds; Requests = $lines.Count; Refused = @($lines -match ': 429 in').Count; Output = $output }
}

function Add-Row([string] $What, [double] $Value, [string] $Unit, [double] $Reach, [string] $Detail) {
    $table.Add([pscustomobject]@{ What = $What; Value = [Math]::Round($Value, 2); Unit = $Unit; Reach = $Reach; Reached = $Value -le $Reach; Detail = $Detail })
    [Console]::Error.WriteLine("$What`: $([Math]::Round($Value, 2))$Unit (reach $Reach), $Detail")
}

function Format-Number([double] $Number, [string] $Format = '0.0') { $Number.ToString($Format, [cultureinfo]::InvariantCulture) }

try {
    if ($Only -contains 'import') {
        $line = & ([IO.Path]::Combine($PSScriptRoot, 'import.ps1')) -Module $Module -Runs 9 -Limit 100000
        $median = [double]::Parse(($line -replace '.*median ([\d.]+) ms.*', '$1'), [cultureinfo]::InvariantCulture)
        Add-Row 'import of the module, above an empty module' $median ' ms' 100 $line
    }

    Import-Module $Module

    if ($Only -contains 'status') {
        $other = Start-Other 500 'us-east-1' 0.25 0.1 10
        $null = Connect-CmekCloud
        [Threading.Thread]::Sleep(1100)
        $run = Measure-Run { Get-CmekCluster | Get-CmekStatus }
        Stop-Other $other
        if (@($run.Output).Count -ne 500) { throw "There are $(@($run.Output).Count) statuses." }
        Add-Row 'status of 500 clusters, against requests / rate' ($run.Seconds / ($run.Requests / 10)) ' x' 1.05 "$(Format-Number $run.Seconds) s, $($run.Requests) requests"
        Add-Row 'status of 500 clusters, refusals' $run.Refused '' 0 "of $($run.Requests) requests"
    }

    if ($Only -contains 'life') {
        $other = Start-Other 51 'us-east-1', 'us-west-2' 0.2 60 10
        $null = Connect-CmekCloud
        $own = Measure-Run { Get-CmekCluster c00051 | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait }
        $run = Measure-Run { Get-CmekCluster | Where-Object Name -ne c00051 | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait }
        Stop-Other $other
        if (@($run.Output | Where-Object State -eq ENABLED).Count -ne 50) { throw 'Not every cluster is ENABLED.' }
        $bound = [Math]::Max($run.Requests / 10, $own.Seconds)
        Add-Row 'keys, access and enabling of 50 clusters, against the bound' ($run.Seconds / $bound) ' x' 1.25 "$(Format-Number $run.Seconds) s; one cluster $(Format-Number $own.Seconds) s; $($run.Requests) requests, $($run.Refused) refused"
    }

    if ($Only -contains 'test') {
        $other = Start-Other 100 'us-east-1', 'us-west-2' 0.2 0.1 10
        $null = Connect-CmekCloud
        $accesses = Get-CmekCluster | New-CmekKey | Grant-CmekAccess
        $first = $accesses | Where-Object ClusterName -eq c00001
        [Threading.Thread]::Sleep(1100)
        $own = Measure-Run { $first | Test-CmekAccess }
        [Threading.Thread]::Sleep(1100)
        $run = Measure-Run { $accesses | Test-CmekAccess }
        Stop-Other $other
        $bound = [Math]::Max($run.Requests / 10, $own.Seconds)
        Add-Row 'Test-CmekAccess of 100 clusters, against the bound' ($run.Seconds / $bound) ' x' 1.25 "$(Format-Number $run.Seconds) s; one cluster $(Format-Number $own.Seconds) s; $($run.Requests) requests, $($run.Refused) refused"
    }

    if ($Only -contains 'cost') {
        $other = Start-Other 500 'us-east-1' 0 0.1 0
        $null = Connect-CmekCloud
        Add-Type -TypeDefinition @'
using System; using System.Net.Http; using System.Text.Json; using System.Threading.Tasks;
public static class BareLoop
{
    public static async Task<int> RunAsync(string server, string key)
    {
        using HttpClient http = new() { BaseAddress = new Uri(server) };
        http.DefaultRequestHeaders.Add("Authorization", "Bearer " + key);
        http.DefaultRequestHeaders.Add("Cc-Version", "2024-09-16");
        string next = ""; int count = 0;
        do
        {
            using JsonDocument page = JsonDocument.Parse(await (await http.GetAsync("/api/v1/clusters?pagination.limit=100" + next)).Content.ReadAsByteArrayAsync());
            foreach (JsonElement cluster in page.RootElement.GetProperty("clusters").EnumerateArray())
            {
                using JsonDocument status = JsonDocument.Parse(await (await http.GetAsync("/api/v1/clusters/" + cluster.GetProperty("id").GetString() + "/cmek")).Content.ReadAsByteArrayAsync());
                count += status.RootElement.ValueKind == JsonValueKind.Object ? 1 : 0;
            }
            next = page.RootElement.GetProperty("pagination").TryGetProperty("next_page", out JsonElement more) ? "&pagination.page=" + more.GetString() : "";
        }
        while (next != "");
        return count;
    }
}
'@
        $ratios = foreach ($round in 1..5) {
            $bare = Measure-Command { $null = [BareLoop]::RunAsync($env:COCKROACH_SERVER, $env:COCKROACH_API_KEY).GetAwaiter().GetResult() }
            $ours = Measure-Command { $null = Get-CmekStatus }
            if ($round -gt 2) { [pscustomobject]@{ Ratio = $ours / $bare; Ours = $ours.TotalMilliseconds / 500; Bare = $bare.TotalMilliseconds / 500 } }
        }
        Stop-Other $other
        $middle = ($ratios | Sort-Object Ratio)[1]
        Add-Row "a cluster's cost without limit, against a bare loop" $middle.Ratio ' x' 1.3 "$(Format-Number $middle.Ours '0.00') ms against $(Format-Number $middle.Bare '0.00') ms"
    }

    if ($Only -contains 'memory') {
        $peaks = foreach ($count in 100, 10000) {
            $other = Start-Other $count 'us-east-1' 0 0.1 0
            [long] (Invoke-Shell "Import-Module '$Module'; `$null = Connect-CmekCloud; `$seen = 0; Get-CmekStatus | ForEach-Object { `$seen++ }; if (`$seen -ne $count) { throw }; [Diagnostics.Process]::GetCurrentProcess().PeakWorkingSet64")
            Stop-Other $other
        }
        Add-Row 'status of 10,000 clusters, peak above that for 100' (($peaks[1] - $peaks[0]) / 1MB) ' MB' 40 "$(Format-Number ($peaks[0] / 1MB) '0') MB and $(Format-Number ($peaks[1] / 1MB) '0') MB"
    }

    if ($Only -contains 'cold') {
        $other = Start-Other 1 'us-east-1' 0 0.1 0
        $bareCode = @'
$http = [Net.Http.HttpClient]::new(); $http.DefaultRequestHeaders.Add('Authorization', "Bearer $env:COCKROACH_API_KEY"); $http.DefaultRequestHeaders.Add('Cc-Version', '2024-09-16')
$null = $http.GetStringAsync("$env:COCKROACH_SERVER/api/v1/organization").Result; $http.GetStringAsync("$env:COCKROACH_SERVER/api/v1/clusters").Result | ConvertFrom-Json
'@
        $rounds = foreach ($round in 1..7) {
            $bare = Measure-Command { $null = Invoke-Shell $bareCode }
            $ours = Measure-Command { $null = Invoke-Shell "Import-Module '$Module'; `$null = Connect-CmekCloud; Get-CmekStatus c00001" }
            [pscustomobject]@{ Ratio = $ours / $bare; Ours = $ours.TotalMilliseconds; Bare = $bare.TotalMilliseconds }
        }
        Stop-Other $other
        $middle = ($rounds | Sort-Object Ratio)[3]
        Add-Row 'cold Connect-CmekCloud; Get-CmekStatus, against two bare requests' $middle.Ratio ' x' 1.3 "$(Format-Number $middle.Ours '0') ms against $(Format-Number $middle.Bare '0') ms"
    }
}
finally { [IO.Directory]::Delete($work, $true) }

# The details were told with each row; a column that does not fit would break the others.
$table | Format-Table What, @{ Label = 'Measured'; Expression = { "$($_.Value)$($_.Unit)" } }, @{ Label = 'Reach'; Expression = { "$($_.Reach)$($_.Unit)" } }, Reached -AutoSize | Out-String -Width 120
if ($Strict -and $table.Where({ -not $_.Reached })) { exit 1 }
