using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Apis;
using Google.Apis.Discovery;
using Google.Apis.Http;
using Google.Apis.Json;
using Google.Apis.Requests;
using Google.Apis.Services;
using Google.Apis.Util;

namespace CmekTools.Engine.Gcp;

/// <summary>A thin REST service in the shape of Google's generated libraries.</summary>
internal sealed class GoogleService : BaseClientService
{
    private readonly string _name;
    private readonly Uri _address;

    public GoogleService(string name, Uri address, IConfigurableHttpClientInitializer credentials)
        : base(new Initializer
        {
            ApplicationName = "CmekTools",
            BaseUri = address.ToString(),
            HttpClientInitializer = credentials,
            // Compressed bodies help nobody at this size, and some proxies refuse them.
            GZipEnabled = false,
            // Tries are repeated in one place, with this session's pauses.
            DefaultExponentialBackOffPolicy = ExponentialBackOffPolicy.None,
            Serializer = new NodeSerializer(),
        })
    {
        _name = name;
        _address = address;
        // A token goes where it was meant to go, and nowhere else.
        HttpClient.MessageHandler.FollowRedirect = false;
        if (address.Scheme != Uri.UriSchemeHttps && !(address.Scheme == Uri.UriSchemeHttp && address.IsLoopback))
        {
            throw new CmekException(
                "GoogleEndpointInvalid",
                CmekErrorKind.InvalidArgument,
                $"{address} is not an address to send a Google token to: https, or http on this machine only.",
                "Mend the variable CLOUDSDK_API_ENDPOINT_OVERRIDES_… or the endpoint that the session was given.",
                address);
        }
    }

    public override string Name => _name;

    public override string BaseUri => _address.ToString();

    public override string BasePath => string.Empty;

    public override IList<string> Features => [];

    // Trees go over the wire as they are; only the runtime's own error type is read by Newtonsoft.
    private sealed class NodeSerializer : ISerializer
    {
        public string Format => "json";

        public string Serialize(object obj) => ((JsonNode)obj).ToJsonString();

        public void Serialize(object obj, Stream target)
        {
            using StreamWriter writer = new(target, leaveOpen: true);
            writer.Write(Serialize(obj));
        }

        public object Deserialize(string input, Type type) =>
            type == typeof(JsonObject) ? Parse(input) : NewtonsoftJsonSerializer.Instance.Deserialize(input, type);

        public T Deserialize<T>(string input) =>
            typeof(T) == typeof(JsonObject) ? (T)(object)Parse(input) : NewtonsoftJsonSerializer.Instance.Deserialize<T>(input);

        public T Deserialize<T>(Stream input)
        {
            using StreamReader reader = new(input, leaveOpen: true);
            return Deserialize<T>(reader.ReadToEnd());
        }

        // Google answers {} where it has nothing to say: an empty answer is a lost one.
        private static JsonObject Parse(string text)
        {
            State.SafeJson.Check(text);
            return JsonNode.Parse(text) as JsonObject ?? throw new JsonException("The answer is not an object.");
        }
    }
}

/// <summary>One call: a resource in the path, the few query parameters there are, and a body.</summary>
internal sealed class GoogleRequest : ClientServiceRequest<JsonObject>
{
    private readonly JsonObject? _body;

    public GoogleRequest(IClientService service, string method, string path, string name, JsonObject? body = null)
        : base(service)
    {
        HttpMethod = method;
        RestPath = path;
        ResourceName = name;
        _body = body;
        InitParameters();
    }

    public override string HttpMethod { get; }

    public override string RestPath { get; }

    public override string MethodName => $"{HttpMethod} {RestPath}";

    [RequestParameter("name", RequestParameterType.Path)]
    public string ResourceName { get; }

    [RequestParameter("keyRingId", RequestParameterType.Query)]
    public string? KeyRingId { get; init; }

    [RequestParameter("cryptoKeyId", RequestParameterType.Query)]
    public string? CryptoKeyId { get; init; }

    [RequestParameter("updateMask", RequestParameterType.Query)]
    public string? UpdateMask { get; init; }

    [RequestParameter("pageToken", RequestParameterType.Query)]
    public string? PageToken { get; init; }

    [RequestParameter("keyTypes", RequestParameterType.Query)]
    public string? KeyTypes { get; init; }

    [RequestParameter("policyId", RequestParameterType.Query)]
    public string? PolicyId { get; init; }

    [RequestParameter("options.requestedPolicyVersion", RequestParameterType.Query)]
    public string? PolicyVersion { get; init; }

    protected override object? GetBody() => _body;

    protected override void InitParameters()
    {
        base.InitParameters();
        RequestParameters.Add("name", new Parameter { Name = "name", IsRequired = true, ParameterType = "path" });
        foreach (
            string parameter in (ReadOnlySpan<string>)
            [
                "keyRingId", "cryptoKeyId", "updateMask", "pageToken", "keyTypes", "policyId", "options.requestedPolicyVersion",
            ])
        {
            RequestParameters.Add(parameter, new Parameter { Name = parameter, ParameterType = "query" });
        }
    }
}
