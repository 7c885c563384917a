using System.Globalization;
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

    private static XElement[] Views { get; } =
        [
            .. XDocument.Load(
                Path.Combine(Path.GetDirectoryName(PowerShellSession.ModuleManifest)!, "CmekTools.Format.ps1xml")).Descendants("View"),
        ];

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

    [Theory]
    [InlineData("Get-CmekCluster shop | New-CmekKey -EnableRotation", "365 d")]
    [InlineData("Get-CmekCluster ledger | New-CmekKey | Grant-CmekAccess", "cmek-ledger-")]
    [InlineData("Get-CmekCluster | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait | ForEach-Object Regions", "ENABLED")]
    [InlineData("New-CmekSupportRequest; Get-CmekOrganization; Get-CmekSession", "Sandbox")]
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
