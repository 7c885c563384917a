using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using CmekTools.Build.Help;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Shipping;

/// <summary>
/// The views: one table and one list for every type that a command gives (a ticket's text is only ever a list), made for 80 columns.
/// </summary>
public sealed class ViewTests
{
    private const int Columns = 80;
    private const int NarrowestFreeColumn = 10;

    // Within these $_ is something else than what is shown.
    private static readonly Regex s_inner = new(@"(ForEach|Where)-Object \{.*\}");

    private static XElement[] Views { get; } =
        [
            .. XDocument.Load(
                Path.Combine(Path.GetDirectoryName(PowerShellSession.ModuleManifest)!, "CmekTools.Format.ps1xml")).Descendants("View"),
        ];

    [Fact]
    public async Task WhoseARowIsAndWhatBecameOfItStandsInTheTable()
    {
        await using PowerShellSession shell = await PowerShellSession.OpenAsync();
        shell.Host.Width = Columns;
        string checks = shell.Format(new[] { "shop", "ledger" }.Select(
            n => new CmekCheck { Name = "CutPolicy", ClusterName = n, Region = "us-east-1", Seen = "as it was" }));
        Assert.Matches(@"(?s)\bshop\b.*\bledger\b", checks);

        CmekReceipt receipt = new() { Id = "a", ClusterId = "b", ClusterName = "shop", OrganizationId = "c", Path = "d" };
        DateTimeOffset at = new(2026, 11, 30, 12, 0, 0, TimeSpan.Zero);
        string receipts = shell.Format(new[] { receipt, receipt with { RestoredAt = at }, receipt with { SupersededAt = at } });
        Assert.Matches(@"(?s)\bopen\b.*2026-11-30 12:00:00Z.*\bsuperseded\b.*2026-11-30 12:00:00Z", receipts);

        CmekStatus status = new()
        {
            ClusterId = "b",
            ClusterName = "shop",
            State = CmekState.ENABLED,
            Rotations = [new CmekKeyRotation { KeyUri = "projects/p/cryptoKeys/shop", Before = "1", After = "2" }],
        };
        Assert.Contains("rotated shop: 1 -> 2", shell.Format(new[] { status }), StringComparison.Ordinal);
    }

    [Fact]
    public void EveryTableFitsIntoEightyColumns() =>
        Assert.All(Views.Where(v => v.Element("TableControl") is not null), v =>
        {
            XElement[] headers = [.. v.Descendants("TableColumnHeader")];
            int width = headers.Sum(h => h.Element("Width") is { } w
                ? int.Parse(w.Value, CultureInfo.InvariantCulture)
                : Math.Max(NarrowestFreeColumn, h.Element("Label")?.Value.Length ?? 0));
            Assert.True(width + headers.Length - 1 <= Columns, $"{v.Element("Name")!.Value} is {width + headers.Length - 1} wide.");
            Assert.Equal(headers.Length, v.Descendants("TableColumnItem").Count());
        });

    [Theory]
    [InlineData("northamerica-northeast1", 14, "northamerica-\nnortheast1")]
    [InlineData("SupportRequest", 14, "SupportRequest")]
    [InlineData("SupportRequest", 9, "Support\nRequest")]
    [InlineData("80483be4-714a-40a1-b0d3-9ca5c50bb1d7", 24, "80483be4-714a-40a1-b0d3-\n9ca5c50bb1d7")]
    [InlineData("abcdefghij", 4, "abcd\nefgh\nij")]
    [InlineData(null, 4, "")]
    public void NamesAreBrokenWhereTheirWordsEnd(string? name, int width, string shown) => Assert.Equal(shown, ViewText.Words(name, width));

    [Theory]
    [InlineData(80, 27, 2, 0, 26)]
    [InlineData(80, 27, 2, 1, 26)]
    [InlineData(80, 42, 2, 0, 19)]
    [InlineData(80, 42, 2, 1, 18)]
    [InlineData(0, 42, 2, 1, 18)]
    [InlineData(200, 51, 1, 0, 148)]
    public void WhatTheOthersLeaveIsSharedOut(int window, int used, int columns, int place, int width) =>
        Assert.Equal(width, ViewText.Share(window, used, columns, place));

    [Fact]
    public void ListsAreBrokenBetweenTheirItems() =>
        Assert.Equal("us-east-1, us-west-2,\neu-west-1", ViewText.List(["us-east-1", "us-west-2", "eu-west-1"], 21));

    [Fact]
    public void TextEndsItsLinesAtSpaces() =>
        Assert.Equal("the cluster\nis still\nrunning", ViewText.Free("the cluster is still running", 72, 60));

