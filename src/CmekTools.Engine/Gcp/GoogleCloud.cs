using System.Globalization;
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
    private readonly GoogleService _troubleshooter;
    private readonly ResiliencePipeline _pipeline;

    // For what may not be made twice: tried again only where it is known that nothing was done.
    private readonly ResiliencePipeline _once;

    private readonly Timings _timings;
    private readonly TimeProvider _time;

    private GoogleCloud(IConfigurableHttpClientInitializer credentials, ProviderOptions options, Timings timings, TimeProvider time)
    {
        _timings = timings;
        _time = time;
        _kms = KmsService(options, credentials);
        _iam = new GoogleService("iam", options.GoogleIamEndpoint ?? Address("IAM", "https://iam.googleapis.com/"), credentials);
        _projects = new GoogleService(
            "cloudresourcemanager",
            options.GoogleIamEndpoint ?? Address("CLOUDRESOURCEMANAGER", "https://cloudresourcemanager.googleapis.com/"),
            credentials);
        _troubleshooter = new GoogleService(
            "policytroubleshooter",
            options.GoogleIamEndpoint ?? Address("POLICYTROUBLESHOOTER", "https://policytroubleshooter.googleapis.com/"),
            credentials);
        _pipeline = Pipeline(timings, time, GcpErrors.Heals);
        _once = Pipeline(
            timings,
            time,
            e => e is Google.GoogleApiException { HttpStatusCode: HttpStatusCode.TooManyRequests } || State.AnswerLoss.NeverConnected(e));
    }

    private static ResiliencePipeline Pipeline(Timings timings, TimeProvider time, Func<Exception, bool> heals) =>
        new ResiliencePipelineBuilder { TimeProvider = time }
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
        GoogleCredential credential = await CredentialAsync(session.ProviderOptions, cancellation).ConfigureAwait(false);

        // As far as the credentials say by themselves: nothing is asked for it.
        if (
            credential.UnderlyingCredential switch
            {
                ServiceAccountCredential own => own.Id,
                ImpersonatedCredential taken => taken.TargetPrincipal,
                _ => null,
            } is { } who)
        {
            session.Who.Note("gcp", who);
        }

        return new GoogleCloud(credential, session.ProviderOptions, session.Timings, session.Time);
    }

    /// <summary>Cloud Storage, for a shared state in a bucket; with the same credentials.</summary>
    /// <exception cref="CmekException"><c>GoogleCredentialsMissing</c>.</exception>
    public static async Task<GoogleService> StorageAsync(ProviderOptions options, CancellationToken cancellation)
    {
        GoogleCredential credential = await CredentialAsync(options, cancellation).ConfigureAwait(false);
        Uri given = options.GoogleStorageEndpoint ?? Address("STORAGE", "https://storage.googleapis.com/");

        // gcloud's variable names the JSON API's own path as well.
        const string Path = "/storage/v1/";
        return new GoogleService("storage", given.AbsolutePath == Path ? new Uri(given, "/") : given, credential);
    }

    /// <summary>
    /// A MAC that Cloud KMS makes with a key that does not leave it. What it takes is cloudkms.cryptoKeyVersions.useToSign on the key
    /// (roles/cloudkms.signer).
    /// </summary>
    /// <param name="version">The resource name of a key version with the purpose MAC.</param>
    /// <param name="text">The text.</param>
    /// <param name="options">Where Google's services are and who is calling.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="CmekException">Cloud KMS refuses it, or does not answer.</exception>
    public static async Task<byte[]> MacAsync(string version, byte[] text, ProviderOptions options, CancellationToken cancellation)
    {
        GoogleCredential credential = await CredentialAsync(options, cancellation).ConfigureAwait(false);
        using GoogleService service = KmsService(options, credential);
        JsonObject body = new() { ["data"] = Convert.ToBase64String(text) };
        try
        {
            JsonObject answer = await GcpPacing.SendAsync(
                service,
                new GoogleRequest(service, "POST", "v1/{+name}:macSign", version, body),
                "Making a MAC",
                cancellation).ConfigureAwait(false);
            return Convert.FromBase64String(answer["mac"]?.ToString() ?? string.Empty);
        }
        catch (Exception e) when (GcpErrors.IsOfCall(e, cancellation))
        {
            throw GcpErrors.ToException(e, Kms, $"Making a MAC with {version}", version);
        }
    }

    private static GoogleService KmsService(ProviderOptions options, IConfigurableHttpClientInitializer credentials) => new(
        "cloudkms",
        options.GoogleKmsEndpoint ?? Address("CLOUDKMS", "https://cloudkms.googleapis.com/"),
        credentials);

    private static async Task<GoogleCredential> CredentialAsync(ProviderOptions options, CancellationToken cancellation)
    {
        if (options.GoogleAccessToken is { } token)
        {
            return GoogleCredential.FromAccessToken(token);
        }

        try
        {
            GoogleCredential credential = await GoogleCredential.GetApplicationDefaultAsync(cancellation).ConfigureAwait(false);
            return credential.IsCreateScopedRequired
                ? credential.CreateScoped("https://www.googleapis.com/auth/cloud-platform")
                : credential;
        }
        catch (Exception e) when (e is InvalidOperationException or IOException)
        {
            throw new CmekException(
                "GoogleCredentialsMissing",
                CmekErrorKind.AuthenticationError,
                $"There are no Application Default Credentials: {e.Message}",
                "Run gcloud auth application-default login, or let GOOGLE_APPLICATION_CREDENTIALS name a file of credentials (workload "
                    + "identity federation, impersonation).",
                null,
                e);
        }
    }

    public Task<JsonObject> CreateKeyRingAsync(string parent, string id, CancellationToken cancellation) =>
        SendAsync(
            _kms,
            Kms,
            $"Making the key ring {id}",
            parent,
            () => new GoogleRequest(_kms, "POST", "v1/{+name}/keyRings", parent, []) { KeyRingId = id },
            cancellation);

    public Task<JsonObject> GetKeyRingAsync(string name, CancellationToken cancellation) =>
        GetAsync(_kms, Kms, "Reading the key ring", name, cancellation);

    public Task<JsonObject> CreateKeyAsync(string ring, string id, JsonObject key, CancellationToken cancellation) =>
        SendAsync(
            _kms,
            Kms,
            $"Making the key {id}",
            ring,
            () => new GoogleRequest(_kms, "POST", "v1/{+name}/cryptoKeys", ring, key) { CryptoKeyId = id },
            cancellation);

    public Task<JsonObject> GetKeyAsync(string name, CancellationToken cancellation) =>
        GetAsync(_kms, Kms, "Reading the key", name, cancellation);

    public Task<JsonObject> PatchKeyAsync(string name, string updateMask, JsonObject key, CancellationToken cancellation) =>
        SendAsync(
            _kms,
            Kms,
            "Changing the key",
            name,
            () => new GoogleRequest(_kms, "PATCH", "v1/{+name}", name, key) { UpdateMask = updateMask },
            cancellation);

    public Task<JsonObject> SetPrimaryVersionAsync(string name, string version, CancellationToken cancellation) =>
        PostAsync(
            _kms,
            Kms,
            "Making a version primary",
            name,
            "updatePrimaryVersion",
            new JsonObject { ["cryptoKeyVersionId"] = version },
            cancellation);

    public async Task<IReadOnlyList<JsonObject>> ListLocationsAsync(string project, CancellationToken cancellation) => Items(
        await ListAsync(_kms, Kms, "Listing the locations", "projects/" + project, "v1/{+name}/locations", "locations", cancellation)
            .ConfigureAwait(false),
        "locations");

    public async Task<IReadOnlyList<JsonObject>> ListKeyRingsAsync(string location, CancellationToken cancellation) => Items(
        await ListAsync(_kms, Kms, "Listing the key rings", location, "v1/{+name}/keyRings", "keyRings", cancellation)
            .ConfigureAwait(false),
        "keyRings");

    public async Task<IReadOnlyList<JsonObject>> ListKeysAsync(string ring, CancellationToken cancellation) => Items(
        await ListAsync(_kms, Kms, "Listing the keys", ring, "v1/{+name}/cryptoKeys", "cryptoKeys", cancellation).ConfigureAwait(false),
        "cryptoKeys");

    private static IReadOnlyList<JsonObject> Items(JsonObject list, string name) =>
        [.. ((JsonArray)list[name]!).OfType<JsonObject>()];

    public async Task<IReadOnlyList<JsonObject>> ListVersionsAsync(string key, CancellationToken cancellation)
    {
        List<JsonObject> versions = [];
        string? page = null;
        do
        {
            string? token = page;
            JsonObject answer = await SendAsync(
                _kms,
                Kms,
                "Listing the key's versions",
                key,
                () => new GoogleRequest(_kms, "GET", "v1/{+name}/cryptoKeyVersions", key) { PageToken = token },
                cancellation).ConfigureAwait(false);
            versions.AddRange((answer["cryptoKeyVersions"]?.AsArray() ?? []).OfType<JsonObject>());
            page = answer["nextPageToken"]?.ToString();
        }
        while (!string.IsNullOrEmpty(page));
        return [.. versions.OrderBy(v => int.TryParse(v["name"]?.ToString().Split('/')[^1], out int number) ? number : 0)];
    }

    public Task<JsonObject> CreateVersionAsync(string key, CancellationToken cancellation) =>
        SendAsync(
            _kms,
            Kms,
            "Making a key version",
            key,
            () => new GoogleRequest(_kms, "POST", "v1/{+name}/cryptoKeyVersions", key, []),
            cancellation,
            _once);

    public Task<JsonObject> GetVersionAsync(string name, CancellationToken cancellation) =>
        GetAsync(_kms, Kms, "Reading the key version", name, cancellation);

    public Task<JsonObject> SetVersionStateAsync(string name, string state, CancellationToken cancellation) =>
        SendAsync(
            _kms,
            Kms,
            $"Setting the key version {state}",
            name,
            () => new GoogleRequest(_kms, "PATCH", "v1/{+name}", name, new JsonObject { ["state"] = state }) { UpdateMask = "state" },
            cancellation);

    public Task<JsonObject> DestroyVersionAsync(string name, CancellationToken cancellation) =>
        PostAsync(_kms, Kms, "Scheduling the key version's destruction", name, "destroy", [], cancellation);

    public Task<JsonObject> RestoreVersionAsync(string name, CancellationToken cancellation) =>
        PostAsync(_kms, Kms, "Restoring the key version", name, "restore", [], cancellation);

    public Task<JsonObject> GetKmsPolicyAsync(string resource, CancellationToken cancellation) =>
        SendAsync(
            _kms,
            Kms,
            "Reading the IAM policy",
            resource,
            () => new GoogleRequest(_kms, "GET", "v1/{+name}:getIamPolicy", resource) { PolicyVersion = "3" },
            cancellation);

    public Task<JsonObject> SetKmsPolicyAsync(string resource, JsonObject policy, CancellationToken cancellation) =>
        PostAsync(
            _kms,
            Kms,
            "Writing the IAM policy",
            resource,
            "setIamPolicy",
            new JsonObject { ["policy"] = policy.DeepClone() },
            cancellation);

    public Task<JsonObject> GetAccountAsync(string email, CancellationToken cancellation) =>
        GetAsync(_iam, Iam, "Reading the service account", Account(email), cancellation);

    public Task<JsonObject> CreateAccountAsync(
        string project,
        string id,
        string displayName,
        string description,
        CancellationToken cancellation) =>
        SendAsync(
            _iam,
            Iam,
            $"Making the service account {id}",
            "projects/" + project,
            () => new GoogleRequest(_iam, "POST", "v1/{+name}/serviceAccounts", "projects/" + project, new JsonObject
            {
                ["accountId"] = id,
                ["serviceAccount"] = new JsonObject { ["displayName"] = displayName, ["description"] = description },
            }),
            cancellation);

    public Task UndeleteAccountAsync(string project, string uniqueId, CancellationToken cancellation) =>
        PostAsync(
            _iam,
            Iam,
            "Undeleting the service account",
            $"projects/{project}/serviceAccounts/{uniqueId}",
            "undelete",
            [],
            cancellation);

    public Task EnableAccountAsync(string email, CancellationToken cancellation) =>
        PostAsync(_iam, Iam, "Enabling the service account", Account(email), "enable", [], cancellation);

    public Task DisableAccountAsync(string email, CancellationToken cancellation) =>
        PostAsync(_iam, Iam, "Disabling the service account", Account(email), "disable", [], cancellation);

    public Task<JsonObject> GetAccountPolicyAsync(string email, CancellationToken cancellation) =>
        SendAsync(
            _iam,
            Iam,
            "Reading the service account's IAM policy",
            Account(email),
            () => new GoogleRequest(_iam, "POST", "v1/{+name}:getIamPolicy", Account(email), []) { PolicyVersion = "3" },
            cancellation);

    public Task<JsonObject> SetAccountPolicyAsync(string email, JsonObject policy, CancellationToken cancellation) =>
        PostAsync(
            _iam,
            Iam,
            "Writing the service account's IAM policy",
            Account(email),
            "setIamPolicy",
            new JsonObject { ["policy"] = policy.DeepClone() },
            cancellation);

    public Task<JsonObject> GetPolicyAboveAsync(string resource, CancellationToken cancellation)
    {
        JsonObject body = new() { ["options"] = new JsonObject { ["requestedPolicyVersion"] = 3 } };
        string kind = resource[..resource.IndexOf('/', StringComparison.Ordinal)].TrimEnd('s');
        // Version 1 has no folders.
        string version = kind == "project" ? "v1" : "v3";
        return SendAsync(
            _projects,
            Projects,
            $"Reading the {kind}'s IAM policy",
            resource,
            () => new GoogleRequest(_projects, "POST", version + "/{+name}:getIamPolicy", resource, body),
            cancellation);
    }

    public Task<JsonObject> ListAccountsAsync(string project, CancellationToken cancellation) =>
        ListAsync(
            _iam,
            Iam,
            "Listing the project's service accounts",
            "projects/" + project,
            "v1/{+name}/serviceAccounts",
            "accounts",
            cancellation);

    public Task<JsonObject> ListAccountKeysAsync(string email, CancellationToken cancellation) =>
        SendAsync(
            _iam,
            Iam,
            "Listing the service account's keys",
            Account(email),
            () => new GoogleRequest(_iam, "GET", "v1/{+name}/keys", Account(email)) { KeyTypes = "USER_MANAGED" },
            cancellation);

    public Task<JsonObject> GetProjectAsync(string project, CancellationToken cancellation) =>
        GetAsync(_projects, Projects, "Reading the project", "projects/" + project, cancellation);

    public Task<JsonObject> GetAncestryAsync(string project, CancellationToken cancellation) =>
        PostAsync(_projects, Projects, "Reading what is above the project", "projects/" + project, "getAncestry", [], cancellation);

    public Task<IReadOnlyList<string>> TestProjectPermissionsAsync(
        string project,
        IReadOnlyList<string> permissions,
        CancellationToken cancellation) =>
        TestAsync(_projects, Projects, "projects/" + project, permissions, cancellation);

    public Task<IReadOnlyList<string>> TestKeyPermissionsAsync(
        string key,
        IReadOnlyList<string> permissions,
        CancellationToken cancellation) =>
        TestAsync(_kms, Kms, key, permissions, cancellation);

    public Task<IReadOnlyList<string>> TestAccountPermissionsAsync(
        string email,
        IReadOnlyList<string> permissions,
        CancellationToken cancellation) =>
        TestAsync(_iam, Iam, Account(email), permissions, cancellation);

    private async Task<IReadOnlyList<string>> TestAsync(
        GoogleService service, string title, string resource, IReadOnlyList<string> permissions, CancellationToken cancellation)
    {
        JsonObject body = new() { ["permissions"] = new JsonArray([.. permissions.Select(p => (JsonNode)p)]) };
        JsonObject answer = await PostAsync(
            service,
            title,
            "Asking for one's own permissions on",
            resource,
            "testIamPermissions",
            body,
            cancellation).ConfigureAwait(false);
        return [.. (answer["permissions"] as JsonArray ?? []).Select(p => p?.ToString() ?? string.Empty)];
    }

    public Task<JsonObject> TroubleshootAsync(
        string principal,
        string fullResourceName,
        string permission,
        DateTimeOffset at,
        CancellationToken cancellation)
    {
        JsonObject body = new()
        {
            ["accessTuple"] = new JsonObject
            {
                ["principal"] = principal,
                ["fullResourceName"] = fullResourceName,
                ["permission"] = permission,
                ["conditionContext"] = new JsonObject
                {
                    ["request"] = new JsonObject
                    {
                        ["receiveTime"] = at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
                    },
                },
            },
        };
        return SendAsync(
            _troubleshooter,
            "Google's Policy Troubleshooter",
            $"Asking whether {principal} has {permission} on",
            fullResourceName,
            () => new GoogleRequest(_troubleshooter, "POST", "v3/iam:troubleshoot", fullResourceName, body),
            cancellation);
    }

    public Task<JsonObject> GetRoleAsync(string name, CancellationToken cancellation) =>
        GetAsync(_iam, Iam, "Reading the role", name, cancellation);

    public async Task<JsonObject> ListDenyPoliciesAsync(string resource, CancellationToken cancellation)
    {
        string path = $"v2/policies/{Policies.DenyPolicy.Point(resource)}/denypolicies";
        JsonObject list = await ListAsync(
            _iam,
            Iam,
            "Listing the deny policies of",
            resource,
            path,
            "policies",
            cancellation).ConfigureAwait(false);
        string[] names = [.. (list["policies"] as JsonArray ?? []).Select(p => p?["name"]?.ToString()).OfType<string>()];
        // The list leaves the rules out.
        JsonObject?[] whole = await Task.WhenAll(names.Select(n => GetDenyPolicyAsync(n, cancellation))).ConfigureAwait(false);
        return new JsonObject { ["policies"] = new JsonArray([.. whole.OfType<JsonObject>().Select(p => (JsonNode)p.DeepClone())]) };
    }

    public async Task<JsonObject?> GetDenyPolicyAsync(string name, CancellationToken cancellation)
    {
        try
        {
            return await SendAsync(
                _iam,
                Iam,
                "Reading the deny policy",
                name,
                () => new GoogleRequest(_iam, "GET", "v2/" + name, name),
                cancellation).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.StatusCode == 404)
        {
            return null;
        }
    }

    public async Task CreateDenyPolicyAsync(string name, JsonObject policy, CancellationToken cancellation)
    {
        int at = name.LastIndexOf('/');
        try
        {
            await OperationAsync(
                await SendAsync(
                    _iam,
                    Iam,
                    "Writing the deny policy",
                    name,
                    () => new GoogleRequest(_iam, "POST", "v2/" + name[..at], name, policy) { PolicyId = name[(at + 1)..] },
                    cancellation).ConfigureAwait(false),
                cancellation).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.StatusCode == 409)
        {
            // Another run was quicker, or the answer to the first try was lost.
        }
    }

    public async Task DeleteDenyPolicyAsync(string name, CancellationToken cancellation)
    {
        try
        {
            await OperationAsync(
                await SendAsync(
                    _iam,
                    Iam,
                    "Deleting the deny policy",
                    name,
                    () => new GoogleRequest(_iam, "DELETE", "v2/" + name, name),
                    cancellation).ConfigureAwait(false),
                cancellation).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.StatusCode == 404)
        {
            // Gone already.
        }
    }

    public async Task<string?> EncryptingVersionAsync(string key, CancellationToken cancellation)
    {
        JsonObject answer = await PostAsync(
            _kms,
            Kms,
            "Encrypting with",
            key,
            "encrypt",
            new JsonObject { ["plaintext"] = "AA==" },
            cancellation).ConfigureAwait(false);
        return answer["name"]?.ToString().Split('/')[^1];
    }

    public void Dispose()
    {
        _kms.Dispose();
        _iam.Dispose();
        _projects.Dispose();
        _troubleshooter.Dispose();
    }

    // The project is named: under projects/- a missing account is refused like a forbidden one.
    private static string Account(string email) => GcpNames.AccountName(email);

    private static Uri Address(string variable, string standard)
    {
        string? given = Environment.GetEnvironmentVariable("CLOUDSDK_API_ENDPOINT_OVERRIDES_" + variable);
        return new Uri(string.IsNullOrWhiteSpace(given) ? standard : given.TrimEnd('/') + "/");
    }

    // All pages, as one.
    private async Task<JsonObject> ListAsync(
        GoogleService service,
        string title,
        string what,
        string name,
        string path,
        string items,
        CancellationToken cancellation)
    {
        JsonArray all = [];
        string? page = null;
        do
        {
            string? token = page;
            JsonObject answer = await SendAsync(
                service,
                title,
                what,
                name,
                () => new GoogleRequest(service, "GET", path, name) { PageToken = token },
                cancellation).ConfigureAwait(false);
            foreach (JsonNode? item in answer[items] as JsonArray ?? [])
            {
                all.Add(item?.DeepClone());
            }

            page = answer["nextPageToken"]?.ToString();
        }
        while (!string.IsNullOrEmpty(page));
        return new JsonObject { [items] = all };
    }

    // Deny policies are changed by long-running operations, which take seconds.
    private async Task OperationAsync(JsonObject operation, CancellationToken cancellation)
    {
        long start = _time.GetTimestamp();
        while (operation["done"]?.ToString() != "true" && operation["name"]?.ToString() is { Length: > 0 } name)
        {
            if (_time.GetElapsedTime(start) > _timings.CallLimit)
            {
                throw new CmekServiceException(
                    Iam,
                    "GoogleUnreachable",
                    CmekErrorKind.ConnectionError,
                    $"{name} does not end; whether it will is not known.",
                    0,
                    null,
                    null,
                    "Run the command again: it looks at what is there now.",
                    name);
            }

            await Task.Delay(_timings.PropagationPoll, _time, cancellation).ConfigureAwait(false);
            operation = await SendAsync(
                _iam,
                Iam,
                "Reading the operation",
                name,
                () => new GoogleRequest(_iam, "GET", "v2/" + name, name),
                cancellation).ConfigureAwait(false);
        }

        if (operation["error"] is JsonObject error)
        {
            throw new CmekServiceException(
                Iam,
                "GoogleRequestRefused",
                CmekErrorKind.InvalidArgument,
                $"The deny policy was refused: {error["message"]}",
                400,
                error["status"]?.ToString(),
                null,
                "Google does not take what was sent: correct what the message names and run the command again.",
                operation["name"]?.ToString());
        }
    }

    private Task<JsonObject> GetAsync(GoogleService service, string title, string what, string name, CancellationToken cancellation) =>
        SendAsync(service, title, what, name, () => new GoogleRequest(service, "GET", "v1/{+name}", name), cancellation);

    private Task<JsonObject> PostAsync(
        GoogleService service,
        string title,
        string what,
        string name,
        string verb,
        JsonObject body,
        CancellationToken cancellation) =>
        SendAsync(service, title, what, name, () => new GoogleRequest(service, "POST", "v1/{+name}:" + verb, name, body), cancellation);

    private async Task<JsonObject> SendAsync(
        GoogleService service,
        string title,
        string what,
        string resource,
        Func<GoogleRequest> request,
        CancellationToken cancellation,
        ResiliencePipeline? pipeline = null)
    {
        try
        {
            return await (pipeline ?? _pipeline).ExecuteAsync(
                async token =>
                    await GcpPacing.SendAsync(service, request(), what, token).ConfigureAwait(false),
                    cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (GcpErrors.IsOfCall(e, cancellation))
        {
            throw GcpErrors.ToException(e, title, $"{what} {resource} on {service.Name}", resource);
        }
    }
}
