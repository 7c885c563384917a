using System.Net;
using System.Text.Json.Nodes;
using Google.Apis.Auth.OAuth2;
using Google.Apis.Http;
using Polly;
using Polly.Retry;

namespace CmekTools.Engine.Gcp;

/// <summary>The calls, on Google's own runtime.</summary>
internal sealed class GoogleCloud : IGoogleCloud
{
    private const string Kms = "Google Cloud KMS";
    private const string Iam = "Google Cloud IAM";
    private const string Projects = "Google Cloud Resource Manager";

    private readonly GoogleService _kms;
    private readonly GoogleService _iam;
    private readonly GoogleService _projects;
    private readonly ResiliencePipeline _pipeline;

    // For what may not be made twice: tried again only where it is known that nothing was done.
    private readonly ResiliencePipeline _once;

    private GoogleCloud(IConfigurableHttpClientInitializer credentials, ProviderOptions options, Timings timings, TimeProvider time)
    {
        _kms = new GoogleService("cloudkms", options.GoogleKmsEndpoint ?? Address("CLOUDKMS", "https://cloudkms.googleapis.com/"), credentials);
        _iam = new GoogleService("iam", options.GoogleIamEndpoint ?? Address("IAM", "https://iam.googleapis.com/"), credentials);
        _projects = new GoogleService("cloudresourcemanager", options.GoogleIamEndpoint ?? Address("CLOUDRESOURCEMANAGER", "https://cloudresourcemanager.googleapis.com/"), credentials);
        _pipeline = Pipeline(timings, time, GcpErrors.Heals);
        _once = Pipeline(timings, time, e => e is Google.GoogleApiException { HttpStatusCode: HttpStatusCode.TooManyRequests });
    }

    private static ResiliencePipeline Pipeline(Timings timings, TimeProvider time, Func<Exception, bool> heals) => new ResiliencePipelineBuilder { TimeProvider = time }
        .AddRetry(new RetryStrategyOptions
        {
            MaxRetryAttempts = timings.RetryCount,
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            Delay = timings.RetryBase,
            MaxDelay = TimeSpan.FromSeconds(30),
            ShouldHandle = arguments => ValueTask.FromResult(arguments.Outcome.Exception is { } e && heals(e)),
        })
        .AddTimeout(timings.CallLimit)
        .Build();

    /// <summary>Makes the services, with a fixed token or Application Default Credentials.</summary>
    /// <exception cref="CmekException"><c>GoogleCredentialsMissing</c>.</exception>
    public static async Task<IGoogleCloud> CreateAsync(SessionContext session, CancellationToken cancellation)
    {
        GoogleCredential credential;
        if (session.ProviderOptions.GoogleAccessToken is { } token)
        {
            credential = GoogleCredential.FromAccessToken(token);
        }
        else
        {
            try
            {
                credential = await GoogleCredential.GetApplicationDefaultAsync(cancellation).ConfigureAwait(false);
            }
            catch (Exception e) when (e is InvalidOperationException or IOException)
            {
                throw new CmekException(
                    "GoogleCredentialsMissing",
                    CmekErrorKind.AuthenticationError,
                    $"There are no Application Default Credentials: {e.Message}",
                    "Run gcloud auth application-default login, or let GOOGLE_APPLICATION_CREDENTIALS name a file of credentials (workload identity federation, impersonation).",
                    null,
                    e);
            }

            credential = credential.IsCreateScopedRequired ? credential.CreateScoped("https://www.googleapis.com/auth/cloud-platform") : credential;
        }

        return new GoogleCloud(credential, session.ProviderOptions, session.Timings, session.Time);
    }

    public Task<JsonObject> CreateKeyRingAsync(string parent, string id, CancellationToken cancellation) =>
        SendAsync(_kms, Kms, $"Making the key ring {id}", parent, () => new GoogleRequest(_kms, "POST", "v1/{+name}/keyRings", parent, []) { KeyRingId = id }, cancellation);

