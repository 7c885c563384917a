using System.Diagnostics;
using System.Globalization;
using System.Management.Automation;
using System.Text;
using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Sandbox.Gcp;
using CmekTools.Tests.Kit;
using WireState = CmekTools.Sandbox.CloudApi.CmekState;

namespace CmekTools.Tests.Lives;

/// <summary>
/// One life: two operators, each with a state folder of his own, send commands in a random order at one sandbox with two clusters.
/// After each the whole world is compared with the one before, by rules that know what was cut and by whom, and nothing of the engine.
/// </summary>
internal sealed class TwoOperators : IAsyncDisposable
{
    private static readonly TimeSpan s_never = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly Random _random;
    private readonly bool _aws;
    private readonly SandboxServer _server;
    private readonly SandboxShell[] _operators;
    private readonly StringBuilder _story = new();
    private readonly HashSet<Pair> _cut = [];
    private readonly HashSet<string> _condemned = [];
    private readonly List<Others> _theirs = [];
    private Picture _now;

    private TwoOperators(string provider, int seed, SandboxServer server, SandboxShell[] operators)
    {
        _aws = provider == "AWS";
        _random = new Random(seed);
        _server = server;
        _operators = operators;
        _story.Append(CultureInfo.InvariantCulture, $"{provider}, seed {seed}:\n");
        _now = Picture.Take(server, _theirs);
    }

    private static string[] Clusters { get; } = ["shop", "orders"];

