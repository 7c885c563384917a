using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>The sheet for the safe, carried out by the real aws, gcloud and curl in a shell that knows nothing of CmekTools.</summary>
public sealed class SheetTests
{
    private static readonly Func<SandboxOptions, string, SandboxOptions> s_one = (o, provider) =>
        o with { Clusters = [new SandboxClusterOptions("shop", provider, [Life.RegionsOf(provider)[0]])] };

    [Theory]
    [InlineData("AWS", "aws")]
    [InlineData("GCP", "gcloud")]
    public async Task TheSheetCutsTellsTheServiceAndGivesBack(string provider, string program)
    {
        ExternalProgram.Need(program);
        ExternalProgram.Need("curl");
        ExternalProgram.Need("bash");
        await using Life life = await Life.StartAsync(provider, change: o => s_one(o, provider));
        CmekRegionStatus region = Assert.Single((await life.StatusAsync()).Regions);
        string before = await PolicyAsync(life, region.KeyUri!);
        string sheet = Assert.IsType<string>(Assert.Single((await life.RunAsync("Export-CmekBreakGlass shop")).Output).BaseObject);
        Assert.Empty(life.Writes);
        Assert.All(Secrets(life), s => Assert.DoesNotContain(s, sheet, StringComparison.Ordinal));
        using TempFolder folder = new();

        // Twice: the second run must not take the cut policy for the one that is to come back.
        await ShellAsync(life, folder, Part(sheet, "Cut") + "\n" + (provider == "AWS" ? Part(sheet, "Cut") : string.Empty));
        await ShellAsync(life, folder, Part(sheet, "Tell the service"));
        string proof = (await ShellAsync(life, folder, Part(sheet, "Look whether it is cut"))).Output;
        Assert.Equal(provider == "AWS", proof.Contains("CmekToolsRevoke", StringComparison.Ordinal));
        Assert.DoesNotContain("roles/", proof, StringComparison.Ordinal);

        // CmekTools has nothing left to cut, and sees that it is.
        life.Server.ClearExchanges();
        CmekStep[] steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Force")).Values<CmekStep>()];
        Assert.Equal((true, true), (steps[^1].KeyCut, steps[^1].Revoked));
        Assert.DoesNotContain("kms:PutKeyPolicy", life.Writes);
        Assert.DoesNotContain("gcp-kms:cryptoKeys.setIamPolicy", life.Writes);

        await ShellAsync(life, folder, Part(sheet, "Restore"));
        Assert.Equal(before, await PolicyAsync(life, region.KeyUri!));
        if (provider == "AWS")
        {
            Assert.True(
                (await life.RunAsync("Test-CmekAccess shop")).Values<CmekCheck>().All(
                    c => !c.Name.StartsWith("Aws", StringComparison.Ordinal) || c.Result != CmekCheckResult.Fail));
        }
    }

