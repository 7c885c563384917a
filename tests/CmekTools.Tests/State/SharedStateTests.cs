using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Aws;
using CmekTools.Sandbox.Gcp;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.State;

/// <summary>Two machines with one shared state, from the prompt.</summary>
public sealed class SharedStateTests
{
    [Theory]
    [InlineData("folder", "AWS")]
    [InlineData("s3", "GCP")]
    [InlineData("gs", "AWS")]
    public async Task AnotherMachineSeesTheReceiptAndRestoresExactly(string kind, string provider)
    {
        await using Machines machines = await Machines.StartAsync(kind, provider);
        string before = await World.ReadAsync(machines.Server);
        PowerShellResult cut = (await machines.A.RunAsync("Revoke-CmekAccess shop -KeyOnly -Force")).Expect();
        Assert.Empty(cut.Warnings);

        CmekReceipt seen = Assert.Single((await machines.B.RunAsync("Get-CmekReceipt shop -Open")).Expect().Values<CmekReceipt>());
        Assert.Equal(CmekSealState.Verified, seen.Seal);
        Assert.StartsWith(machines.B.StateFolder, seen.Path, StringComparison.Ordinal);
        PowerShellResult back = (await machines.B.RunAsync("Restore-CmekAccess shop")).Expect();
        Assert.DoesNotContain(back.Warnings, w => w.Contains("no open receipt", StringComparison.Ordinal));
        Assert.Equal(before, await World.ReadAsync(machines.Server));

        // The first machine hears that its receipt is closed, and so does a third.
        CmekReceipt closed = Assert.Single((await machines.A.RunAsync("Get-CmekReceipt shop")).Expect().Values<CmekReceipt>());
        Assert.Equal((CmekSealState.Verified, true), (closed.Seal, closed.RestoredAt is not null));
        Assert.DoesNotContain(machines.B.StateFolder, closed.Path, StringComparison.Ordinal);
        await using SandboxShell third = await machines.AnotherAsync();
        CmekReceipt there = Assert.Single((await third.RunAsync("Get-CmekReceipt")).Expect().Values<CmekReceipt>());
        Assert.NotNull(there.RestoredAt);

        // What was cut again on the first machine is open again for the second.
        (await machines.A.RunAsync("Revoke-CmekAccess shop -KeyOnly -Force")).Expect();
        CmekReceipt again = Assert.Single((await machines.B.RunAsync("Get-CmekReceipt -Open")).Expect().Values<CmekReceipt>());
        Assert.NotEqual(seen.Id, again.Id);
    }

    [Fact]
    public async Task ASecondMachineGoesOnWithWhatTheFirstOneCutAndKeepsHowItWasBefore()
    {
        await using Machines machines = await Machines.StartAsync("folder", "GCP");
        string before = await World.ReadAsync(machines.Server);
        (await machines.A.RunAsync("Revoke-CmekAccess shop -KeyOnly -Force")).Expect();
        (await machines.B.RunAsync("Get-CmekReceipt")).Expect();
        (await machines.B.RunAsync("Revoke-CmekAccess shop -KeyOnly -Force")).Expect();
        Assert.Equal(2, (await machines.A.RunAsync("Get-CmekReceipt -Open")).Expect().Values<CmekReceipt>().Count);
        (await machines.B.RunAsync("Restore-CmekAccess shop")).Expect();
        Assert.Equal(before, await World.ReadAsync(machines.Server));
        Assert.Empty((await machines.A.RunAsync("Get-CmekReceipt -Open")).Expect().Values<CmekReceipt>());
    }

