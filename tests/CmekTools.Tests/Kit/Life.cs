using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.Kit;

/// <summary>A cluster "shop" on one of the clouds, ENABLED in two regions, and somebody else's hands on its keys.</summary>
internal sealed class Life : IAsyncDisposable
{
    private Life(string provider, SandboxShell shell)
    {
        IsAws = provider == "AWS";
        Shell = shell;
        Aws = AwsWire.At(shell.Server);
        Google = GcpWire.At(shell.Server);
    }

    public bool IsAws { get; }

    public SandboxShell Shell { get; }

    public SandboxServer Server => Shell.Server;

    /// <summary>AWS as the account's administrator.</summary>
    public AwsWire Aws { get; }

    /// <summary>Google Cloud as the project's owner.</summary>
    public GcpWire Google { get; }

    /// <summary>The two regions.</summary>
    public string[] Regions => RegionsOf(IsAws ? "AWS" : "GCP");

    /// <summary>A region that the cluster does not have.</summary>
    public string NewRegion => IsAws ? "eu-west-1" : "europe-west1";

    /// <summary>The requests that would have changed something, as SERVICE:OPERATION in the order in which they came.</summary>
    public string[] Writes => [.. Shell.Writes.OrderBy(e => e.Request.Number).Select(e => $"{e.Request.Service}:{e.Request.Operation}")];

    public static string[] RegionsOf(string provider) => provider == "AWS" ? ["us-east-1", "us-west-2"] : ["us-central1", "us-east1"];

    /// <summary>Starts, and enables where not told otherwise.</summary>
    public static async Task<Life> StartAsync(string provider, bool enable = true, Func<SandboxOptions, SandboxOptions>? change = null)
    {
        SandboxOptions options = SandboxShell.Fast with { StateTime = TimeSpan.FromMilliseconds(30), Clusters =
        [
            new SandboxClusterOptions("shop", provider, RegionsOf(provider)),
        ] };
        Life life = new(provider, await SandboxShell.StartAsync(change?.Invoke(options) ?? options));
        if (enable)
        {
            await life.Shell.EnableAllAsync();
        }

        return life;
    }

    /// <summary>Runs a script that may fail.</summary>
    public Task<PowerShellResult> TryAsync(string script, object? parameters = null)
    {
        Server.ClearExchanges();
        Shell.Shell.Host.TakeText();
        return Shell.RunAsync(script, parameters);
    }

    /// <summary>Runs a script that must not fail.</summary>
    public async Task<PowerShellResult> RunAsync(string script, object? parameters = null) => (await TryAsync(script, parameters)).Expect();

    /// <summary>What the service says; what was exchanged before stays to be looked at.</summary>
    public async Task<CmekStatus> StatusAsync() =>
        Assert.Single((await Shell.RunAsync("Get-CmekStatus shop")).Expect().Values<CmekStatus>());

    /// <summary>The key in use in a region.</summary>
    public async Task<string> KeyAsync(string region) => (await StatusAsync()).Regions.Single(r => r.Region == region).KeyUri!;

    /// <summary>The state of a key at its provider.</summary>
    public async Task<CmekKeyState> KeyStateAsync(string uri) =>
        Assert.Single((await Shell.RunAsync("param($Uri) Get-CmekKey $Uri", new { Uri = uri })).Expect().Values<CmekKey>()).State;

    /// <summary>The bodies that were sent with an operation, in order.</summary>
    public JsonObject[] Sent(string operation) =>
        [
            .. Server.Exchanges.Where(e => e.Request.Operation == operation).OrderBy(e => e.Request.Number).Select(
                e => JsonNode.Parse(e.Request.Text)!.AsObject()),
        ];

    /// <summary>The files in the state folder with their contents.</summary>
    public string[] Files() => Directory.Exists(Shell.StateFolder)
        ? [
            .. Directory.GetFiles(
                Shell.StateFolder,
                "*",
                SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(f => f + "\n" + File.ReadAllText(f)),
        ]
        : [];

    /// <summary>The receipts' files.</summary>
    public string[] Receipts()
    {
        string folder = Path.Combine(Shell.StateFolder, "receipts");
        return Directory.Exists(folder) ? Directory.GetFiles(folder) : [];
    }

    /// <summary>Adds a binding to a Google Cloud resource behind everybody's back.</summary>
    public void Bind(string resource, string role, string member) => Server.Exclusively(() =>
    {
        JsonObject policy = Google.Google.Policies.Get(resource).DeepClone().AsObject();
        JsonArray bindings = policy["bindings"] as JsonArray ?? (JsonArray)(policy["bindings"] = new JsonArray());
        bindings.Add(new JsonObject { ["role"] = role, ["members"] = new JsonArray(member) });
        return Google.Google.Policies.Put(resource, policy, DateTimeOffset.MinValue);
    });

    public async ValueTask DisposeAsync()
    {
        await Aws.DisposeAsync();
        await Google.DisposeAsync();
        await Shell.DisposeAsync();
    }
}
