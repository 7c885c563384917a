using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Amazon.KeyManagementService;
using Amazon.KeyManagementService.Model;
using Amazon.Runtime;
using Amazon.SecurityToken;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Aws;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>
/// The sandbox's AWS on the wire: with AWS's SDK, and with a signer of the tests' own for IAM and for what no SDK would send.
/// </summary>
internal sealed class AwsWire : IAsyncDisposable
{
    public const string Account = "111122223333";
    public const string OtherAccount = "444455556666";
    public const string OrganizationId = "3b1f0a52-7c0d-4e6e-9a54-1f2d9b6c8e10";

    private readonly List<IDisposable> _clients = [];
    private readonly HttpClient _http = new();
    private readonly bool _owns;
    private TimeSpan _ahead;

    private AwsWire(SandboxServer server, bool owns)
    {
        Server = server;
        _owns = owns;
        Aws = Server.Get<AwsService>();
        Aws.Clock = () => DateTimeOffset.UtcNow + _ahead;
        Kms = KmsAs(Aws.Admin);
    }

    public SandboxServer Server { get; }

    public AwsService Aws { get; }

    /// <summary>KMS in us-east-1, as the administrator.</summary>
    public AmazonKeyManagementServiceClient Kms { get; }

    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static AwsWire Start(SandboxOptions? options = null) => new(SandboxServer.Start(options), owns: true);

    /// <summary>Somebody else's hands on a sandbox that another one stops.</summary>
    public static AwsWire At(SandboxServer server) => new(server, owns: false);

    /// <summary>Has time pass for IAM, rotations, deletions and sessions.</summary>
    public void Pass(TimeSpan time) => _ahead += time;

    public AmazonKeyManagementServiceClient KmsAs(AwsKeyPair who, string region = "us-east-1") =>
        KmsAs(new BasicAWSCredentials(who.AccessKeyId, who.SecretAccessKey), region);

    public AmazonKeyManagementServiceClient KmsAs(AWSCredentials who, string region = "us-east-1") =>
        Keep(
            new AmazonKeyManagementServiceClient(
                who,
                new AmazonKeyManagementServiceConfig
                {
                    ServiceURL = Server.BaseAddress.ToString(),
                    AuthenticationRegion = region,
                    MaxErrorRetry = 0,
                }));

    public AmazonSecurityTokenServiceClient StsAs(AwsKeyPair who) => StsAs(new BasicAWSCredentials(who.AccessKeyId, who.SecretAccessKey));

    public AmazonSecurityTokenServiceClient StsAs(AWSCredentials who) =>
        Keep(
            new AmazonSecurityTokenServiceClient(
                who,
                new AmazonSecurityTokenServiceConfig
                {
                    ServiceURL = Server.BaseAddress.ToString(),
                    AuthenticationRegion = "us-east-1",
                    MaxErrorRetry = 0,
                }));

    /// <summary>A session of a role.</summary>
    public async Task<SessionAWSCredentials> AssumeAsync(
        string roleArn,
        AwsKeyPair? who = null,
        string? externalId = null,
        string? policy = null)
    {
        Amazon.SecurityToken.Model.AssumeRoleResponse answer = await StsAs(who ?? Aws.Admin).AssumeRoleAsync(
            new() { RoleArn = roleArn, RoleSessionName = "test", ExternalId = externalId, Policy = policy }, Cancel);
        return new SessionAWSCredentials(
            answer.Credentials.AccessKeyId,
            answer.Credentials.SecretAccessKey,
            answer.Credentials.SessionToken);
    }

    /// <summary>A call to IAM that has to work; the answer without its namespace.</summary>
    public async Task<XElement> IamAsync(string action, params (string Name, string Value)[] parameters)
    {
        (int status, XElement body) = await IamAsAsync(Aws.Admin, action, parameters);
        Assert.True(status == 200, body.ToString());
        return body;
    }

    /// <summary>A call to IAM that has to fail.</summary>
    public async Task<(int Status, string Code, string Message)> IamFailsAsync(
        string action,
        params (string Name, string Value)[] parameters)
    {
        (int status, XElement body) = await IamAsAsync(Aws.Admin, action, parameters);
        return (status, body.Descendants("Code").Single().Value, body.Descendants("Message").Single().Value);
    }

    public async Task<(int Status, XElement Body)> IamAsAsync(
        AwsKeyPair who,
        string action,
        params (string Name, string Value)[] parameters)
    {
        AwsSigned request = AwsSigned.Query(this, who, "iam", "2010-05-08", action, parameters);
        (int status, string text) = await SendAsync(request);
        XElement body = XElement.Parse(text);
        foreach (XElement element in body.DescendantsAndSelf())
        {
            element.Name = element.Name.LocalName;
            element.Attributes().Where(a => a.IsNamespaceDeclaration).Remove();
        }

        return (status, body);
    }

