using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.State;

/// <summary>Attacks through what a file or a service says, from the prompt.</summary>
public sealed class AttackTests
{
    private const string Evil = "\u001b[2K\u001b[32mENABLED\u001b[0m\u202e\r";

    [Fact]
    public async Task ANameWithEscapeSequencesReachesTheTerminalAsText()
    {
        string name = "ev" + Evil + "il";
        await using SandboxShell shell = await SandboxShell.StartAsync(
            SandboxShell.Fast with { Clusters = [new SandboxClusterOptions(name, "AWS", ["us-east-1"])] });
        PowerShellResult result = await shell.RunAsync("""
            $cluster = Get-CmekCluster
            $cluster | New-CmekKey -WhatIf -Verbose
            $key = $cluster | New-CmekKey -Verbose
            $access = $key | Grant-CmekAccess -Verbose
            $access | Enable-CmekCluster -Wait -Verbose
            $cluster | Get-CmekStatus
            $cluster | Test-CmekAccess
            $cluster | Revoke-CmekAccess -KeyOnly -Force -Verbose
            Get-CmekReceipt
            Get-CmekJournal
            $cluster | Restore-CmekAccess -Verbose
            Get-CmekStatus "no-$($cluster.Name)"
            $cluster, $key, $access
            """);

        // The objects keep what the service said.
        Assert.Contains(result.Output, o => o.BaseObject is CmekCluster cluster && cluster.Name == name);
        string[] shown =
        [
            .. result.Warnings, .. result.Verbose, .. result.Progress.Select(
                p => p.Activity + p.StatusDescription), .. result.Errors.Select(e => e.ToString()),
            .. result.Errors.Select(
                e => e.ErrorDetails?.RecommendedAction ?? string.Empty),
                .. result.Output.GroupBy(o => o.BaseObject.GetType()).Select(g => shell.Shell.Format(g.ToArray())),
        ];
        Assert.All(shown, text => Assert.DoesNotContain("\u001b[2K", text, StringComparison.Ordinal));
        Assert.All(shown, text => Assert.DoesNotContain("\u202e", text, StringComparison.Ordinal));
        Assert.Contains(shown, text => text.Contains("\\x1b[2K", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ANameIsTextWhereTheFirstErrorStopsTheOthersToo()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast with { Clusters =
        [
            new SandboxClusterOptions("ev" + Evil + "il", "AWS", ["us-east-1"]),
            new SandboxClusterOptions("shop", "AWS", ["us-east-1"]),
        ] });
        IReadOnlyList<CmekCluster> clusters = (await shell.RunAsync("Get-CmekCluster")).Expect().Values<CmekCluster>();
        string held = clusters.Single(c => c.Name != "shop").Id;
        TaskCompletionSource arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource never = new(TaskCreationOptions.RunContinuationsAsynchronously);
        shell.Server.Before = async r =>
        {
            if (!r.RawPath.EndsWith("/cmek", StringComparison.Ordinal))
            {
                return null;
            }

            if (r.RawPath.Contains(held, StringComparison.Ordinal))
            {
                arrived.TrySetResult();
                await never.Task;
            }

            await arrived.Task;
            return new SandboxResponse { Status = 403, Body = """{"code":7,"message":"no"}""" };
        };
        PowerShellResult result = await shell.RunAsync("Get-CmekCluster | Get-CmekStatus -ErrorAction Stop");
        never.SetResult();
        string warning = Assert.Single(result.Warnings);
        Assert.Contains("Stopped at the first error", warning, StringComparison.Ordinal);
        Assert.Contains("\\x1b[2K", warning, StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b", warning, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AReceiptThatSomebodyAddedToGivesNobodyAnything()
    {
        await using Life life = await Life.StartAsync("GCP");
        await life.RunAsync("Revoke-CmekAccess shop -KeyOnly -Force");
        string path = Assert.Single(life.Receipts());
        string sealedText = File.ReadAllText(path);
        string other = await OtherKeyAsync(life);
        await life.Google.OkAsync("POST", $"projects/{GcpWire.Project}/serviceAccounts", new JsonObject { ["accountId"] = "ci-runner" });

        // Two accesses are added: an admin's role on a key of the cluster, and the same on a key that has nothing to do with it.
        foreach (bool keepSeal in (bool[])[true, false])
        {
            JsonObject receipt = JsonNode.Parse(sealedText)!.AsObject();
            JsonArray accesses = receipt["accesses"]!.AsArray();
            string own = (string)accesses[0]!["key_uri"]!;
            accesses.Add(Forged(own));
            accesses.Add(Forged(other));
            receipt["created_at"] = "2031-01-01T00:00:00Z";
            if (!keepSeal)
            {
                receipt.Remove("seal");
            }

            File.WriteAllText(path, receipt.ToJsonString());
            await life.TryAsync("Restore-CmekAccess shop -WarningAction SilentlyContinue");
            Assert.Empty(GivenTo(life, "ci-runner"));
        }
    }

    // The writes that name somebody.
    private static string[] GivenTo(Life life, string name) =>
        [
            .. life.Server.Exchanges.Where(
                e => e.Request.IsWrite
                    && (e.Request.Text + e.Request.RawPath).Contains(name, StringComparison.Ordinal)).Select(e => e.Request.ToString()),
        ];

    private static JsonObject Forged(string key)
    {
        const string Member = "serviceAccount:ci-runner@customer-project.iam.gserviceaccount.com";
        static JsonObject Binding(string role) => new() { ["role"] = role, ["members"] = new JsonArray(Member) };
        JsonObject policy = new() { ["bindings"] = new JsonArray(
            Binding("roles/cloudkms.admin"),
            Binding("roles/cloudkms.cryptoKeyDecrypter")) };
        return new JsonObject
        {
            ["region"] = "us-central1",
            ["key_uri"] = key,
            ["auth_principal"] = "ci-runner@customer-project.iam.gserviceaccount.com",
            ["snapshot"] = new JsonObject { ["kind"] = "gcp/1", ["data"] = new JsonObject { ["key_policy"] = policy } },
        };
    }

    private static async Task<string> OtherKeyAsync(Life life)
    {
        CmekKey key = Assert.Single((await life.RunAsync("New-CmekKey shop -Region us-central1 -KeyRing unrelated")).Values<CmekKey>());
        return key.KeyUri!;
    }
}
