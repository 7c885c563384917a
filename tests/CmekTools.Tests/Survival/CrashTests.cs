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
        UnbrokenLife wanted = await CrashLife.UnbrokenAsync(provider, ["begin", "revoke"]);
        Assert.All(wanted.Commands, c => Assert.Contains(c.Boundaries, b => b.Kind == BoundaryKind.FileChange));

        // One at a request that took effect and whose answer is lost, one at a change of a file.
        UnbrokenLife chosen = new(
        [
            wanted.Commands[0] with { Boundaries = [wanted.Commands[0].Boundaries.Last(b => b.Kind == BoundaryKind.AfterEffect)] },
            wanted.Commands[1] with { Boundaries = [new Boundary(BoundaryKind.FileChange, 2)] },
        ]);
        CrashResult result = await CrashLife.BrokenAsync(provider, chosen, 0, new Random(1));
        Assert.Equal([], result.Wrong);
        Assert.Equal((1, 1, 0), (result.Boundaries, result.Changes, result.Chances));
    }
}