    [Theory]
    [InlineData("AWS", "aws")]
    [InlineData("GCP", "gcloud")]
    public async Task TheLastRungStopsTheKeyAndComesBack(string provider, string program)
    {
        ExternalProgram.Need(program);
        ExternalProgram.Need("bash");
        await using Life life = await Life.StartAsync(provider, change: o => s_one(o, provider));
        string key = Assert.Single((await life.StatusAsync()).Regions).KeyUri!;
        string sheet = Assert.IsType<string>(Assert.Single((await life.RunAsync("Export-CmekBreakGlass shop")).Output).BaseObject);
        if (!life.IsAws)
        {
            // Off before: it stays so.
            await life.Google.OkAsync("POST", $"{key}/cryptoKeyVersions", []);
            await life.Google.OkAsync(
                "PATCH",
                $"{key}/cryptoKeyVersions/2?updateMask=state",
                new JsonObject { ["state"] = "DISABLED" });
        }

        using TempFolder folder = new();
        await ShellAsync(life, folder, Part(sheet, "Where a cut is refused"));
        Assert.Equal(CmekKeyState.Disabled, await life.KeyStateAsync(key));
        string restore = Part(sheet, "Restore");
        await ShellAsync(life, folder, restore[restore.IndexOf("# Only where", StringComparison.Ordinal)..]);
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(key));
        if (!life.IsAws)
        {
            Assert.Equal(
                "DISABLED",
                (await life.Google.OkAsync("GET", $"{key}/cryptoKeyVersions/2"))["state"]!.ToString());
        }
    }

    [Theory]
    [InlineData("AWS", true)]
    [InlineData("GCP", true)]
    [InlineData("AWS", false)]
    public async Task ASheetThatIsMadeWhileTheClusterIsCutSaysSo(string provider, bool receipt)
    {
        await using Life life = await Life.StartAsync(provider, change: o => s_one(o, provider));
        PowerShellResult before = await life.RunAsync("Export-CmekBreakGlass shop");
        Assert.Empty(before.Warnings);
        await life.RunAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        if (!receipt)
        {
            Directory.Delete(Path.Combine(life.Shell.StateFolder, "receipts"), recursive: true);
        }

        PowerShellResult now = await life.RunAsync("Export-CmekBreakGlass shop");
        Assert.Contains("shop is cut off now", Assert.Single(now.Warnings), StringComparison.Ordinal);
        Assert.Contains("Made while the cluster was cut off", (string)Assert.Single(now.Output).BaseObject, StringComparison.Ordinal);
        Assert.DoesNotContain("Made while", (string)Assert.Single(before.Output).BaseObject, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatCannotBeReadIsSaidAndNamesAreQuoted()
    {
        await using Life life = await Life.StartAsync("AWS");
        string[] keys = [await life.KeyAsync(life.Regions[0]), await life.KeyAsync(life.Regions[1])];
        life.Answer(r => r.Operation == "GetKeyPolicy" && r.Names(keys[0]) ? Faults.Refused
            : r.Service == "cloud" && r.Method == "GET" && r.RawPath.EndsWith("/cmek", StringComparison.Ordinal) ? Renamed(keys) : null);
        string sheet = Assert.IsType<string>(Assert.Single((await life.TryAsync("Export-CmekBreakGlass shop")).Output).BaseObject);
        Assert.Contains($"aws kms disable-key --region us-east-1 --key-id {keys[0]}", Part(sheet, "Cut"), StringComparison.Ordinal);
        Assert.Contains("The key policy could not be read", sheet, StringComparison.Ordinal);
        Assert.Contains($"put-key-policy --region us-west-2 --key-id {keys[1]}", Part(sheet, "Cut"), StringComparison.Ordinal);

        // A line that begins a block or ends one stands only where the sheet itself put it.
        Assert.Equal(sheet.Split('\n').Count(l => l == "```sh"), sheet.Split('\n').Count(l => l == "```"));
        Assert.DoesNotContain(sheet.Split('\n'), l => l.StartsWith("touch ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AKeyThatDoesNotAnswerIsANoteAndTheOthersAreWritten(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string[] keys = [await life.KeyAsync(life.Regions[0]), await life.KeyAsync(life.Regions[1])];
        life.Answer(r => r.Names(keys[0]) ? new SandboxResponse { Status = 503, Body = "{}" } : null);
        string sheet = Assert.IsType<string>(Assert.Single((await life.RunAsync("Export-CmekBreakGlass shop")).Output).BaseObject);
        Assert.Contains(
            life.IsAws ? "The key policy could not be read" : "The key's bindings could not be read",
            sheet,
            StringComparison.Ordinal);
        Assert.Contains(
            life.IsAws ? $"put-key-policy --region us-west-2 --key-id {keys[1]}" : "remove-iam-policy-binding",
            Part(sheet, "Cut"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task AFileIsNotOverwrittenUnasked()
    {
        await using Life life = await Life.StartAsync("AWS");
        using TempFolder folder = new();
        string path = Path.Combine(folder.Path, "shop.md");
        await life.RunAsync("param($Path) Export-CmekBreakGlass shop $Path -WhatIf", new { Path = path });
        Assert.False(File.Exists(path));
        Assert.Equal(
            path,
            Assert.IsType<FileInfo>(
                Assert.Single(
                    (
                        await life.RunAsync(
                            "param($Path) Export-CmekBreakGlass shop $Path",
                            new { Path = path })).Output).BaseObject).FullName);
        File.WriteAllText(path, "mine");
        (await life.TryAsync("param($Path) Export-CmekBreakGlass shop $Path", new { Path = path })).ExpectError("FileExists,");
        Assert.Equal("mine", File.ReadAllText(path));
    }

    private static SandboxResponse Renamed(string[] keys) => new()
    {
        Body = new JsonObject
        {
            ["status"] = "ENABLED",
            ["region_infos"] = new JsonArray([.. keys.Select((k, i) => (JsonNode)new JsonObject
            {
                ["region"] = i == 0 ? "us-east-1\n```\ntouch /tmp/x" : "us-west-2",
                ["status"] = "ENABLED",
                ["key_infos"] = new JsonArray(new JsonObject
                {
                    ["status"] = "ENABLED",
                    ["spec"] = new JsonObject
                    {
                        ["type"] = "AWS_KMS",
                        ["uri"] = k,
                        ["auth_principal"] = "arn:aws:iam::111122223333:role/x",
                    },
                }),
            })]),
        }.ToJsonString(),
    };

    private static IEnumerable<string> Secrets(Life life) =>
        life.Server.Environment.Where(
            v => v.Key is "AWS_SECRET_ACCESS_KEY" or "COCKROACH_API_KEY" or "GOOGLE_SANDBOX_ACCESS_TOKEN").Select(v => v.Value);

    // The blocks under a heading.
    private static string Part(string sheet, string heading)
    {
        string[] lines = sheet.Split('\n');
        bool within = false;
        bool block = false;
        List<string> part = [];
        foreach (string line in lines)
        {
            if (!block && line.StartsWith("## ", StringComparison.Ordinal))
            {
                within = line == "## " + heading;
            }
            else if (line is "```sh" or "```")
            {
                block = line == "```sh";
            }
            else if (within && block)
            {
                part.Add(line);
            }
        }

        Assert.NotEmpty(part);
        return string.Join('\n', part) + "\n";
    }

    private static async Task<FinishedProgram> ShellAsync(Life life, TempFolder folder, string script)
    {
        folder.Write("token", life.Google.AdminToken);
        FinishedProgram run = await ExternalProgram.RunAsync("bash", ["-u"],
        [
            .. life.Server.Environment.Select(v => (v.Key, (string?)v.Value)),
            ("AWS_PAGER", string.Empty),
            ("CLOUDSDK_CONFIG", Path.Combine(folder.Path, "gcloud")),
            ("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", Path.Combine(folder.Path, "token")),
            ("CLOUDSDK_CORE_DISABLE_PROMPTS", "1"),
            ("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "1"),
            ("CLOUDSDK_CORE_CHECK_GCE_METADATA", "0"),
            ("CLOUDSDK_CORE_DISABLE_FILE_LOGGING", "1"),
            ("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "1"),
        ], $"cd '{folder.Path}'\n{script}");
        Assert.DoesNotMatch("(?i)error", run.Errors);
        return run;
    }

    private static async Task<string> PolicyAsync(Life life, string key)
    {
        if (!life.IsAws)
        {
            JsonNode policy = life.Server.Exclusively(() => life.Google.Google.Policies.Get(key).DeepClone());
            return string.Join(
                '\n',
                policy["bindings"]!.AsArray().Select(
                    b => $"{b!["role"]} {b["members"]!.ToJsonString()} {b["condition"]?.ToJsonString()}").Order(StringComparer.Ordinal));
        }

        return JsonNode.Parse(
            (
                await life.Aws.Kms.GetKeyPolicyAsync(
                    new GetKeyPolicyRequest { KeyId = key, PolicyName = "default" },
                    AwsWire.Cancel)).Policy)!.ToJsonString();
    }
}