    [Theory]
    [InlineData("s3")]
    [InlineData("folder")]
    public async Task ABreakGlassDoesNotWaitForASharedStateThatDoesNotAnswer(string kind)
    {
        await using Machines machines = await Machines.StartAsync(kind, "AWS");
        TaskCompletionSource never = new(TaskCreationOptions.RunContinuationsAsynchronously);
        machines.Server.Before = async request =>
        {
            if (request.Service is "s3" or "gcs")
            {
                await never.Task;
            }

            return null;
        };
        if (kind == "folder")
        {
            Directory.Delete(machines.Address, recursive: true);
        }

        PowerShellResult cut = (await machines.A.RunAsync("Revoke-CmekAccess shop -KeyOnly -Force")).Expect();
        never.TrySetResult();
        machines.Server.Before = null;
        Assert.All(cut.Values<CmekStep>().Where(s => s.Step == "Proof"), s => Assert.Equal(CmekCutState.Cut, s.CutState));
        Assert.Contains(cut.Warnings, w => w.Contains("on this machine only", StringComparison.Ordinal));

        // It is given by the next command that can.
        if (kind == "folder")
        {
            Directory.CreateDirectory(machines.Address);
        }

        Assert.Empty((await machines.B.RunAsync("Get-CmekReceipt")).Values<CmekReceipt>());
        (await machines.A.RunAsync("Get-CmekReceipt")).Expect();
        await Machines.UntilAsync(async () => (await machines.B.RunAsync("Get-CmekReceipt")).Values<CmekReceipt>().Count > 0);
    }

    [Fact]
    public async Task WhoChangesAClusterIsToldToTheOthersAndABreakGlassTakesItOver()
    {
        await using Machines machines = await Machines.StartAsync("folder", "AWS");
        (await machines.A.RunAsync("Revoke-CmekAccess shop -KeyOnly -Force")).Expect();
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);
        machines.Server.Before = async request =>
        {
            if (request.Operation == "PutKeyPolicy" && begun.TrySetResult())
            {
                await goOn.Task;
            }

            return null;
        };
        Task<PowerShellResult> restoring = machines.A.RunAsync("Restore-CmekAccess shop");
        await begun.Task;

