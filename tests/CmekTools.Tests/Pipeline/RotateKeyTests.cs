using CmekTools.Engine;
using CmekTools.Engine.State;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>Update-CmekCluster -RotateKey in its less usual forms.</summary>
public sealed class RotateKeyTests
{
    [Fact]
    public async Task KeysThatShareTheirMaterialAreRotatedOnce()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        (await shell.RunAsync("New-CmekKey shop -MultiRegion | Grant-CmekAccess | Enable-CmekCluster -Wait")).Expect();
        shell.Server.ClearExchanges();
        (await shell.RunAsync("Update-CmekCluster shop -Rewrap -RotateKey -Wait")).Expect();
        Assert.Single(shell.Writes, w => w.Request.Operation == "RotateKeyOnDemand");
        Assert.Single(shell.Writes, w => w.Request.Operation == "UpdateCmek");
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ThePlanOfKeysThatAreOnlyPlannedRotatesThemToo(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        await life.RunAsync("New-CmekKey shop -NewGeneration -WhatIf | Grant-CmekAccess -WhatIf | Update-CmekCluster -RotateKey -WhatIf");
        string shown = life.Shell.Shell.Host.TakeText();
        Assert.All(
            life.Regions,
            r => Assert.Contains($"the key to be made for shop/{r}: make a new version of the key", shown, StringComparison.Ordinal));
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ARewrapTakesAccessesAndRowsAsTheRegionsThatTheySay(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        const string rows = """
            Import-CmekManifest $file shop | ForEach-Object { [pscustomobject]@{
                ClusterName = $_.ClusterName; ClusterId = $_.ClusterId; Provider = "$($_.Provider)"; Region = $_.Region
                KeyUri = $_.KeyUri; AuthPrincipal = $_.AuthPrincipal; Planned = 'False'; Changes = ''; Changed = 'False' } }
            """;
        foreach (string given in (string[])["New-CmekKey shop | Grant-CmekAccess", rows])
        {
            foreach (string one in (string[])["*", life.Regions[0]])
            {
                PowerShellResult result = await life.RunAsync(
                    "param($file) $null = Export-CmekManifest shop $file -Force; "
                        + $"{given.Trim()} | Where-Object Region -like '{one}' | Update-CmekCluster -Rewrap -Wait",
                    new { file = Path.Combine(life.Shell.StateFolder, "shop.json") });
                Assert.True(Assert.Single(result.Values<CmekStatus>()).Changed);
                string body = Assert.Single(life.Sent("UpdateCmek")).ToJsonString();
                Assert.Equal(one == "*", body.Contains(life.Regions[1], StringComparison.Ordinal));
            }
        }
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task RotationsWithinOneSecondAreToldApart(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string key = await life.KeyAsync(life.Regions[0]);
        using EngineKit kit = EngineKit.Create(life.Server);
        List<CmekKeyRotation> made = [];
        for (int i = 0; i < 4; i++)
        {
            made.Add(Assert.IsType<CmekKeyRotation>(
                await kit.Session.GetProvider(life.IsAws ? CmekProvider.AWS : CmekProvider.GCP)
                    .RotateKeyAsync(key, kit.Run(new TestOperationHost(), "Update-CmekCluster"))));
        }

        Assert.All(made, m => Assert.NotEqual(m.Before, m.After));
        Assert.Equal(made[..^1].Select(m => m.After), made[1..].Select(m => m.Before));
        Assert.Equal(made.Count, made.Select(m => m.After).Distinct().Count());
    }

    [Theory]
    [InlineData("AWS", 2)]
    [InlineData("GCP", 2)]
    public async Task KeysInUseThatArePipedAreWrappedAnewToo(string provider, int keys)
    {
        await using Life life = await Life.StartAsync(provider);
        PowerShellResult result = await life.RunAsync("New-CmekKey shop | Grant-CmekAccess | Update-CmekCluster -RotateKey -Wait");
        Assert.True(Assert.Single(result.Values<CmekStatus>()).Changed);
        Assert.Equal(
            keys,
            life.Writes.Count(
                w => w.Contains(life.IsAws ? "RotateKeyOnDemand" : "updatePrimaryVersion", StringComparison.OrdinalIgnoreCase)));
        Assert.Single(life.Writes, w => w.EndsWith(":UpdateCmek", StringComparison.Ordinal));
    }

    /// <summary>A version that is made while the cluster is being wrapped under another one would be no part of it.</summary>
    [Theory]
    [InlineData("AWS", "Update-CmekCluster shop -Rewrap -RotateKey")]
    [InlineData("GCP", "Update-CmekCluster shop -Rewrap -RotateKey")]
    [InlineData("AWS", "New-CmekKey shop | Grant-CmekAccess | Update-CmekCluster -RotateKey")]
    [InlineData("GCP", "New-CmekKey shop | Grant-CmekAccess | Update-CmekCluster -RotateKey")]
    public async Task WhileAClusterIsBeingRotatedNoKeyIsRotatedThatItIsNotWrappedUnder(string provider, string command)
    {
        await using Life life = await Life.StartAsync(provider);
        life.Server.Options = life.Server.Options with { StateTime = TimeSpan.FromDays(1) };
        await life.RunAsync("Update-CmekCluster shop -Rewrap -RotateKey");
        Assert.Equal(CmekState.ROTATING, (await life.StatusAsync()).State);
        PowerShellResult refused = await life.TryAsync(command);
        Assert.Contains("No key was rotated", refused.ExpectError("ClusterBusy").Exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(life.Writes, IsOfRotation);
        (await life.TryAsync(command + " -Wait -WhatIf")).ExpectError("ClusterBusy");

        // With -Wait the rotation that is under way ends first; then the new versions are made, and wrapped under.
        life.Server.ClearExchanges();
        RunningScript waiting = life.Shell.Shell.Start(command + " -Wait -Verbose");
        await waiting.WaitForVerboseAsync(v => v.Contains("that is waited for first", StringComparison.Ordinal));
        life.Server.Options = life.Server.Options with { StateTime = TimeSpan.FromMilliseconds(30) };
        CmekStatus status = Assert.Single((await waiting.Completion).Expect().Values<CmekStatus>());
        Assert.Equal((CmekState.ENABLED, true, 2), (status.State, status.Changed, status.Rotations.Count));
        string[] writes = [.. life.Writes.Where(w => IsOfRotation(w) || w == "cloud:UpdateCmek")];
        Assert.Equal("cloud:UpdateCmek", writes[^1]);
        Assert.Equal(2, writes[..^1].Count(w => w.Contains("RotateKeyOnDemand", StringComparison.Ordinal)
            || w.Contains("updatePrimaryVersion", StringComparison.Ordinal)));

        static bool IsOfRotation(string write) => write.Contains("RotateKeyOnDemand", StringComparison.Ordinal)
            || write.Contains("updatePrimaryVersion", StringComparison.Ordinal)
            || write.Contains("cryptoKeyVersions.create", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AWS", 23, 0)]
    [InlineData("AWS", 25, 2)]
    [InlineData("GCP", 23, 0)]
    [InlineData("GCP", 25, 2)]
    public async Task ARunThatNeverEndedIsGoneOnWithForADayAndNoLonger(string provider, int hours, int rotations)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekStatus status = await life.StatusAsync();
        ManualClock then = new();
        then.Advance(TimeSpan.FromHours(-hours));
        using (EngineKit kit = EngineKit.Create(life.Server))
        {
            // What an earlier run wrote: it rotated both keys, and stopped before it told the service.
            JournalWriter journal = new(life.Shell.StateFolder, then);
            Operation op = kit.Run(new TestOperationHost(), "Update-CmekCluster");
            await journal.BeginAsync(op, new PlannedChange("cmek:RotateRun", status.ClusterId, "rotate the keys of shop"));
            foreach (CmekRegionStatus region in status.Regions)
            {
                string kind = kit.Session.GetProvider(life.IsAws ? CmekProvider.AWS : CmekProvider.GCP).RotationChange;
                await journal.EndAsync(await journal.BeginAsync(op, new PlannedChange(kind, region.KeyUri!, "rotate")), "done");
            }
        }

        PowerShellResult result = await life.RunAsync("Update-CmekCluster shop -Rewrap -RotateKey -Wait");
        Assert.Equal(
            rotations,
            life.Writes.Count(
                w => w.Contains(life.IsAws ? "RotateKeyOnDemand" : "updatePrimaryVersion", StringComparison.OrdinalIgnoreCase)));
        Assert.Equal(rotations, Assert.Single(result.Values<CmekStatus>()).Rotations.Count);
        Assert.Equal(rotations > 0, result.Warnings.Any(w => w.Contains("too long ago to go on with", StringComparison.Ordinal)));
        Assert.Equal(rotations == 0, result.Warnings.Any(w => w.Contains("it is not rotated again", StringComparison.Ordinal)));
    }
}