    /// <summary>Lives one life.</summary>
    /// <param name="provider">AWS or GCP.</param>
    /// <param name="seed">The same seed gives the same life.</param>
    /// <param name="acts">How many commands before the end, where everything has to come right again.</param>
    /// <param name="sessions">The operators' PowerShells, which are used again for the next life.</param>
    /// <returns>Null, or what went wrong with the story that led there.</returns>
    public static async Task<string?> LiveAsync(string provider, int seed, int acts, IReadOnlyList<PowerShellSession> sessions)
    {
        string[] regions = Life.RegionsOf(provider);
        await using SandboxServer server = SandboxServer.Start(SandboxShell.Fast with
        {
            StateTime = TimeSpan.Zero,
            Clusters =
            [
                new SandboxClusterOptions("shop", provider, regions) { Id = "11111111-0000-4000-8000-00000000000a" },
                new SandboxClusterOptions("orders", provider, [regions[0]]) { Id = "22222222-0000-4000-8000-00000000000b" },
            ],
        });
        SandboxShell[] operators =
        [
            .. await Task.WhenAll(sessions.Take(2).Select(s => SandboxShell.StartAsync(server: server, session: s))),
        ];
        await using TwoOperators life = new(provider, seed, server, operators);
        try
        {
            await life.LiveAsync(acts);
            return null;
        }
        catch (BrokenRuleException e)
        {
            return $"{e.Message}\n{life._story}";
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (SandboxShell one in _operators)
        {
            await one.DisposeAsync();
        }
    }

    private async Task LiveAsync(int acts)
    {
        await DoAsync(
            new Act(
                ActKind.Other,
                "Get-CmekCluster | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -TimeoutSeconds 1") { Clusters = Clusters });
        await OthersComeAsync();
        for (int i = 0; i < acts; i++)
        {
            switch (_random.Next(12))
            {
                case 0:
                    SetSpeed(_random.Next(2) == 0 ? TimeSpan.Zero : s_never);
                    break;
                case 1 or 2:
                    Pass();
                    break;
                case 3:
                    await WithAFaultAsync(Next());
                    break;
                default:
                    await DoAsync(Next());
                    break;
            }
        }

        await EndAsync();
    }

    private Act Next()
    {
        string cluster = Clusters[_random.Next(3) == 0 ? 1 : 0];
        string region = Pick(_now.Clusters[cluster]).Name;
        string regional = _random.Next(3) == 0 ? $" -Region {region}" : string.Empty;
        string whatIf = _random.Next(10) == 0 ? " -WhatIf" : string.Empty;
        string[] keys = [.. _now.Keys.Keys.Where(k => !_theirs.Exists(t => t.Text is null && t.KeyUri == k))];
        string[] near = [.. keys.Where(k => k.Contains(region, StringComparison.Ordinal)).DefaultIfEmpty(keys[0])];
        Act act = _random.Next(20) switch
        {
            0 => new Act(
                ActKind.Other,
                $"New-CmekKey {cluster}{regional}{whatIf} | Grant-CmekAccess{whatIf} | Enable-CmekCluster -TimeoutSeconds 1{whatIf}"),
            1 or 2 => new Act(
                ActKind.Other,
                $"New-CmekKey {cluster}{regional} -NewGeneration{whatIf} | Grant-CmekAccess{whatIf} | Update-CmekCluster "
                    + $"-TimeoutSeconds 1{whatIf}"),
            3 => new Act(
                ActKind.Other,
                $"Update-CmekCluster {cluster} -TimeoutSeconds 1 -Rewrap{(_random.Next(4) == 0 ? " -RotateKey" : string.Empty)}{whatIf}"),
            4 or 5 or 6 or 7 => Revoke(cluster, whatIf),
            8 or 9 or 10 => new Act(ActKind.Restore, $"Restore-CmekAccess {cluster} -AcceptChanges{whatIf}"),
            11 => new Act(ActKind.Restore, $"Get-CmekReceipt -Open | Restore-CmekAccess -AcceptChanges{whatIf}") { Clusters = Clusters },
            12 or 13 => Rescue(cluster, whatIf),
            14 => new Act(ActKind.Other, $"Disable-CmekCluster {cluster} -TimeoutSeconds 1 -Confirm:$false{whatIf}"),
            15 or 16 => new Act(ActKind.Remove, $"Remove-CmekKey {Pick(keys)} -Confirm:$false{whatIf}") { Clusters = Clusters },
            17 => new Act(
                ActKind.Other,
                $"New-CmekKey {cluster} -Region {region} {(_aws ? "-AliasName" : "-KeyRing")} spare-{cluster}{whatIf}"),
            18 => new Act(ActKind.Other, $"Grant-CmekAccess {cluster} -Region {region} -KeyUri {Pick(near)}{Principal()}{whatIf}"),
            _ => new Act(
                ActKind.Other,
                $"Grant-CmekAccess {cluster} -Region {region} -KeyUri {Pick(near)}{whatIf} | Update-CmekCluster -TimeoutSeconds "
                    + $"1 -AllowPastKey{whatIf}"),
        };
        return act with { WhatIf = whatIf.Length > 0, Clusters = act.Clusters.Count > 0 ? act.Clusters : [cluster] };
    }

    private string Principal()
    {
        string[] known =
        [
            .. _now.Clusters.Values.SelectMany(r => r).SelectMany(r => r.Listed).Select(k => k.Principal)
                .Distinct().Order(StringComparer.Ordinal),
        ];
        return known.Length == 0 || _random.Next(2) == 0 ? string.Empty : $" {Option} {NameOf(Pick(known))}";
    }

    private Act Revoke(string cluster, string whatIf)
    {
        string options = _random.Next(8) switch
        {
            0 => " -KeyOnly",
            1 => " -ServiceOnly",
            2 when !_aws => " -DisablePrincipal",
            3 => $" -Permanent -ConfirmClusterName {cluster}",
            _ => string.Empty,
        };
        return new Act(ActKind.Revoke, $"Revoke-CmekAccess {cluster} -NoWait -TimeoutSeconds 1 -Force{options}{whatIf}")
        {
            Permanent = options.Contains("Permanent", StringComparison.Ordinal),
            ServiceOnly = options.Contains("ServiceOnly", StringComparison.Ordinal),
        };
    }

    private Act Rescue(string cluster, string whatIf)
    {
        // Sometimes one that was cut off is named: whoever names it means it.
        string[] burnt = [.. Burnt(cluster).Order(StringComparer.Ordinal)];
        string name = burnt.Length > 0 && _random.Next(3) == 0 ? NameOf(Pick(burnt)) : $"rescue-{cluster}-{_random.Next(3)}";
        return new Act(ActKind.Restore, $"Restore-CmekAccess {cluster} {Option} {name} -AcceptChanges{whatIf}") { Named = name };
    }

    private string Option => _aws ? "-RoleName" : "-ServiceAccount";

    private static string NameOf(string principal) =>
        principal.Contains('@', StringComparison.Ordinal) ? principal.Split('@')[0] : principal.Split('/')[^1];

    private IEnumerable<string> Burnt(string cluster) =>
        _cut.Where(c => c.Cluster == cluster).Select(c => c.Principal).Distinct().Except(_now.Acting(cluster));

    private T Pick<T>(IReadOnlyList<T> from) => from[_random.Next(from.Count)];

    private void SetSpeed(TimeSpan stateTime)
    {
        _server.Options = _server.Options with { StateTime = stateTime };
        _story.Append(stateTime == TimeSpan.Zero ? "  (what is asked for is done at once)\n" : "  (what is asked for takes its time)\n");
        _now = Picture.Take(_server, _theirs);
    }

    // What is under way ends.
    private void Pass()
    {
        SandboxOptions before = _server.Options;
        _server.Options = before with { StateTime = TimeSpan.Zero };
        _ = Picture.Take(_server, _theirs);
        _server.Options = before;
        _story.Append("  (time passes)\n");
        _now = Picture.Take(_server, _theirs);
    }

    // Others have a key of their own, and a rule on one of ours.
    private async Task OthersComeAsync()
    {
        string ours = Pick([.. _now.Keys.Keys]);
        if (_aws)
        {
            await using Sandbox.AwsWire wire = Sandbox.AwsWire.At(_server);
            string region = ours.Split(':')[3];
            Amazon.KeyManagementService.AmazonKeyManagementServiceClient kms = wire.KmsAs(wire.Aws.Admin, region);
            await wire.RoleAsync("auditor");
            JsonObject statement = Sandbox.AwsWire.Statement(
                "Allow",
                $"arn:aws:iam::{Sandbox.AwsWire.Account}:role/auditor",
                "kms:DescribeKey kms:ListGrants");
            JsonObject policy = JsonNode.Parse((await kms.GetKeyPolicyAsync(ours, "default", Sandbox.AwsWire.Cancel)).Policy)!.AsObject();
            policy["Statement"]!.AsArray().Insert(1, statement);
            await kms.PutKeyPolicyAsync(
                new() { KeyId = ours, PolicyName = "default", Policy = policy.ToJsonString() },
                Sandbox.AwsWire.Cancel);
            JsonArray written = JsonNode.Parse(
                _server.Exclusively(() => wire.Aws.Keys.Find(ours)!.Policy.Current.Show()))!["Statement"]!.AsArray();
            _theirs.Add(new Others(ours, written[1]!.ToJsonString()));
            Amazon.KeyManagementService.Model.KeyMetadata key = await wire.KeyAsync(
                Sandbox.AwsWire.Policy(Sandbox.AwsWire.RootStatement()));
            _theirs.Add(new Others(key.Arn, null));
        }
        else
        {
            JsonObject binding = new() { ["role"] = "roles/cloudkms.viewer", ["members"] = new JsonArray("user:auditor@example.com") };
            _server.Exclusively(() =>
            {
                GcpPolicies policies = _server.Get<GcpService>().Policies;
                JsonObject policy = policies.Get(ours).DeepClone().AsObject();
                policy["bindings"]!.AsArray().Insert(0, binding.DeepClone());
                return policies.Put(ours, policy, DateTimeOffset.MinValue);
            });
            _theirs.Add(new Others(ours, binding.ToJsonString()));
        }

        _now = Picture.Take(_server, _theirs);
    }

    // One key's policy cannot be written while the command runs.
    private async Task WithAFaultAsync(Act act)
    {
        string key = Pick([.. _now.Keys.Keys]);
        _story.Append(CultureInfo.InvariantCulture, $"  (writes to the policy of {key} are refused)\n");
        _server.Before = r => Task.FromResult(r.Operation is "PutKeyPolicy" or "cryptoKeys.setIamPolicy" && (
            r.Text + Uri.UnescapeDataString(r.RawPath)).Contains(key, StringComparison.Ordinal)
            ? new SandboxResponse
            {
                Status = _aws ? 400 : 403,
                Body = _aws
                    ? """{"__type":"AccessDeniedException","message":"no"}"""
                    : """{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}""",
            }
            : null);
        await DoAsync(act);
        _server.Before = null;
    }

    private async Task<PowerShellResult> DoAsync(Act act)
    {
        int who = _random.Next(2);
        Picture before = _now;
        _server.ClearExchanges();
        _operators[who].Shell.Host.TakeText();
        _story.Append(CultureInfo.InvariantCulture, $"{"AB"[who]}: {act.Script}\n");
        long start = Stopwatch.GetTimestamp();
        RunningScript running = _operators[who].Shell.Start("$WarningPreference = 'SilentlyContinue'; " + act.Script);
        bool ended = await Task.WhenAny(running.Completion, Task.Delay(s_patience)) == running.Completion;
        PowerShellResult result = ended ? await running.Completion : await running.StopAsync();
        Rule(ended, $"no end of {act.Script} in {s_patience.TotalSeconds} s");
        _story.Append(CultureInfo.InvariantCulture, $"     {Stopwatch.GetElapsedTime(start).TotalMilliseconds:0} ms\n");
        foreach (ErrorRecord error in result.Errors)
        {
            _story.Append(
                CultureInfo.InvariantCulture,
                $"     {error.FullyQualifiedErrorId.Split(',')[0]}: {error.Exception.Message.ReplaceLineEndings(" ")}\n");
            Rule(error.Exception is CmekException { ErrorId: not "BreakGlassFault" }, $"an error that is no answer: {error.Exception}");
        }

        _now = Picture.Take(_server, _theirs);
        _story.Append(
            CultureInfo.InvariantCulture,
            $"     = {string.Join("; ", _now.Clusters.Select(c => c.Key + " " + string.Join(' ', c.Value.Select(r => r.Status))))}\n");
        Judge(act, before, result);
        return result;
    }

    private void Judge(Act act, Picture before, PowerShellResult result)
    {
        if (act.WhatIf)
        {
            Rule(
                _server.Exchanges.FirstOrDefault(e => e.Request.IsWrite) is not { } write,
                $"-WhatIf sent a write: {_server.Exchanges.FirstOrDefault(e => e.Request.IsWrite)?.Request.Operation}");
        }

        Rule(
            before.Foreign.SequenceEqual(_now.Foreign),
            $"something of others was changed: {string.Join(" / ", _now.Foreign.Except(before.Foreign))}");
        KeysStay(act, before);
        NobodyComesBack(act, before);
        CmekStep[] steps = [.. result.Output.Select(o => o.BaseObject).OfType<CmekStep>()];
        if (act.Kind == ActKind.Revoke && !act.WhatIf)
        {
            CutIsCut(act, before, steps);
        }
        else if (act.Kind == ActKind.Restore && !act.WhatIf)
        {
            RestoredIsRestored(act, steps);
        }
    }

    // No key that a cluster lists goes away, but by a revocation for good of that cluster, and not where another one lists it too.
    private void KeysStay(Act act, Picture before)
    {
        foreach ((string key, string state) in before.Keys)
        {
            bool goes = _now.Keys.GetValueOrDefault(key) is not ("Enabled" or "Disabled") && state is "Enabled" or "Disabled";
            if (!goes)
            {
                continue;
            }

            string[] users = [.. Clusters.Where(c => before.Listed(c).Any(p => p.KeyUri == key))];
            if (act is { Kind: ActKind.Revoke, Permanent: true, WhatIf: false })
            {
                Rule(
                    users.All(act.Clusters.Contains),
                    $"{key} is listed by {string.Join(", ", users)}, and was scheduled for deletion by a revocation of {act.Clusters[0]}");
                _condemned.Add(key);
                continue;
            }

            Rule(
                act.Kind == ActKind.Remove && users.Length == 0,
                $"{key} went away, and is listed by {string.Join(", ", users.DefaultIfEmpty("nobody"))}");
        }
    }

    // Whoever was cut off comes back by a restore of that cluster only: as the one that it acts as, or by name.
    private void NobodyComesBack(Act act, Picture before)
    {
        foreach (Pair opened in _now.Open.Except(before.Open))
        {
            bool cut = _cut.Contains(opened);
            bool acts = before.Acting(opened.Cluster).Contains(opened.Principal);
            bool burnt = _cut.Any(
                c => c.Cluster == opened.Cluster && c.Principal == opened.Principal
                    && (!acts || (before.Needs(c) && !before.Open.Contains(c))));
            bool restores = act is { Kind: ActKind.Restore, WhatIf: false } && act.Clusters.Contains(opened.Cluster)
                && (act.Named is { } named ? NameOf(opened.Principal) == named : before.Acting(opened.Cluster).Contains(opened.Principal));
            Rule(
                restores || (!cut && !burnt),
                $"{opened.Principal} can use {opened.KeyUri} as {opened.Cluster} again; it was cut off, and {act.Script} let it in");
        }

        if (act is { Kind: ActKind.Restore, WhatIf: false })
        {
            _cut.RemoveWhere(c => act.Clusters.Contains(c.Cluster) && _now.Open.Contains(c));
        }
    }

    // "Cut" is said of what is cut.
    private void CutIsCut(Act act, Picture before, CmekStep[] steps)
    {
        string cluster = act.Clusters[0];
        foreach (CmekStep step in steps.Where(s => s is { CutState: CmekCutState.Cut, KeyUri: not null }))
        {
            Pair? open = before.Listed(cluster).Concat(_now.Listed(cluster)).FirstOrDefault(
                p => p.KeyUri == step.KeyUri && _now.Open.Contains(p));
            Rule(open is null, $"{step} is called cut, and {open?.Principal} can use it");
        }

        if (steps.LastOrDefault()?.KeyCut == true)
        {
            Pair? open = _now.Listed(cluster).FirstOrDefault(_now.Open.Contains);
            Rule(open is null, $"{cluster} is called cut, and {open} is open");
        }

        if (!act.ServiceOnly)
        {
            _cut.UnionWith(_now.Listed(cluster).Where(p => !_now.Open.Contains(p)));
        }
    }

    // "Access is back" is said where every key that the cluster runs on can be used.
    private void RestoredIsRestored(Act act, CmekStep[] steps)
    {
        foreach (
            IGrouping<string, CmekStep> told in steps.Where(
                s => s.Now.StartsWith("access is back", StringComparison.Ordinal)).GroupBy(s => s.ClusterName!))
        {
            foreach (RegionPicture region in _now.Clusters[told.Key].Where(r => r.Goal is not null))
            {
                Rule(
                    _now.Open.Contains(new Pair(told.Key, region.Goal!.Uri, region.Goal.Principal)),
                    $"access of {told.Key} is called back, and {region.Goal} in {region.Name} cannot be used");
            }

            // What a revocation for good switched off comes back with the cluster, whoever restores it.
            string? gone = _condemned.FirstOrDefault(
                k => _now.Listed(told.Key).Any(p => p.KeyUri == k) && _now.Keys.GetValueOrDefault(k) != "Enabled");
            Rule(
                gone is null,
                $"access of {told.Key} is called back, and {gone}, which a revocation switched off, is "
                    + $"{_now.Keys.GetValueOrDefault(gone ?? string.Empty)}");

            if (act.Named is null)
            {
                string[] acting = [.. _now.Acting(told.Key)];
                Pair? denied = _cut.FirstOrDefault(
                    c => c.Cluster == told.Key && acting.Contains(c.Principal) && _now.Keys.GetValueOrDefault(c.KeyUri) == "Enabled"
                        && !_now.Open.Contains(c));
                Rule(denied is null, $"access of {told.Key} is called back, and {denied} stays denied");
            }
        }
    }

    // Whatever happened: by following the states each cluster gets to ENABLED, with keys that it can use.
    private async Task EndAsync()
    {
        SetSpeed(TimeSpan.Zero);
        foreach (string cluster in Clusters)
        {
            for (int i = 0; ; i++)
            {
                Pass();
                IReadOnlyList<RegionPicture> regions = _now.Clusters[cluster];
                if (
                    regions.All(
                        r => r is { Status: WireState.ENABLED, Current: { } key }
                            && _now.Open.Contains(new Pair(cluster, key.Uri, key.Principal))))
                {
                    break;
                }

                Rule(i < 8, $"{cluster} does not get to ENABLED: a dead end");
                PowerShellResult result = await DoAsync(WayOut(cluster, regions, i) with { Clusters = [cluster] });
                if (result.Output.Any(o => o.BaseObject is CmekStep { SupportRequest: not null } or CmekSupportRequest)
                    && result.Errors.Count == 0)
                {
                    // The vendor's part, where a ticket asks for it.
                    CloudApiService cloud = _server.Get<CloudApiService>();
                    cloud.Recover(cloud.IdOf(cluster));
                }
            }
        }
    }

    private static Act WayOut(string cluster, IReadOnlyList<RegionPicture> regions, int attempt)
    {
        bool off = regions.Any(r => r.Status is WireState.DISABLED or WireState.ENABLE_FAILED)
            && regions.All(r => r.Status is not (WireState.REVOKED or WireState.REVOKING));
        return (off, attempt % 3) switch
        {
            (true, 0) => new Act(ActKind.Other, $"New-CmekKey {cluster} | Grant-CmekAccess | Enable-CmekCluster -TimeoutSeconds 1"),
            (true, 2) => new Act(
                ActKind.Other,
                $"New-CmekKey {cluster} -NewGeneration | Grant-CmekAccess | Enable-CmekCluster -TimeoutSeconds 1"),
            (false, 1) when regions.All(r => r.Status is not (WireState.REVOKED or WireState.REVOKING)) => new Act(
                ActKind.Other,
                $"Update-CmekCluster {cluster} -TimeoutSeconds 1 -Rewrap"),
            _ => new Act(ActKind.Restore, $"Restore-CmekAccess {cluster} -AcceptChanges"),
        };
    }

    private static void Rule(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new BrokenRuleException(otherwise);
        }
    }

    private sealed class BrokenRuleException(string message) : Exception(message);
}