    /// <summary>No state, step, key or cluster is cut or broken within a word, however wide the window is.</summary>
    [Theory]
    [InlineData(80)]
    [InlineData(120)]
    [InlineData(200)]
    public async Task NothingIsCutInTheWholeLifeOfKeys(int columns)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync();
        shell.Shell.Host.Width = columns;
        foreach (string script in (string[])
            [
                "Get-CmekCluster", "Get-CmekCluster | New-CmekKey", "Get-CmekCluster | New-CmekKey | Grant-CmekAccess",
                "Get-CmekCluster | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait | ForEach-Object Regions",
                "Get-CmekStatus", "Get-CmekCluster | Get-CmekKey", "Revoke-CmekAccess shop, ledger -Force", "Get-CmekReceipt",
                "Restore-CmekAccess shop, ledger -WarningAction Ignore", "Get-CmekJournal",
            ])
        {
            string text = (await shell.RunAsync(script)).Expect().Text;
            Assert.DoesNotContain("…", text, StringComparison.Ordinal);
            Assert.All(text.Split('\n'), l => Assert.True(l.TrimEnd().Length <= columns, l));

            if (columns > 80 && script != "Get-CmekJournal")
            {
                // A wider window is for the keys; what a change is about may be longer.
                Assert.DoesNotMatch("[0-9a-f]{8}-([0-9a-f]{4}-){0,3}(\\s|$)", text);
            }

            // What these outputs say begins with the first half nowhere without the second one behind it.
            string[] words = ["us-east-|1", "us-west-|2", "us-centr|al1", "ENABLE|D", "REVOKE|D", "SupportR|equest", "ledg|er", "runnin|g"];
            foreach (string word in words)
            {
                Assert.DoesNotMatch(word.Replace("|", "(?!", StringComparison.Ordinal) + ")", text);
            }
        }
    }

    [Fact]
    public void EveryOutputTypeHasATableAndAList()
    {
        string[] types =
        [
            .. CommandReader.Read(PowerShellSession.ModuleManifest).SelectMany(c => c.OutputType).Select(o => o.Name).Where(
                n => n.StartsWith("CmekTools.", StringComparison.Ordinal)).Distinct(),
        ];
        Assert.True(types.Length > 10);
        Assert.Empty(types.Except(Seen("ListControl")));
        Assert.Equal(["CmekTools.CmekSupportRequest"], types.Except(Seen("TableControl")));

        static string[] Seen(string control) =>
            [.. Views.Where(v => v.Element(control) is not null).SelectMany(v => v.Descendants("TypeName").Select(t => t.Value))];
    }

    // A property that was renamed leaves an empty line in its list, without a word from PowerShell.
    [Fact]
    public void EachViewNamesPropertiesThatAreThere() =>
        Assert.All(Views, v =>
        {
            PropertyInfo[] there =
            [
                .. v.Descendants("TypeName").Select(
                    t => typeof(CmekStep).Assembly.GetType(t.Value) ?? typeof(CmekSession).Assembly.GetType(t.Value))
                    .OfType<Type>().SelectMany(t => t.GetProperties()),
            ];
            IEnumerable<string> named = v.Descendants("PropertyName").Select(n => n.Value).Concat(
                v.Descendants("ScriptBlock").SelectMany(
                    b => Regex.Matches(s_inner.Replace(b.Value, string.Empty), @"\$_\.(\w+)").Select(m => m.Groups[1].Value)));
            Assert.True(
                there.Length == 0 || named.All(n => there.Any(p => p.Name == n)),
                $"{v.Element("Name")!.Value}: {string.Join(", ", named.Where(n => there.All(p => p.Name != n)).Distinct())}");
        });

    [Theory]
    [InlineData("Get-CmekCluster shop | New-CmekKey -EnableRotation", "365 d")]
    [InlineData("Get-CmekCluster ledger | New-CmekKey | Grant-CmekAccess", "cmek-ledger-")]
    [InlineData("Get-CmekCluster | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait | ForEach-Object Regions", "ENABLED")]
    [InlineData("New-CmekSupportRequest -Purpose EnableOrganization; Get-CmekOrganization; Get-CmekSession", "Sandbox")]
    public async Task WhatIsPrintedStaysWithinTheColumns(string script, string shown)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync();
        shell.Shell.Host.Width = Columns;
        string text = (await shell.RunAsync(script)).Expect().Text;
        Assert.Contains(shown, text, StringComparison.Ordinal);
        Assert.All(text.Split('\n'), l => Assert.True(l.TrimEnd().Length <= Columns, l));
        Assert.DoesNotContain(text.Split('\n'), l => l.Trim().Length == 1);
    }
}
