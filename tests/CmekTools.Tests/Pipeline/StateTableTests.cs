using System.Management.Automation;
using CmekTools.Engine.Lifecycle;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Tests.Kit;
using Xunit;
using PublicState = CmekTools.CmekState;
using WireState = CmekTools.Sandbox.CloudApi.CmekState;

namespace CmekTools.Tests.Pipeline;

/// <summary>
/// docs/states.md against the code and the sandbox: what each command does in each state, and that no two cells send to each other.
/// </summary>
public sealed class StateTableTests
{
    private static readonly SwitchCommand[] s_commands =
    [
        SwitchCommand.Enable,
        SwitchCommand.Update,
        SwitchCommand.Rewrap,
        SwitchCommand.AddRegion,
        SwitchCommand.Disable,
    ];

    private static Dictionary<PublicState, string[]> Page() =>
        File.ReadAllLines(Path.Combine(ExternalProgram.RepositoryRoot, "docs", "states.md"))
        .Select(l => l.Split('|', StringSplitOptions.TrimEntries))
        .Where(c => c.Length == 8 && Enum.TryParse(c[1], out PublicState _))
        .ToDictionary(c => Enum.Parse<PublicState>(c[1]), c => c[2..7]);

    private static string Said(Way way) => way switch
    {
        Way.Go => "sent",
        Way.Done => "done",
        Way.Wait => "wait",
        Way.UseEnable => "Enable-CmekCluster",
        Way.UseUpdate => "Update-CmekCluster",
        Way.UseRewrap => "Update-CmekCluster -Rewrap",
        _ => "Restore-CmekAccess",
    };

    [Fact]
    public void ThePageSaysWhatTheCodeDoes()
    {
        Dictionary<PublicState, string[]> page = Page();
        Assert.Equal(Enum.GetValues<PublicState>().Where(s => s != PublicState.UNKNOWN).Order(), page.Keys.Order());
        foreach ((PublicState state, string[] cells) in page)
        {
            Assert.Equal(s_commands.Select(c => Said(WaysOut.Of(state, c))), cells);
        }
    }

    [Fact]
    public void NoTwoCellsSendToEachOtherAndEachWayEnds()
    {
        foreach (PublicState state in Enum.GetValues<PublicState>())
        {
            foreach (SwitchCommand command in s_commands)
            {
                SwitchCommand? next = Next(WaysOut.Of(state, command));
                Assert.True(
                    next is null || WaysOut.Of(state, next.Value) is Way.Go or Way.Done,
                    $"{state}: {command} sends to {next}, which does nothing with it");
            }
        }

        static SwitchCommand? Next(Way way) => way switch
        {
            Way.UseEnable => SwitchCommand.Enable,
            Way.UseUpdate => SwitchCommand.Update,
            Way.UseRewrap => SwitchCommand.Rewrap,
            _ => null,
        };
    }

