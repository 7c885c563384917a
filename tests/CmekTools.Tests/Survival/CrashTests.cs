using CmekTools.Benchmarks.Processes;
using Xunit;

namespace CmekTools.Tests.Survival;

/// <summary>Processes that are killed (SIGKILL) in the middle of a command. The benchmark kills them everywhere.</summary>
public sealed class CrashTests
{
    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task WhatWasKilledEndsAsUnbrokenWhenItIsRunAgain(string provider)
    {
        UnbrokenLife wanted = await CrashLife.UnbrokenAsync(provider, ["begin", "revoke", "restore"]);
        Assert.All(wanted.Commands, c => Assert.Contains(c.Boundaries, b => b.Kind == BoundaryKind.FileChange));

        // One at a request that took effect and whose answer is lost, one before one, one at a change of a file.
        UnbrokenLife chosen = new(
        [
            wanted.Commands[0] with { Boundaries = [Last(wanted.Commands[0], BoundaryKind.AfterEffect)] },
            wanted.Commands[1] with { Boundaries = [new Boundary(BoundaryKind.FileChange, 2)] },
            wanted.Commands[2] with { Boundaries = [Middle(wanted.Commands[2], BoundaryKind.BeforeRequest)] },
        ]);
        CrashResult result = await CrashLife.BrokenAsync(provider, chosen, 0, new Random(1));
        Assert.Equal([], result.Wrong);
        Assert.Equal((2, 1, 0), (result.Boundaries, result.Changes, result.Chances));
    }

    private static Boundary Last(UnbrokenCommand command, BoundaryKind kind) => command.Boundaries.Last(b => b.Kind == kind);

    private static Boundary Middle(UnbrokenCommand command, BoundaryKind kind)
    {
        Boundary[] all = [.. command.Boundaries.Where(b => b.Kind == kind)];
        return all[all.Length / 2];
    }
}
