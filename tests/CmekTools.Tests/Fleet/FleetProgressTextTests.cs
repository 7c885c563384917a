using System.Globalization;
using CmekTools.Engine.Text;
using Xunit;

namespace CmekTools.Tests.Fleet;

/// <summary>What the bar and the summary say.</summary>
public sealed class FleetProgressTextTests
{
    [Theory]
    [InlineData("", 0, 0, 3, false, "3 s so far")]
    [InlineData("c1=working@0", 0, 0, 3, false, "working 1; 3 s so far; slowest c1 (3 s)")]
    [InlineData(
        "c1=ENABLING@2,c2=working@5,c3=ENABLING@1", 4, 1, 20, false,
        "ENABLING 2, working 1, done 4, failed 1; 20 s so far; slowest c3 (19 s)")]
    [InlineData(
        "c1=ENABLING@2,c2=ENABLING@5", 8, 0, 40, true, "ENABLING 2, done 8; 40 s so far, about 10 s left; slowest c1 (38 s)")]
    [InlineData("c1=ENABLING@0", 0, 0, 40, true, "ENABLING 1; 40 s so far; slowest c1 (40 s)")]
    [InlineData("c1=working@0", 1, 0, 600, true, "working 1, done 1; 10 min so far, about 10 min left; slowest c1 (10 min)")]
    [InlineData(
        "a-name-that-is-longer-than-a-bar-has-room-for=working@0", 0, 0, 1, false,
        "working 1; 1 s so far; slowest a-name-that-is-longer-than-a-bar-has-roo… (1 s)")]
    public void TheBarCountsByStateAndNamesTheSlowest(string running, int done, int failed, int seconds, bool complete, string wanted)
    {
        FleetStanding[] standing =
        [
            .. running.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(one => one.Split('=', '@'))
                .Select(p => new FleetStanding(p[0], p[1], TimeSpan.FromSeconds(int.Parse(p[2], CultureInfo.InvariantCulture)))),
        ];
        Assert.Equal(wanted, FleetProgressText.Line(standing, new FleetCounts(done, failed), TimeSpan.FromSeconds(seconds), complete));
    }

    [Theory]
    [InlineData(499, 1, 51, "c00042", 12, "Get-CmekStatus: 499 done, 1 failed in 51 s; slowest c00042 (12 s).")]
    [InlineData(50, 0, 7200, "shop", 6000, "Get-CmekStatus: 50 done, 0 failed in 2 h; slowest shop (1.7 h).")]
    public void TheSummaryCountsAndNamesTheSlowest(int done, int failed, int seconds, string slowest, int took, string wanted) =>
        Assert.Equal(
            wanted,
            FleetProgressText.Summary(
                "Get-CmekStatus",
                new FleetCounts(done, failed),
                TimeSpan.FromSeconds(seconds),
                new FleetSlowest(slowest, TimeSpan.FromSeconds(took))));
}