    public Task<JsonObject> GetKeyRingAsync(string name, CancellationToken cancellation) => GetAsync(_kms, Kms, "Reading the key ring", name, cancellation);

    public Task<JsonObject> CreateKeyAsync(string ring, string id, JsonObject key, CancellationToken cancellation) =>
        SendAsync(_kms, Kms, $"Making the key {id}", ring, () => new GoogleRequest(_kms, "POST", "v1/{+name}/cryptoKeys", ring, key) { CryptoKeyId = id }, cancellation);

    public Task<JsonObject> GetKeyAsync(string name, CancellationToken cancellation) => GetAsync(_kms, Kms, "Reading the key", name, cancellation);

    public Task<JsonObject> PatchKeyAsync(string name, string updateMask, JsonObject key, CancellationToken cancellation) =>
        SendAsync(_kms, Kms, "Changing the key", name, () => new GoogleRequest(_kms, "PATCH", "v1/{+name}", name, key) { UpdateMask = updateMask }, cancellation);

    public Task<JsonObject> SetPrimaryVersionAsync(string name, string version, CancellationToken cancellation) =>
        PostAsync(_kms, Kms, "Making a version primary", name, "updatePrimaryVersion", new JsonObject { ["cryptoKeyVersionId"] = version }, cancellation);

    public async Task<IReadOnlyList<JsonObject>> ListVersionsAsync(string key, CancellationToken cancellation)
    {
        List<JsonObject> versions = [];
        string? page = null;
        do
        {
            string? token = page;
            JsonObject answer = await SendAsync(_kms, Kms, "Listing the key's versions", key, () => new GoogleRequest(_kms, "GET", "v1/{+name}/cryptoKeyVersions", key) { PageToken = token }, cancellation).ConfigureAwait(false);
            versions.AddRange((answer["cryptoKeyVersions"]?.AsArray() ?? []).OfType<JsonObject>());
            page = answer["nextPageToken"]?.ToString();
        }
        while (!string.IsNullOrEmpty(page));
        return [.. versions.OrderBy(v => int.TryParse(v["name"]?.ToString().Split('/')[^1], out int number) ? number : 0)];
    }

    public Task<JsonObject> CreateVersionAsync(string key, CancellationToken cancellation) =>
        SendAsync(_kms, Kms, "Making a key version", key, () => new GoogleRequest(_kms, "POST", "v1/{+name}/cryptoKeyVersions", key, []), cancellation, _once);

    public Task<JsonObject> GetVersionAsync(string name, CancellationToken cancellation) => GetAsync(_kms, Kms, "Reading the key version", name, cancellation);

    public Task<JsonObject> SetVersionStateAsync(string name, string state, CancellationToken cancellation) =>
        SendAsync(_kms, Kms, $"Setting the key version {state}", name, () => new GoogleRequest(_kms, "PATCH", "v1/{+name}", name, new JsonObject { ["state"] = state }) { UpdateMask = "state" }, cancellation);

    public Task<JsonObject> DestroyVersionAsync(string name, CancellationToken cancellation) => PostAsync(_kms, Kms, "Scheduling the key version's destruction", name, "destroy", [], cancellation);

    public Task<JsonObject> RestoreVersionAsync(string name, CancellationToken cancellation) => PostAsync(_kms, Kms, "Restoring the key version", name, "restore", [], cancellation);

    public Task<JsonObject> GetKmsPolicyAsync(string resource, CancellationToken cancellation) =>
        SendAsync(_kms, Kms, "Reading the IAM policy", resource, () => new GoogleRequest(_kms, "GET", "v1/{+name}:getIamPolicy", resource) { PolicyVersion = "3" }, cancellation);

    public Task<JsonObject> SetKmsPolicyAsync(string resource, JsonObject policy, CancellationToken cancellation) =>
        PostAsync(_kms, Kms, "Writing the IAM policy", resource, "setIamPolicy", new JsonObject { ["policy"] = policy.DeepClone() }, cancellation);

