using System.Globalization;
using System.Net;
using System.Xml;
using System.Xml.Linq;
using Amazon.Runtime;
using Amazon.Runtime.Credentials.Internal;
using Amazon.Runtime.Endpoints;
using Amazon.Runtime.Internal;
using Amazon.Runtime.Internal.Auth;
using Amazon.Runtime.Internal.Transform;

namespace CmekTools.Engine.Aws;

/// <summary>
/// AWS IAM on the SDK's own runtime (its signer, retries, credentials and endpoint resolution), because the SDK's IAM package is not
/// to be had from every registry.
/// </summary>
internal sealed class IamClient(
    AWSCredentials credentials,
    IamConfig config,
    Func<IClientConfig, AwsRetries> retries,
    Func<AwsPacing> pacing)
    : AmazonServiceClient(credentials, config), IIamService
{
    private static readonly IamMetadata s_metadata = new();

    /// <inheritdoc/>
    protected override IServiceMetadata ServiceMetadata => s_metadata;

    /// <inheritdoc/>
    public async Task<IamRole> GetRoleAsync(string name, CancellationToken cancellation)
    {
        XElement answer = await SendAsync("GetRole", cancellation, ("RoleName", name)).ConfigureAwait(false);
        return Role(answer);
    }

    /// <inheritdoc/>
    public async Task<IamRole> CreateRoleAsync(
        string name, string trustPolicy, string description, IReadOnlyDictionary<string, string> tags, CancellationToken cancellation)
    {
        XElement answer = await SendAsync(
            "CreateRole",
            cancellation,
            [
                ("RoleName", name),
                ("AssumeRolePolicyDocument", trustPolicy),
                ("Description", description),
                .. TagParameters(tags),
            ]).ConfigureAwait(false);
        return Role(answer);
    }

    /// <inheritdoc/>
    public Task UpdateAssumeRolePolicyAsync(string name, string trustPolicy, CancellationToken cancellation) =>
        SendAsync("UpdateAssumeRolePolicy", cancellation, ("RoleName", name), ("PolicyDocument", trustPolicy));

    /// <inheritdoc/>
    public Task TagRoleAsync(string name, IReadOnlyDictionary<string, string> tags, CancellationToken cancellation) =>
        SendAsync("TagRole", cancellation, [("RoleName", name), .. TagParameters(tags)]);

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListRolePoliciesAsync(string name, CancellationToken cancellation) =>
        ListAsync("ListRolePolicies", name, answer => Elements(answer, "PolicyNames").Select(m => m.Value), cancellation);

    /// <inheritdoc/>
    public async Task<string> GetRolePolicyAsync(string name, string policyName, CancellationToken cancellation)
    {
        XElement answer = await SendAsync(
            "GetRolePolicy",
            cancellation,
            ("RoleName", name),
            ("PolicyName", policyName)).ConfigureAwait(false);
        return Document(answer, "PolicyDocument");
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListAttachedRolePoliciesAsync(string name, CancellationToken cancellation) =>
        ListAsync(
            "ListAttachedRolePolicies",
            name,
            answer => Elements(answer, "AttachedPolicies").Select(m => Text(m, "PolicyArn") ?? string.Empty),
            cancellation);

    /// <inheritdoc/>
    public async Task<string> GetManagedPolicyAsync(string policyArn, CancellationToken cancellation)
    {
        XElement policy = await SendAsync("GetPolicy", cancellation, ("PolicyArn", policyArn)).ConfigureAwait(false);
        string version = Text(policy, "DefaultVersionId") ?? "v1";
        XElement answer = await SendAsync(
            "GetPolicyVersion",
            cancellation,
            ("PolicyArn", policyArn),
            ("VersionId", version)).ConfigureAwait(false);
        return Document(answer, "Document");
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<SimulatedCall>> SimulateAsync(
        string principalArn,
        IReadOnlyList<string> actions,
        KeyArn key,
        CancellationToken cancellation)
    {
        (string Name, string Value)[] known =
        [
            ("aws:PrincipalArn", principalArn),
            ("aws:PrincipalAccount", principalArn.Split(':')[4]),
            ("aws:RequestedRegion", key.Region),
        ];
        (string Name, string Value)[] question =
        [
            ("PolicySourceArn", principalArn),
            ("ResourceArns.member.1", key.Text),
            .. known.SelectMany((k, i) => ContextEntry(i + 1, k.Name, k.Value)),
            .. actions.Select((a, i) => (string.Create(CultureInfo.InvariantCulture, $"ActionNames.member.{i + 1}"), a)),
        ];
        List<SimulatedCall> calls = [];
        string? marker = null;
        do
        {
            XElement answer = await SendAsync(
                "SimulatePrincipalPolicy",
                cancellation,
                marker is null ? question : [.. question, ("Marker", marker)]).ConfigureAwait(false);
            calls.AddRange(Elements(answer, "EvaluationResults").Select(e => Simulated(e, key.Text)));
            string? next = Text(answer, "IsTruncated") == "true" ? Text(answer, "Marker") : null;
            marker = next == marker ? null : next;
        }
        while (!string.IsNullOrEmpty(marker));
        return calls;
    }

    /// <inheritdoc/>
    protected override void CustomizeRuntimePipeline(RuntimePipeline pipeline)
    {
        pipeline.AddHandlerAfter<Marshaller>(new SigV4Only());
        pipeline.ReplaceHandler<RetryHandler>(new RetryHandler(retries(Config)));
        pipeline.AddHandlerAfter<RetryHandler>(pacing());
    }

    private async Task<IReadOnlyList<string>> ListAsync(
        string action,
        string role,
        Func<XElement, IEnumerable<string>> items,
        CancellationToken cancellation)
    {
        List<string> found = [];
        string? marker = null;
        do
        {
            XElement answer = await SendAsync(
                action,
                cancellation,
                marker is null ? [("RoleName", role)] : [("RoleName", role), ("Marker", marker)]).ConfigureAwait(false);
            found.AddRange(items(answer));
            marker = Text(answer, "IsTruncated") == "true" ? Text(answer, "Marker") : null;
        }
        while (!string.IsNullOrEmpty(marker));
        return found;
    }

    private async Task<XElement> SendAsync(string action, CancellationToken cancellation, params (string Name, string Value)[] parameters)
    {
        InvokeOptions options = new() { RequestMarshaller = QueryMarshaller.Instance, ResponseUnmarshaller = QueryUnmarshaller.Instance };
        IamAnswer answer = await InvokeAsync<IamAnswer>(new IamQuery(action, parameters), options, cancellation).ConfigureAwait(false);
        return answer.Content;
    }

    private static IEnumerable<(string Name, string Value)> TagParameters(IReadOnlyDictionary<string, string> tags)
    {
        int number = 0;
        foreach ((string key, string value) in tags)
        {
            number++;
            yield return (string.Create(CultureInfo.InvariantCulture, $"Tags.member.{number}.Key"), key);
            yield return (string.Create(CultureInfo.InvariantCulture, $"Tags.member.{number}.Value"), value);
        }
    }

    private static IamRole Role(XElement answer)
    {
        XElement role = answer.Descendants().First(e => e.Name.LocalName == "Role");
        Dictionary<string, string> tags = [];
        foreach (XElement tag in Elements(role, "Tags"))
        {
            tags[Text(tag, "Key") ?? string.Empty] = Text(tag, "Value") ?? string.Empty;
        }

        DateTimeOffset? created = DateTimeOffset.TryParse(
            Text(role, "CreateDate"),
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal,
            out DateTimeOffset date)
            ? date
            : null;
        return new IamRole(
            Text(role, "RoleName") ?? string.Empty,
            Text(role, "Arn") ?? string.Empty,
            Text(role, "RoleId") ?? string.Empty,
            created,
            Document(role, "AssumeRolePolicyDocument"),
            tags,
            Text(role, "PermissionsBoundaryArn"));
    }

    private static IEnumerable<(string Name, string Value)> ContextEntry(int number, string key, string value)
    {
        string entry = string.Create(CultureInfo.InvariantCulture, $"ContextEntries.member.{number}.");
        yield return (entry + "ContextKeyName", key);
        yield return (entry + "ContextKeyType", "string");
        yield return (entry + "ContextKeyValues.member.1", value);
    }

    // Of a resource that was named the decision and what is missing stand in a part of their own (AWS's model of EvaluationResult).
    private static SimulatedCall Simulated(XElement result, string resource)
    {
        XElement? part = Elements(result, "ResourceSpecificResults").FirstOrDefault(r => Text(r, "EvalResourceName") == resource);
        return new SimulatedCall(
            Text(result, "EvalActionName") ?? string.Empty,
            (part is null ? null : Text(part, "EvalResourceDecision")) ?? Text(result, "EvalDecision") ?? "nothing",
            [
                .. result.Descendants().Where(e => e.Name.LocalName == "MissingContextValues").SelectMany(e => e.Elements())
                    .Select(e => e.Value).Distinct(StringComparer.OrdinalIgnoreCase),
            ],
            LimitOf("AllowedByOrganizations"),
            LimitOf("AllowedByPermissionsBoundary"));

        SimulatedLimit LimitOf(string name)
        {
            string[] said = [.. result.Descendants().Where(e => e.Name.LocalName == name).Select(e => e.Value)];
            return said.Length == 0 ? SimulatedLimit.NotSaid : said.All(s => s == "true") ? SimulatedLimit.Allows : SimulatedLimit.Stops;
        }
    }

    private static string? Text(XElement within, string name) => within.Descendants().FirstOrDefault(e => e.Name.LocalName == name)?.Value;

    // IAM hands policy documents out URL-encoded.
    private static string Document(XElement within, string name) => Uri.UnescapeDataString(Text(within, name) ?? string.Empty);

    private static IEnumerable<XElement> Elements(XElement within, string list) =>
        within.Descendants().FirstOrDefault(e => e.Name.LocalName == list)?.Elements() ?? [];

    private sealed class IamMetadata : IServiceMetadata
    {
        public string ServiceId => "IAM";

        public IDictionary<string, string> OperationNameMapping { get; } = new Dictionary<string, string>();
    }

    private sealed class IamAnswer : AmazonWebServiceResponse
    {
        public XElement Content { get; init; } = new("none");
    }

    private sealed class SigV4Only : BaseAuthResolverHandler
    {
        protected override List<IAuthSchemeOption> ResolveAuthOptions(IExecutionContext executionContext) => AuthSchemeOption.DEFAULT_SIGV4;
    }

    private sealed class QueryMarshaller : IMarshaller<IRequest, AmazonWebServiceRequest>
    {
        public static QueryMarshaller Instance { get; } = new();

        public IRequest Marshall(AmazonWebServiceRequest input)
        {
            IamQuery query = (IamQuery)input;
            DefaultRequest request = new(query, "IAM") { HttpMethod = "POST", ResourcePath = "/" };
            request.Headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8";
            request.Parameters.Add("Action", query.Action);
            request.Parameters.Add("Version", "2010-05-08");
            foreach ((string name, string value) in query.Parameters)
            {
                request.Parameters.Add(name, value);
            }

            return request;
        }
    }

    private sealed class QueryUnmarshaller : XmlResponseUnmarshaller
    {
        public static QueryUnmarshaller Instance { get; } = new();

        public override AmazonWebServiceResponse Unmarshall(XmlUnmarshallerContext context)
        {
            using XmlReader reader = XmlReader.Create(
                context.Stream, new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, CloseInput = false });
            XElement content = XElement.Load(reader);
            if (!content.Name.LocalName.EndsWith("Response", StringComparison.Ordinal))
            {
                throw new XmlException($"The answer is a <{content.Name.LocalName}>, which is not IAM's.");
            }

            string? id = content.Descendants().FirstOrDefault(e => e.Name.LocalName == "RequestId")?.Value;
            return new IamAnswer { Content = content, ResponseMetadata = new ResponseMetadata { RequestId = id } };
        }

        public override AmazonServiceException UnmarshallException(
            XmlUnmarshallerContext context,
            Exception innerException,
            HttpStatusCode statusCode)
        {
            ErrorResponse error = XmlErrorResponseUnmarshaller.GetInstance().Unmarshall(context);
            return new AmazonServiceException(error.Message, innerException, error.Type, error.Code, error.RequestId, statusCode);
        }
    }
}

/// <summary>Where IAM is. It is one service for a partition; only the region that signs for it has to be told.</summary>
internal sealed class IamConfig : ClientConfig
{
    public IamConfig()
        : base(new DefaultConfigurationProvider(Defaults.Modes))
    {
        AuthenticationServiceName = "iam";
        ServiceId = "IAM";
    }

    /// <inheritdoc/>
    public override string ServiceVersion => "2010-05-08";

    /// <inheritdoc/>
    public override string RegionEndpointServiceName => "iam";

    /// <inheritdoc/>
    public override string UserAgent => "CmekTools";

    /// <inheritdoc/>
    public override Endpoint DetermineServiceOperationEndpoint(ServiceOperationEndpointParameters parameters)
    {
        // The SDK takes the environment's and the profile's endpoint into ServiceURL only where the region has been read before.
        _ = RegionEndpoint;
        string? configured = ServiceURL;
        return new Endpoint(
            string.IsNullOrEmpty(configured) ? Public(AuthenticationRegion, UseFIPSEndpoint, UseDualstackEndpoint) : configured);
    }

    /// <summary>The public address by the region that signs.</summary>
    /// <param name="region">The region.</param>
    /// <param name="fips">By validated cryptography (<c>AWS_USE_FIPS_ENDPOINT</c>). The government's addresses have it anyway; China has
    /// none.</param>
    /// <param name="dualStack">By IPv4 and IPv6 (<c>AWS_USE_DUALSTACK_ENDPOINT</c>).</param>
    public static string Public(string? region, bool fips, bool dualStack) => (region, dualStack) switch
    {
        ("cn-north-1", true) => "https://iam.global.api.amazonwebservices.com.cn",
        ("cn-north-1", _) => "https://iam.cn-north-1.amazonaws.com.cn",
        ("us-gov-west-1", true) => "https://iam.us-gov.api.aws",
        ("us-gov-west-1", _) => "https://iam.us-gov.amazonaws.com",
        (_, true) => fips ? "https://iam-fips.global.api.aws" : "https://iam.global.api.aws",
        _ => fips ? "https://iam-fips.amazonaws.com" : "https://iam.amazonaws.com",
    };

    private static class Defaults
    {
        public static IReadOnlyList<IDefaultConfiguration> Modes { get; } =
        [
            .. new[]
            {
                DefaultConfigurationMode.Standard, DefaultConfigurationMode.InRegion, DefaultConfigurationMode.CrossRegion,
                DefaultConfigurationMode.Mobile, DefaultConfigurationMode.Auto,
            }.Select(mode => new DefaultConfiguration
            {
                Name = mode,
                RetryMode = RequestRetryMode.Standard,
                ConnectTimeout = TimeSpan.FromSeconds(5),
            }),
        ];
    }
}