        // Another operator hears who it is, how long, and how to go on; nothing of his is made.
        machines.Server.ClearExchanges();
        PowerShellResult refused = await machines.B.RunAsync("Get-CmekCluster shop | New-CmekKey -Region eu-west-1 -NewRegion");
        System.Management.Automation.ErrorRecord error = Assert.Single(
            refused.Errors,
            e => e.FullyQualifiedErrorId.StartsWith("ClusterLeased,", StringComparison.Ordinal));
        Assert.Contains(Environment.MachineName, error.ToString(), StringComparison.Ordinal);
        Assert.Contains("with Restore-CmekAccess for ", error.ToString(), StringComparison.Ordinal);
        Assert.Contains("/leases/", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.Empty(machines.B.Writes);

        // A break-glass says a word and goes on.
        PowerShellResult cut = (await machines.B.RunAsync("Revoke-CmekAccess shop -KeyOnly -Force")).Expect();
        Assert.Contains(
            cut.Warnings,
            w => w.Contains("has taken it over", StringComparison.Ordinal) && w.Contains("Restore-CmekAccess", StringComparison.Ordinal));
        int writes = machines.B.Writes.Count;
        goOn.TrySetResult();
        PowerShellResult stopped = await restoring;
        Assert.Contains(stopped.Errors, e => e.FullyQualifiedErrorId.StartsWith("LeaseLost,", StringComparison.Ordinal));

        // Only the request that was under way has come through.
        Assert.Equal(writes + 1, machines.B.Writes.Count);

        // The next command of the one who lost it begins anew, and nothing is left in its way.
        machines.Server.Before = null;
        (await machines.A.RunAsync("Restore-CmekAccess shop")).Expect();
        string last = machines.Documents("leases").OrderBy(d => d.Key.Length).ThenBy(d => d.Key, StringComparer.Ordinal).Last().Value;
        Assert.Contains("\"released\":true", last, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("folder")]
    [InlineData("s3")]
    public async Task WhoeverMayWriteInTheSharedStateGivesNobodyAnything(string kind)
    {
        await using Machines machines = await Machines.StartAsync(kind, "GCP");
        string before = await World.ReadAsync(machines.Server);
        (await machines.A.RunAsync("Revoke-CmekAccess shop -KeyOnly -Force")).Expect();
        string receipt = machines.Documents("receipts").Keys.Order(StringComparer.Ordinal).Last();
        string inventory = machines.Documents("inventory").Keys.Order(StringComparer.Ordinal).Last();
        string sealedInventory = machines.Documents("inventory")[inventory];
        string name = receipt.Split('.')[0];
        string open = machines.Documents("receipts")[receipt];
        string cluster = (string)JsonNode.Parse(open)!["cluster"]!["id"]!;

        // The real receipt with an access more, one of the attacker's own that is newer, the seal of another document, and an inventory
        // that vouches for both.
        machines.Edit("receipts", receipt, json => AddForged(json, "accesses"));
        JsonObject own = JsonNode.Parse(open)!.AsObject();
        own["id"] = "deadbeef";
        own["created_at"] = "2031-01-01T00:00:00Z";
        own["revision"] = long.MaxValue;
        AddForged(own, "accesses");
        machines.Put("receipts", "shop-20310101T000000Z-deadbeef.json", own.ToJsonString());
        own.Remove("seal");
        machines.Put("receipts", "shop-20310101T000001Z-deadbeef.json", own.ToJsonString());
        JsonObject seen = JsonNode.Parse(sealedInventory)!.AsObject();
        seen["seen_at"] = "2031-01-01T00:00:00Z";
        AddForged(seen, "keys");
        machines.Put("inventory", inventory, seen.ToJsonString());
        seen.Remove("seal");
        machines.Put("inventory", cluster + ".v99.json", seen.ToJsonString());

        // A closing of the real one, a lease from the future, what is too long, and names that lead elsewhere.
        machines.Put("closings", (string)JsonNode.Parse(open)!["id"]! + ".json", new JsonObject
        {
            ["format"] =
                "cmektools/closing",
                ["version"] = 1,
                ["receipt"] = (string)JsonNode.Parse(open)!["id"]!,
                ["revision"] = long.MaxValue,
                ["at"] = "2026-01-01T00:00:00Z",
                ["superseded"] = true,
        }.ToJsonString());
        machines.Put(
            "leases",
            cluster + ".v99.json",
            """{"format":"cmektools/lease","version":1,"cluster":"""
                + """{"id":"x","name":"x"},"token":"x","holder":"x","machine":"x","command":"x","since":"2031-01-01T00:00:"""
                + """00Z","renewed_at":"2031-01-01T00:00:00Z"}""");
        machines.Put("receipts", "huge.json", new string('x', 5_000_000));
        if (kind == "s3")
        {
            machines.Put("receipts", "../../../../evil.json", own.ToJsonString());
            machines.Put("receipts", "..\\evil.json", own.ToJsonString());
        }

        await using SandboxShell fresh = await machines.AnotherAsync();
        machines.Server.ClearExchanges();
        (await fresh.RunAsync("Get-CmekReceipt")).Expect();
        foreach (SandboxShell machine in (SandboxShell[])[machines.B, fresh, machines.A])
        {
            await machine.RunAsync("Restore-CmekAccess shop -AcceptChanges");
            Assert.Empty(GivenTo(machines.Server, "ci-runner"));
            Assert.DoesNotContain(
                Directory.GetFiles(machine.StateFolder, "*", SearchOption.AllDirectories),
                f => Path.GetFileName(f).Contains("evil", StringComparison.Ordinal));
        }

        // Named on purpose, the forged receipt is refused or gives only what the service lists.
        foreach (string path in Directory.GetFiles(fresh.StateFolder, "*deadbeef*", SearchOption.AllDirectories))
        {
            await fresh.RunAsync(
                "param($Path) Restore-CmekAccess shop -ReceiptPath $Path -AcceptChanges -Confirm:$false",
                new { Path = path });
            Assert.Empty(GivenTo(machines.Server, "ci-runner"));
        }

        // The owner of the receipt has it whole, gives it back to the place, and its access is as it was.
        Assert.Equal(before, await World.ReadAsync(machines.Server));
        Assert.Contains(
            machines.Documents("receipts"),
            d => d.Key.StartsWith(name, StringComparison.Ordinal) && !d.Value.Contains("ci-runner", StringComparison.Ordinal));

        // A copy from before it was closed does not open it again.
        machines.Put("receipts", name + (kind == "folder" ? ".v98.json" : ".json"), open);
        Assert.DoesNotContain(
            (await fresh.RunAsync("Get-CmekReceipt -Open")).Expect().Values<CmekReceipt>(),
            r => r.Seal == CmekSealState.Verified);
    }

    [Fact]
    public async Task WhoeverMayWriteInTheSharedStateHoldsNoBreakGlassUpAndMakesItCutNothingLess()
    {
        await using Machines machines = await Machines.StartAsync("folder", "AWS");
        (await machines.A.RunAsync("Get-CmekStatus shop")).Expect();
        string inventory = machines.Documents("inventory").Keys.Order(StringComparer.Ordinal).Last();
        JsonObject seen = JsonNode.Parse(machines.Documents("inventory")[inventory])!.AsObject();
        int keys = seen["keys"]!.AsArray().Count;

        // Another machine has read it once; then the service is gone, and somebody writes that the cluster has no keys, and that
        // another cluster has its name.
        await using SandboxShell fresh = await machines.AnotherAsync();
        (await fresh.RunAsync("Get-CmekReceipt")).Expect();
        seen["keys"] = new JsonArray();
        seen["seen_at"] = "2031-01-01T00:00:00Z";
        machines.Put("inventory", seen["cluster"]!["id"]! + ".v50.json", seen.ToJsonString());
        seen.Remove("seal");
        seen["cluster"]!["id"] = "11111111-7c0d-4e6e-9a54-1f2d9b6c8e10";
        machines.Put("inventory", "11111111-7c0d-4e6e-9a54-1f2d9b6c8e10.json", seen.ToJsonString());
        for (int i = 0; i < 300; i++)
        {
            machines.Put("receipts", $"flood-{i}.json", new string(' ', 100_000));
        }

        (await fresh.RunAsync("Get-CmekReceipt")).Expect();
        machines.Server.Before = request => Task.FromResult<SandboxResponse?>(
            request.Service == "cloud" ? new SandboxResponse { Status = 503, Body = "{}" } : null);
        PowerShellResult cut = await fresh.RunAsync("Revoke-CmekAccess shop -KeyOnly -Force");
        Assert.Equal(keys, cut.Values<CmekStep>().Count(s => s is { Step: "Proof", CutState: CmekCutState.Cut }));
        Assert.All(cut.Values<CmekStep>(), s => Assert.Equal("shop", s.ClusterName));
    }

    // The writes that name somebody.
    private static string[] GivenTo(SandboxServer server, string name) =>
        [
            .. server.Exchanges.Where(
                e => e.Request.IsWrite && e.Request.Service is not ("s3" or "gcs")
                    && (e.Request.Text + e.Request.RawPath).Contains(name, StringComparison.Ordinal)).Select(e => e.Request.ToString()),
        ];

    // One more of what is there, for somebody else.
    private static void AddForged(JsonObject document, string list)
    {
        const string Evil = "ci-runner@customer-project.iam.gserviceaccount.com";
        JsonArray all = document[list]!.AsArray();
        JsonObject forged = all[0]!.DeepClone().AsObject();
        forged["auth_principal"] = Evil;
        forged["place"] = "InUse";
        if (forged["snapshot"] is not null)
        {
            JsonObject binding = new() { ["role"] = "roles/cloudkms.admin", ["members"] = new JsonArray("serviceAccount:" + Evil) };
            forged["snapshot"] = new JsonObject
            {
                ["kind"] = "gcp/1",
                ["data"] = new JsonObject { ["key_policy"] = new JsonObject { ["bindings"] = new JsonArray(binding) } },
            };
        }

        all.Add(forged);
    }
}

/// <summary>A cluster "shop" that is ENABLED, and two machines (state folders and sessions) with one shared state.</summary>
internal sealed class Machines : IAsyncDisposable
{
    private readonly TempFolder? _folder;