    public Task<JsonObject> GetAccountAsync(string email, CancellationToken cancellation) => GetAsync(_iam, Iam, "Reading the service account", Account(email), cancellation);

    public Task<JsonObject> CreateAccountAsync(string project, string id, string displayName, string description, CancellationToken cancellation) =>
        SendAsync(_iam, Iam, $"Making the service account {id}", "projects/" + project, () => new GoogleRequest(_iam, "POST", "v1/{+name}/serviceAccounts", "projects/" + project, new JsonObject
        {
            ["accountId"] = id,
            ["serviceAccount"] = new JsonObject { ["displayName"] = displayName, ["description"] = description },
        }), cancellation);

    public Task UndeleteAccountAsync(string project, string uniqueId, CancellationToken cancellation) =>
        PostAsync(_iam, Iam, "Undeleting the service account", $"projects/{project}/serviceAccounts/{uniqueId}", "undelete", [], cancellation);

    public Task EnableAccountAsync(string email, CancellationToken cancellation) => PostAsync(_iam, Iam, "Enabling the service account", Account(email), "enable", [], cancellation);

    public Task DisableAccountAsync(string email, CancellationToken cancellation) => PostAsync(_iam, Iam, "Disabling the service account", Account(email), "disable", [], cancellation);

    public Task<JsonObject> GetAccountPolicyAsync(string email, CancellationToken cancellation) =>
        SendAsync(_iam, Iam, "Reading the service account's IAM policy", Account(email), () => new GoogleRequest(_iam, "POST", "v1/{+name}:getIamPolicy", Account(email), []) { PolicyVersion = "3" }, cancellation);

    public Task<JsonObject> SetAccountPolicyAsync(string email, JsonObject policy, CancellationToken cancellation) =>
        PostAsync(_iam, Iam, "Writing the service account's IAM policy", Account(email), "setIamPolicy", new JsonObject { ["policy"] = policy.DeepClone() }, cancellation);

    public Task<JsonObject> GetProjectPolicyAsync(string project, CancellationToken cancellation) =>
        PostAsync(_projects, Projects, "Reading the project's IAM policy", "projects/" + project, "getIamPolicy", new JsonObject { ["options"] = new JsonObject { ["requestedPolicyVersion"] = 3 } }, cancellation);

    public void Dispose()
    {
        _kms.Dispose();
        _iam.Dispose();
        _projects.Dispose();
    }

    private static string Account(string email) => "projects/-/serviceAccounts/" + email;

    private static Uri Address(string variable, string standard)
    {
        string? given = Environment.GetEnvironmentVariable("CLOUDSDK_API_ENDPOINT_OVERRIDES_" + variable);
        return new Uri(string.IsNullOrWhiteSpace(given) ? standard : given.TrimEnd('/') + "/");
    }

    private Task<JsonObject> GetAsync(GoogleService service, string title, string what, string name, CancellationToken cancellation) =>
        SendAsync(service, title, what, name, () => new GoogleRequest(service, "GET", "v1/{+name}", name), cancellation);

    private Task<JsonObject> PostAsync(GoogleService service, string title, string what, string name, string verb, JsonObject body, CancellationToken cancellation) =>
        SendAsync(service, title, what, name, () => new GoogleRequest(service, "POST", "v1/{+name}:" + verb, name, body), cancellation);

    private async Task<JsonObject> SendAsync(GoogleService service, string title, string what, string resource, Func<GoogleRequest> request, CancellationToken cancellation, ResiliencePipeline? pipeline = null)
    {
        try
        {
            return await (pipeline ?? _pipeline).ExecuteAsync(async token => await request().ExecuteAsync(token).ConfigureAwait(false), cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (GcpErrors.IsOfCall(e, cancellation))
        {
            throw GcpErrors.ToException(e, title, $"{what} {resource} on {service.Name}", resource);
        }
    }
}