    [Theory]
    [InlineData("AWS", false)]
    [InlineData("AWS", true)]
    [InlineData("GCP", false)]
    [InlineData("GCP", true)]
    public async Task EveryCellIsWalked(string provider, bool partial)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekAccess[] other = [.. (await life.RunAsync("New-CmekKey shop -NewGeneration | Grant-CmekAccess")).Values<CmekAccess>()];
        CmekAccess[] added =
        [
            .. (await life.RunAsync($"New-CmekKey shop -Region {life.NewRegion} -NewRegion | Grant-CmekAccess")).Values<CmekAccess>(),
        ];
        CloudCluster cluster = life.Server.Get<CloudApiService>().Store.All.Single(c => c.Name == "shop");
        CloudKey[] keys = [.. cluster.Regions.Select(r => r.Current!)];
        foreach ((PublicState state, string[] cells) in Page())
        {
            WireState wire = Enum.Parse<WireState>(state.ToString());
            for (int i = 0; i < cells.Length; i++)
            {
                Set(life, cluster, keys, wire, partial);
                PowerShellResult result = await life.TryAsync(
                    s_commands[i] switch
                    {
                        SwitchCommand.Enable => "param($Other, $Added) $Other | Enable-CmekCluster -SkipPreflight "
                            + "-WarningAction SilentlyContinue",
                        SwitchCommand.Update => "param($Other, $Added) $Other[0] | Update-CmekCluster -SkipPreflight "
                            + "-WarningAction SilentlyContinue",
                        SwitchCommand.Rewrap => $"param($Other, $Added) Update-CmekCluster shop -Rewrap -Region {life.Regions[0]} "
                            + "-SkipPreflight -WarningAction SilentlyContinue",
                        SwitchCommand.AddRegion => "param($Other, $Added) $Added | Add-CmekRegion -NodeCount 3 -SkipPreflight "
                            + "-WarningAction SilentlyContinue",
                        _ => "param($Other, $Added) Disable-CmekCluster shop -NoWait -SkipPreflight -Confirm:$false "
                            + "-WarningAction SilentlyContinue",
                    },
                    new { Other = other, Added = added });
                string where = $"{state}{(partial ? " in one region" : string.Empty)}, {s_commands[i]}: {cells[i]}; was "
                    + $"{string.Join("; ", result.Errors.Select(e => $"{e.FullyQualifiedErrorId} {e.ErrorDetails?.RecommendedAction}"))}";
                bool enableBeside = partial && s_commands[i] == SwitchCommand.Enable;
                if (enableBeside)
                {
                    // The other region is ENABLED with another key than is named here: whatever this one says, nothing is sent.
                    Assert.DoesNotContain(life.Writes, w => w.EndsWith(":EnableCmek", StringComparison.Ordinal));
                    continue;
                }

                // What the service takes while something goes on is the service's to say.
                ErrorRecord? error = result.Errors.FirstOrDefault(
                    e => !(
                        ((cells[i] == "sent" && state == PublicState.ROTATING) || (partial && cells[i] == "done"))
                            && e.FullyQualifiedErrorId.StartsWith("ClusterBusy,", StringComparison.Ordinal)));
                Assert.True(cells[i] is "sent" or "done" ? error is null : error is not null, where);
                string[] sent = [.. life.Writes.Where(w => w.StartsWith("cloud:", StringComparison.Ordinal))];
                // In a cluster whose other region is ENABLED there may be something to do for that one.
                Assert.True(
                    (partial && cells[i] == "done") || (cells[i] == "sent") == (sent.Length > 0),
                    $"{where}; sent {string.Join(", ", sent)}");
                if (cells[i] == "wait")
                {
                    Assert.StartsWith("ClusterBusy,", error!.FullyQualifiedErrorId, StringComparison.Ordinal);
                }
                else if (error is not null)
                {
                    Assert.True(error.ErrorDetails.RecommendedAction.Contains(cells[i].Split(' ')[0], StringComparison.Ordinal), where);
                }
            }
        }
    }

    private static void Set(Life life, CloudCluster cluster, CloudKey[] keys, WireState state, bool partial) =>
        life.Server.Exclusively(() =>
    {
        cluster.EverEncrypted = true;
        cluster.ScalingSince = null;
        cluster.Regions.RemoveRange(keys.Length, cluster.Regions.Count - keys.Length);
        for (int i = 0; i < keys.Length; i++)
        {
            CloudRegion region = cluster.Regions[i];
            WireState here = partial && i > 0 ? WireState.ENABLED : state;
            bool inUse = here is not (WireState.DISABLED or WireState.ENABLING or WireState.ENABLE_FAILED);
            region.Keys.Clear();
            region.Keys.Add(keys[i]);
            keys[i].Set(here, DateTimeOffset.UtcNow);
            region.Status = here;
            region.Sealed = here == WireState.REVOKED;
            region.Current = inUse ? keys[i] : null;
            region.Operation = here is WireState.DISABLING or WireState.ENABLING or WireState.ROTATING or WireState.REVOKING
                ? new CmekOperation(keys[i], here, here, DateTimeOffset.UtcNow.AddDays(1))
                : null;
        }

        return true;
    });
}