    private Machines(SandboxShell a, SandboxShell b, string address, TempFolder? folder)
    {
        A = a;
        B = b;
        Address = address;
        _folder = folder;
    }

    public SandboxShell A { get; }

    public SandboxShell B { get; }

    public string Address { get; }

    public SandboxServer Server => A.Server;

    public static async Task<Machines> StartAsync(string kind, string provider)
    {
        TempFolder? folder = kind == "folder" ? new TempFolder() : null;
        string address = folder?.Path ?? $"{kind}://cmek-state/team";
        SandboxOptions options = SandboxShell.Fast with { StateTime = TimeSpan.FromMilliseconds(30), Clusters =
        [
            new SandboxClusterOptions("shop", provider, Life.RegionsOf(provider)),
        ] };
        SandboxShell a = await SandboxShell.StartAsync(options);
        await a.EnableAllAsync();
        await ConnectAsync(a, address);
        SandboxShell b = await SandboxShell.StartAsync(server: a.Server);
        await ConnectAsync(b, address);
        return new Machines(a, b, address, folder);
    }

    /// <summary>A third machine.</summary>
    public async Task<SandboxShell> AnotherAsync()
    {
        SandboxShell another = await SandboxShell.StartAsync(server: Server);
        await ConnectAsync(another, Address);
        return another;
    }