    public async Task<(int Status, string Body)> SendAsync(AwsSigned request)
    {
        using HttpRequestMessage message = request.ToMessage();
        using HttpResponseMessage answer = await _http.SendAsync(message, Cancel);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(Cancel));
    }

    /// <summary>Makes a role that the account trusts as a whole; its ARN.</summary>
    public async Task<string> RoleAsync(string name, string? trust = null, string? allows = null)
    {
        XElement role = await IamAsync(
            "CreateRole",
            ("RoleName", name),
            ("AssumeRolePolicyDocument", trust ?? Trust($"arn:aws:iam::{Account}:root")));
        if (allows is not null)
        {
            await IamAsync(
                "PutRolePolicy",
                ("RoleName", name),
                ("PolicyName", "own"),
                ("PolicyDocument", Policy(Statement("Allow", null, allows))));
        }

        return role.Descendants("Arn").Single().Value;
    }

    public async Task<KeyMetadata> KeyAsync(string? policy = null) =>
        (await Kms.CreateKeyAsync(new CreateKeyRequest { Policy = policy }, Cancel)).KeyMetadata;

    public static string Policy(params JsonObject[] statements) =>
        new JsonObject { ["Version"] = "2012-10-17", ["Statement"] = new JsonArray(statements) }.ToJsonString();

    public static JsonObject Statement(string effect, string? principal, string action, JsonObject? condition = null)
    {
        JsonObject statement = new() { ["Effect"] = effect, ["Action"] = new JsonArray(
            [.. action.Split(' ').Select(a => (JsonNode)a)]), ["Resource"] = "*" };
        if (principal is not null)
        {
            statement["Principal"] = new JsonObject { ["AWS"] = principal };
        }

        if (condition is not null)
        {
            statement["Condition"] = condition;
        }

        return statement;
    }

    /// <summary>The statement that gives a key to its account.</summary>
    public static JsonObject RootStatement() => Statement("Allow", $"arn:aws:iam::{Account}:root", "kms:*");

    public static JsonObject When(string @operator, string key, string value) => new() { [@operator] = new JsonObject { [key] = value } };

    public static string Trust(string principal, string? externalId = null)
    {
        JsonObject statement = Statement(
            "Allow",
            principal,
            "sts:AssumeRole",
            externalId is null ? null : When("StringEquals", "sts:ExternalId", externalId));
        statement.Remove("Resource");
        return Policy(statement);
    }

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(c => c.Dispose());
        _http.Dispose();
        if (_owns)
        {
            await Server.DisposeAsync();
        }
    }

    private T Keep<T>(T client)
        where T : IDisposable
    {
        _clients.Add(client);
        return client;
    }
}

/// <summary>A request signed by hand, so that a test can sign it wrongly.</summary>
internal sealed class AwsSigned
{
    private AwsSigned(Uri address, string service, string body, AwsKeyPair who)
    {
        Address = address;
        Service = service;
        Body = body;
        Who = who;
    }

    public Uri Address { get; }

    public string Service { get; set; }

    public string Body { get; set; }

    public AwsKeyPair Who { get; }

    public string ContentType { get; init; } = "application/x-www-form-urlencoded; charset=utf-8";

    public Dictionary<string, string> Headers { get; } = [];

    public DateTimeOffset Date { get; set; } = DateTimeOffset.UtcNow;

    /// <summary>Put in place of the body once the signature is made.</summary>
    public string? SentBody { get; set; }

    public bool Unsigned { get; set; }

    public static AwsSigned Query(
        AwsWire wire,
        AwsKeyPair who,
        string service,
        string version,
        string action,
        params (string Name, string Value)[] parameters) => new(
        wire.Server.BaseAddress,
        service,
        string.Join(
            '&',
            parameters.Prepend(("Version", version)).Prepend(("Action", action)).Select(p => $"{p.Item1}={Uri.EscapeDataString(p.Item2)}")),
        who);

    public static AwsSigned Kms(AwsWire wire, AwsKeyPair who, string operation, string body, string query = "") =>
        new(
            new Uri(wire.Server.BaseAddress, query),
            "kms",
            body,
            who) { ContentType = "application/x-amz-json-1.1", Headers = { ["x-amz-target"] = "TrentService." + operation } };

    public HttpRequestMessage ToMessage()
    {
        string date = Date.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        string scope = $"{date[..8]}/us-east-1/{Service}/aws4_request";
        Headers["x-amz-date"] = date;
        SortedDictionary<string, string> signed = new(Headers, StringComparer.Ordinal) { ["host"] = Address.Authority };
        string names = string.Join(';', signed.Keys);
        string payload = Headers.GetValueOrDefault("x-amz-content-sha256") ?? Hash(Body);
        string canonical = $"POST\n/\n{Address.Query.TrimStart('?')}\n"
            + $"{string.Concat(signed.Select(h => $"{h.Key}:{h.Value}\n"))}\n{names}\n{payload}";
        byte[] key = Encoding.UTF8.GetBytes("AWS4" + Who.SecretAccessKey);
        foreach (string part in scope.Split('/'))
        {
            key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part));
        }

        string signature = Convert.ToHexStringLower(
            HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"AWS4-HMAC-SHA256\n{date}\n{scope}\n{Hash(canonical)}")));
        HttpRequestMessage message = new(HttpMethod.Post, Address) { Content = new StringContent(SentBody ?? Body) };
        message.Content.Headers.Remove("Content-Type");
        message.Content.Headers.TryAddWithoutValidation("Content-Type", ContentType);
        foreach ((string name, string value) in Headers)
        {
            message.Headers.TryAddWithoutValidation(name, value);
        }

        if (!Unsigned)
        {
            message.Headers.TryAddWithoutValidation(
                "Authorization",
                $"AWS4-HMAC-SHA256 Credential={Who.AccessKeyId}/{scope}, SignedHeaders={names}, Signature={signature}");
        }

        return message;
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
