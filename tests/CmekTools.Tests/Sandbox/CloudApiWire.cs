using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Sandbox.CloudApi;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>An answer of the Cloud API.</summary>
internal sealed record WireAnswer(int Status, JsonObject Body, HttpResponseHeaders Headers)
{
    public string Message => (string?)Body["message"] ?? string.Empty;

    public string? CmekStatus => (string?)Body["status"];

    public JsonObject Key(string region, int index = 0) =>
        Body["region_infos"]!.AsArray().First(r => (string?)r!["region"] == region)!["key_infos"]![index]!.AsObject();

    public string[] KeyStates(string region) =>
        [
            .. Body["region_infos"]!.AsArray().First(
                r => (string?)r!["region"] == region)!["key_infos"]!.AsArray().Select(k => (string)k!["status"]!),
        ];

    public WireAnswer Ok()
    {
        Assert.True(Status == 200, $"{Status}: {Body.ToJsonString()}");
        return this;
    }

    public WireAnswer Refused(int status, int code, string part)
    {
        Assert.True(Status == status, $"{Status}: {Body.ToJsonString()}");
        Assert.Equal(code, (int?)Body["code"]);
        Assert.Contains(part, Message, StringComparison.Ordinal);
        Assert.IsType<JsonArray>(Body["details"]);
        return this;
    }
}

/// <summary>Keys whose use the test decides.</summary>
internal sealed class FakeKeys : IClusterKeyService
{
    public string KeyType => "AWS_KMS";

    /// <summary>What stops the use; null where nothing does.</summary>
    public Func<ClusterIdentity, string, string, string?> Decide { get; set; } = (_, _, _) => null;

    public void Cut(string reason = "AccessDeniedException") => Decide = (_, _, _) => reason;

    public void Allow() => Decide = (_, _, _) => null;

    public string? TryUse(ClusterIdentity cluster, string keyUri, string authPrincipal) => Decide(cluster, keyUri, authPrincipal);
}

/// <summary>A clock that goes on only when told to.</summary>
internal sealed class ManualClock : TimeProvider
{
    private DateTimeOffset _now = DateTimeOffset.UtcNow.AddMinutes(1);

    public override DateTimeOffset GetUtcNow() => _now;

    public void Advance(TimeSpan time) => _now += time;
}

/// <summary>
/// The Cloud API on the wire, with keys and a clock in the test's hand. The sandbox asks the service under test before its own, which
/// is the same class over the sandbox's AWS and Google: these have tests of their own.
/// </summary>
internal sealed class CloudApiWire : IAsyncDisposable
{
    public const string Role = "arn:aws:iam::111122223333:role/cmek";

    private readonly HttpClient _client = new();

    public CloudApiWire(SandboxOptions? options = null)
    {
        Server = SandboxServer.Start(options ?? new SandboxOptions
        {
            RateLimit = 0,
            Clusters =
            [
                new("shop", "AWS", ["us-west-2", "us-east-1"]),
                new("azure", "AZURE", ["eastus"]),
                new("ledger", "GCP", ["us-central1"]),
            ],
        });
        Cloud = new CloudApiService(Server, [Keys]) { Clock = Clock };
        Server.Before = request => Task.FromResult(Cloud.Claims(request) ? Server.Exclusively(() => Cloud.Answer(request)) : null);
    }

    public SandboxServer Server { get; }

    public FakeKeys Keys { get; } = new();

    public ManualClock Clock { get; } = new();

    public CloudApiService Cloud { get; }

    public string Shop => Cloud.IdOf("shop");

    public static string KeyUri(string region, int number = 1) =>
        $"arn:aws:kms:{region}:111122223333:key/{number:D8}-0000-4000-8000-000000000000";

    public static JsonObject Spec(string region, string? uri = null, string type = "AWS_KMS", string principal = Role) => new()
    {
        ["region"] = region,
        ["key_spec"] = type == "NULL_KMS"
            ? new JsonObject { ["type"] = type }
            : new JsonObject { ["type"] = type, ["uri"] = uri ?? KeyUri(region), ["auth_principal"] = principal },
    };

    public static JsonObject Specs(params JsonObject[] specs) => new() { ["region_specs"] = new JsonArray([.. specs]) };

    public static JsonObject BothRegions(int number = 1) =>
        Specs(Spec("us-east-1", KeyUri("us-east-1", number)), Spec("us-west-2", KeyUri("us-west-2", number)));

    public Task<WireAnswer> GetAsync(string path) => SendAsync("GET", path);

    public Task<WireAnswer> CmekAsync(string method = "GET", JsonNode? body = null, string? id = null) =>
        SendAsync(method, $"clusters/{id ?? Shop}/cmek", body?.ToJsonString());

    public async Task<WireAnswer> EnabledAsync()
    {
        (await CmekAsync("POST", BothRegions())).Ok();
        return await LaterAsync("ENABLED");
    }

    public async Task<WireAnswer> RevokedAsync()
    {
        (await CmekAsync("PATCH", new JsonObject { ["action"] = "REVOKE" })).Ok();
        return await LaterAsync("REVOKED");
    }

    /// <summary>The state after the time that a transition takes.</summary>
    public async Task<WireAnswer> LaterAsync(string state)
    {
        Clock.Advance(Server.Options.StateTime);
        WireAnswer answer = (await CmekAsync()).Ok();
        Assert.Equal(state, answer.CmekStatus);
        return answer;
    }

    public async Task<WireAnswer> SendAsync(
        string method,
        string path,
        string? body = null,
        string? key = null,
        string? version = "2024-09-16")
    {
        using HttpRequestMessage request = new(new HttpMethod(method), new Uri(Server.BaseAddress, "api/v1/" + path));
        if (key is not "")
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key ?? Server.Options.ApiKey);
        }

        if (version is not null)
        {
            request.Headers.Add("Cc-Version", version);
        }

        request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await _client.SendAsync(request, TestContext.Current.CancellationToken);
        string text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Equal(answer.Headers.GetValues("Cc-Trace-Id"), answer.Headers.GetValues("X-Request-Id"));
        return new WireAnswer((int)answer.StatusCode, JsonNode.Parse(text)!.AsObject(), answer.Headers);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await Server.DisposeAsync();
    }
}