    /// <summary>The documents of a shelf by name, as somebody with write access sees them.</summary>
    public IReadOnlyDictionary<string, string> Documents(string shelf)
    {
        string prefix = $"team/{shelf}/";
        return _folder is not null
            ? Directory.GetFiles(Path.Combine(Address, shelf)).ToDictionary(f => Path.GetFileName(f), File.ReadAllText)
            : Address.StartsWith("s3", StringComparison.Ordinal)
                ? Server.Get<AwsService>().Buckets.Buckets["cmek-state"].Where(
                    i => i.Key.StartsWith(prefix, StringComparison.Ordinal)).ToDictionary(i => i.Key[prefix.Length..], i => i.Value.Text)
                : Server.Get<GcpService>().Storage.Buckets["cmek-state"].Where(
                    i => i.Key.StartsWith(prefix, StringComparison.Ordinal)).ToDictionary(i => i.Key[prefix.Length..], i => i.Value.Text);
    }

    /// <summary>Writes a document behind everybody's back, whatever is there.</summary>
    public void Put(string shelf, string name, string text)
    {
        if (_folder is not null)
        {
            Directory.CreateDirectory(Path.Combine(Address, shelf));
            File.WriteAllText(Path.Combine(Address, shelf, name), text);
            return;
        }

        Server.Exclusively<object>(() => Address.StartsWith("s3", StringComparison.Ordinal)
            ? Server.Get<AwsService>().Buckets.Put("cmek-state", $"team/{shelf}/{name}", text, DateTimeOffset.UtcNow)
            : Server.Get<GcpService>().Storage.Put("cmek-state", $"team/{shelf}/{name}", text));
    }

    /// <summary>Edits a document, and gives what it was.</summary>
    public string Edit(string shelf, string name, Action<JsonObject> edit)
    {
        string before = Documents(shelf)[name];
        JsonObject json = JsonNode.Parse(before)!.AsObject();
        edit(json);
        Put(shelf, name, json.ToJsonString());
        return before;
    }

    /// <summary>Asks again until it is so.</summary>
    public static async Task UntilAsync(Func<Task<bool>> ask)
    {
        for (int attempt = 0; !await ask(); attempt++)
        {
            Assert.True(attempt < 100, "it did not come");
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await B.DisposeAsync();
        await A.DisposeAsync();
        _folder?.Dispose();
    }

    private static async Task ConnectAsync(SandboxShell shell, string address)
    {
        (await shell.RunAsync("param($Sandbox, $State, $Shared) $null = Connect-CmekCloud -Sandbox $Sandbox -StateFolder "
            + "$State -SharedState $Shared", new
        {
            Sandbox = new CmekSandbox { BaseAddress = shell.Server.BaseAddress, Environment = shell.Server.Environment },
            State = shell.StateFolder,
            Shared = address,
        })).Expect();
        shell.Server.ClearExchanges();
    }
}
