using System.Management.Automation.Language;
using System.Text.Json;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.Text;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.State;

/// <summary>Text from outside that becomes code stays text: judged by the real terraform, bash and PowerShell.</summary>
public sealed class QuotingTests
{
    private static readonly string[] s_hostile =
    [
        "",
        " ",
        "plain",
        "a b",
        "$(touch /tmp/x)",
        "`touch x`",
        "'; rm -rf ~; '",
        "\"; exit; \"",
        "${jsonencode(1)}",
        "%{ if true }x%{ endif }",
        "$${a}",
        "%%{b}",
        "$",
        "%",
        "${",
        "%{",
        "a\nb",
        "a\r\nb",
        "\t",
        "\\",
        "\\\"",
        "\\n",
        "back\\",
        "~",
        "~root",
        "-rf",
        "--help",
        "=x",
        "#x",
        "!x",
        "*",
        "?",
        "[a]",
        "{a,b}",
        "a;b",
        "a|b",
        "a&b",
        "<x",
        ">x",
        "\u2018curly\u2019",
        "\u201alow\u201b",
        "\u001b[32mgreen\u001b[0m",
        "@x",
        "@(1)",
        "$x",
        "a,b",
        "é",
        "日本",
        "🔑",
        "\u202e",
        "\u2028",
        "\u0001",
        "\u007f",
        "heredoc <<EOT\nEOT",
        "us-east-1\"\n      }\n    }\n  ]\n}\ndata \"external\" \"x\" {\n  program = [\"sh\"]\n}",
    ];

    [Fact]
    public async Task TerraformReadsExactlyTheText()
    {
        ExternalProgram.Need("terraform");
        string[] texts = [.. s_hostile, .. Made(7, 150)];
        using TempFolder folder = new();
        string input = $"base64encode(jsonencode([{string.Join(", ", texts.Select(HclText.Quote))}]))\n";
        FinishedProgram run = await ExternalProgram.RunAsync(
            "terraform",
            [$"-chdir={folder.Path}", "console"],
            [("CHECKPOINT_DISABLE", "1")],
            input);
        string[]? got = JsonSerializer.Deserialize<string[]>(Convert.FromBase64String(run.Expect().Output.Trim().Trim('"')));

        // Terraform holds all text in its composed form.
        Assert.Equal(texts.Select(t => t.Normalize()), got);
    }

    [Fact]
    public async Task AHostileManifestIsNothingButItsResource()
    {
        ExternalProgram.Need("terraform");
        using TempFolder folder = new();
        CmekCluster cluster = new()
        {
            Id = "x\"\n}\ndata \"external\" \"e\" {",
            Name = "1\"}\n",
            Provider = CmekProvider.AWS,
            Plan = "ADVANCED",
            State = "CREATED",
        };
        CmekAccess[] accesses =
        [
            .. s_hostile.Where(t => t.Length > 0).Select(t => new CmekAccess
            {
                ClusterId = cluster.Id,
                ClusterName = cluster.Name,
                Provider = cluster.Provider,
                Region = t,
                KeyUri = t,
                AuthPrincipal = t,
            }),
        ];
        string text = ManifestWriter.ToTerraform(cluster, accesses);
        (await ExternalProgram.RunAsync("terraform", ["fmt", "-check", "-diff", "-"], [("CHECKPOINT_DISABLE", "1")], text)).Expect();
        Assert.DoesNotContain("\ndata", text, StringComparison.Ordinal);
        Assert.Equal(
            ["import {", "resource \"cockroach_cmek\" \"c_1___\" {"],
            text.Split('\n').Where(l => l.Length > 0 && !char.IsWhiteSpace(l[0]) && l != "}"));
    }

    [Fact]
    public async Task BashReadsExactlyTheText()
    {
        ExternalProgram.Need("bash");
        string[] texts = [.. s_hostile, .. Made(11, 300)];
        string script = "printf '%s\\0' " + string.Join(' ', texts.Select(BashText.Quote));
        FinishedProgram run = await ExternalProgram.RunAsync("bash", ["-s"], input: script);
        Assert.Equal(texts, run.Expect().Output.Split('\0')[..^1]);
    }

    [Fact]
    public void PowerShellReadsExactlyTheText()
    {
        foreach (string text in (string[])[.. s_hostile, .. Made(13, 1000)])
        {
            ScriptBlockAst script = Parser.ParseInput("Get-X " + PowerShellText.Quote(text), out _, out ParseError[] errors);
            Assert.Empty(errors);
            CommandAst command = Assert.IsType<CommandAst>(
                Assert.Single(Assert.IsType<PipelineAst>(Assert.Single(script.EndBlock.Statements)).PipelineElements));
            Assert.Equal(2, command.CommandElements.Count);
            Assert.Equal(text, Assert.IsType<StringConstantExpressionAst>(command.CommandElements[1]).Value);
        }
    }

    [Fact]
    public void WhatIsShownMovesNoCursorAndTurnsNoLine()
    {
        foreach (string text in (string[])[.. s_hostile, .. Made(17, 1000), "\ud800", "x\rOK", "\u009b31m", "\U000E0041"])
        {
            string shown = ViewText.Line(text);
            Assert.DoesNotContain(
                shown,
                c => char.IsControl(c) || c is >= '\u2028' and <= '\u202e' or >= '\u200b' and <= '\u200f' or '\ufeff');
            Assert.Equal(ViewText.Plain(text).Split('\n').Length, text.Split('\n').Length);
        }

        Assert.Equal("\\x1b[32mENABLED", ViewText.Plain("\u001b[32mENABLED"));
        Assert.Equal("a\r\nb\tc", ViewText.Plain("a\r\nb\tc"));
        Assert.Equal("\\ud800 🔑", ViewText.Plain("\ud800 🔑"));
    }

    // Short texts of the characters that mean something to somebody.
    private static IEnumerable<string> Made(int seed, int count)
    {
        const string Alphabet = "ab '\"$%{}()\\`\n\r\t!~#&|;<>*?[]=@,-\u2018\u2019\u201a\u201b\u001b\u202eé";
        Random random = new(seed);
        for (int i = 0; i < count; i++)
        {
            yield return new string([.. Enumerable.Range(0, random.Next(1, 12)).Select(_ => Alphabet[random.Next(Alphabet.Length)])]);
        }
    }
}
