using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Gcp;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>A sandbox and somebody who speaks Google's JSON to it.</summary>
internal sealed class GcpWire : IAsyncDisposable
{
    public const string Project = "customer-project";
    public const string Ring = $"projects/{Project}/locations/us-east1/keyRings/ring";
    public const string Key = Ring + "/cryptoKeys/key";
    public const string Account = $"projects/{Project}/serviceAccounts/{Email}";
    public const string Email = $"cmek-user@{Project}.iam.gserviceaccount.com";
    public const string Member = "serviceAccount:" + Email;

    private readonly HttpClient _client = new();
    private readonly bool _owns;

    private GcpWire(SandboxServer server, bool owns)
    {
        Server = server;
        _owns = owns;
    }

    public SandboxServer Server { get; }

    public GcpService Google => Server.Get<GcpService>();

    public string AdminToken => Server.Environment["GOOGLE_SANDBOX_ACCESS_TOKEN"];

    public static GcpWire Start(SandboxOptions? options = null) => new(SandboxServer.Start(options), owns: true);

    /// <summary>Somebody else's hands on a sandbox that another one stops.</summary>
    public static GcpWire At(SandboxServer server) => new(server, owns: false);

    /// <summary>With a ring and a key.</summary>
    public static async Task<GcpWire> WithKeyAsync(SandboxOptions? options = null)
    {
        GcpWire wire = Start(options);
        await wire.OkAsync("POST", $"projects/{Project}/locations/us-east1/keyRings?keyRingId=ring", []);
        await wire.OkAsync("POST", $"{Ring}/cryptoKeys?cryptoKeyId=key", new JsonObject { ["purpose"] = "ENCRYPT_DECRYPT" });
        return wire;
    }

    /// <summary>With a ring, a key and a service account.</summary>
    public static async Task<GcpWire> WithAccountAsync(SandboxOptions? options = null)
    {
        GcpWire wire = await WithKeyAsync(options);
        await wire.CreateAccountAsync();
        return wire;
    }

    public Task<JsonObject> CreateAccountAsync() =>
        OkAsync("POST", $"projects/{Project}/serviceAccounts", new JsonObject { ["accountId"] = "cmek-user" });

    public async Task<(int Status, JsonObject Body)> SendAsync(string method, string path, JsonObject? body = null, string? token = null)
    {
        using HttpRequestMessage request = new(new HttpMethod(method), new Uri(Server.BaseAddress, "v1/" + path));
        string bearer = token ?? AdminToken;
        if (bearer.Length > 0)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", bearer);
        }

        if (body is not null)
        {
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        }

        using HttpResponseMessage answer = await _client.SendAsync(request, TestContext.Current.CancellationToken);
        string text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return ((int)answer.StatusCode, JsonNode.Parse(text)!.AsObject());
    }

    public async Task<JsonObject> OkAsync(string method, string path, JsonObject? body = null, string? token = null)
    {
        (int status, JsonObject answer) = await SendAsync(method, path, body, token);
        Assert.True(status == 200, answer.ToJsonString());
        return answer;
    }

    /// <summary>Sends what has to fail and gives the message.</summary>
    public async Task<string> FailAsync(int code, string name, string method, string path, JsonObject? body = null, string? token = null)
    {
        (int status, JsonObject answer) = await SendAsync(method, path, body, token);
        Assert.True(status == code, $"{status} {answer.ToJsonString()}");
        JsonNode error = answer["error"]!;
        Assert.Equal(code, (int)error["code"]!);
        Assert.Equal(name, (string?)error["status"]);
        Assert.Equal("type.googleapis.com/google.rpc.ErrorInfo", (string?)error["details"]![0]!["@type"]);
        return (string)error["message"]!;
    }

    /// <summary>Writes a policy of one binding over whatever is there.</summary>
    public Task<JsonObject> BindAsync(string resource, string role, string member, string? condition = null) =>
        OkAsync("POST", resource + ":setIamPolicy", new JsonObject { ["policy"] = Policy(role, member, condition) });

    public static JsonObject Policy(string role, string member, string? condition = null)
    {
        JsonObject binding = new() { ["role"] = role, ["members"] = new JsonArray(member) };
        if (condition is not null)
        {
            binding["condition"] = new JsonObject { ["title"] = "limit", ["expression"] = condition };
        }

        return new JsonObject { ["version"] = condition is null ? 1 : 3, ["bindings"] = new JsonArray(binding) };
    }

    public static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        if (_owns)
        {
            await Server.DisposeAsync();
        }
    }
}
