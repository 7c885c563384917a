using System.Collections.Concurrent;
using Amazon;
using Amazon.KeyManagementService;
using Amazon.Runtime;
using Amazon.Runtime.CredentialManagement;
using Amazon.Runtime.Credentials;
using Amazon.SecurityToken;
using Amazon.SecurityToken.Model;

namespace CmekTools.Engine.Aws;

/// <summary>Who is calling, and in which account.</summary>
internal sealed record AwsCaller(string Account, string Arn, string Partition);

/// <summary>The SDK's clients of a session, made at first use: KMS a region, STS and IAM a partition.</summary>
internal sealed class AwsClients(ProviderOptions options, Timings timings, TimeProvider time) : IDisposable
{
    private readonly ConcurrentDictionary<(string Region, bool Once), AmazonKeyManagementServiceClient> _kms = new();
    private readonly ConcurrentDictionary<string, IamClient> _iam = new();
    private readonly ConcurrentDictionary<string, AwsCaller> _callers = new();
    private readonly object _lock = new();
    private AWSCredentials? _credentials;

    /// <summary>Is told who is calling, as soon as that is known.</summary>
    public Action<AwsCaller>? CallerKnown { get; init; }

    /// <summary>KMS in a region.</summary>
    public IAmazonKeyManagementService Kms(string region) => Kms(region, once: false);

    /// <summary>
    /// KMS in a region, for a call that must not be sent twice: after an uncertain failure a second CreateKey could make a second
    /// key.
    /// </summary>
    public IAmazonKeyManagementService KmsOnce(string region) => Kms(region, once: true);

    /// <summary>IAM of a partition.</summary>
    public IIamService Iam(string partition)
    {
        lock (_lock)
        {
            return _iam.GetOrAdd(
                partition,
                p => new IamClient(Credentials(), Place(new IamConfig(), AwsNames.IamRegion(p)), Retries, Pacing));
        }
    }

    /// <summary>Who is calling; asked once a partition.</summary>
    public async Task<AwsCaller> CallerAsync(string region, CancellationToken cancellation)
    {
        string partition = AwsNames.Partition(region);
        if (_callers.TryGetValue(partition, out AwsCaller? known))
        {
            return known;
        }

        using StsClient sts = new(Credentials(), Place(new AmazonSecurityTokenServiceConfig(), region), Retries);
        GetCallerIdentityResponse answer = await AwsErrors.CallAsync(
            "sts:GetCallerIdentity",
            "the caller",
            ct => sts.GetCallerIdentityAsync(new GetCallerIdentityRequest(), ct),
            cancellation).ConfigureAwait(false);
        AwsCaller caller = new(answer.Account, answer.Arn, partition);
        _callers.TryAdd(partition, caller);
        CallerKnown?.Invoke(caller);
        return caller;
    }

    /// <summary>When the credentials end, as far as they say.</summary>
    /// <exception cref="CmekException">There are none.</exception>
    public async Task<AwsCredentialEnd> CredentialEndAsync(CancellationToken cancellation)
    {
        AWSCredentials credentials = Credentials();
        ImmutableCredentials now = await AwsErrors.CallAsync(
            "sts:GetCallerIdentity",
            "the credentials",
            _ => credentials.GetCredentialsAsync(),
            cancellation).ConfigureAwait(false);
        DateTimeOffset? at = credentials.Expiration is { } end && end != default && end != DateTime.MaxValue
            ? new DateTimeOffset(end.ToUniversalTime())
            : null;
        return new AwsCredentialEnd(now.UseToken, at, credentials is RefreshingAWSCredentials);
    }

    /// <summary>S3, for a shared state in a bucket. What is asked there is asked within seconds or not at all.</summary>
    /// <param name="region">The bucket's region; null: the environment's or the profile's.</param>
    /// <param name="limit">The longest that one try may take.</param>
    public Amazon.S3.IAmazonS3 S3(string? region, TimeSpan limit)
    {
        const string Standard = "us-east-1";
        Amazon.S3.AmazonS3Config config = Place(
            new Amazon.S3.AmazonS3Config(),
            region ?? FallbackRegionFactory.GetRegionEndpoint()?.SystemName ?? Standard);
        config.MaxErrorRetry = 1;
        config.Timeout = limit;

        // Other programs that speak S3 have no names for buckets, and some know no checksums.
        config.ForcePathStyle = options.AwsEndpoint is not null
            || !string.IsNullOrEmpty(
                Environment.GetEnvironmentVariable("AWS_ENDPOINT_URL_S3") ?? Environment.GetEnvironmentVariable("AWS_ENDPOINT_URL"));
        config.RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED;
        config.ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED;
        return new Amazon.S3.AmazonS3Client(Credentials(), config);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (AmazonKeyManagementServiceClient client in _kms.Values)
        {
            client.Dispose();
        }

        foreach (IamClient client in _iam.Values)
        {
            client.Dispose();
        }

        _kms.Clear();
        _iam.Clear();
    }

    private AmazonKeyManagementServiceClient Kms(string region, bool once)
    {
        lock (_lock)
        {
            return _kms.GetOrAdd((region, once), key =>
            {
                AmazonKeyManagementServiceConfig config = Place(new AmazonKeyManagementServiceConfig(), key.Region);
                if (key.Once)
                {
                    config.MaxErrorRetry = 0;

                    // Without this the SDK sends once more what broke on a connection from its pool, whether KMS has done it or not.
                    config.MaxStaleConnectionRetries = 0;
                }

                return new PacedKmsClient(Credentials(), config, Retries, Pacing);
            });
        }
    }

    private AwsPacing Pacing() => new(Owner, timings.PacesLoopback);

    // Two profiles may be the same account's; that shows with the first question who is calling.
    private string Owner() =>
        _callers.Values.FirstOrDefault()?.Account ?? options.AwsProfileName ?? options.AwsCredentials?.AccessKeyId ?? "default";

    private AwsRetries Retries(IClientConfig config) => new(config, timings, time);

    private T Place<T>(T config, string region)
        where T : ClientConfig
    {
        if (options.AwsProfileName is { } profile && options.AwsCredentials is null)
        {
            // For the endpoints that a profile may name.
            config.Profile = new Profile(profile);
        }

        config.AuthenticationRegion = region;
        Uri? given = config is IamConfig or AmazonSecurityTokenServiceConfig ? options.AwsIamEndpoint : null;
        if ((given ?? options.AwsEndpoint) is { } endpoint)
        {
            config.ServiceURL = endpoint.ToString();
        }
        else
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(region);
        }

        config.RetryMode = RequestRetryMode.Standard;
        config.MaxErrorRetry = Math.Max(0, timings.RetryCount - 1);
        config.Timeout = timings.CallLimit;
        return config;
    }

    private AWSCredentials Credentials()
    {
        lock (_lock)
        {
            return _credentials ??= FindCredentials();
        }
    }

    /// <summary>Refuses a profile that no configuration file has; whether it has credentials shows at the first call.</summary>
    /// <exception cref="CmekException"><c>AwsProfileNotFound</c>.</exception>
    public static void RequireProfile(string name)
    {
        if (!new CredentialProfileStoreChain().TryGetProfile(name, out _))
        {
            throw NoProfile(name);
        }
    }

    private static CmekException NoProfile(string name) => new(
        "AwsProfileNotFound",
        CmekErrorKind.AuthenticationError,
        $"There is no AWS profile '{name}' with credentials in the shared configuration files.",
        "List the profiles with `aws configure list-profiles`, or make one with `aws configure sso` or `aws configure`.",
        name);

    private AWSCredentials FindCredentials()
    {
        if (options.AwsCredentials is { } fixedOnes)
        {
            return new BasicAWSCredentials(fixedOnes.AccessKeyId, fixedOnes.SecretAccessKey);
        }

        try
        {
            if (options.AwsProfileName is { } profile)
            {
                CredentialProfileStoreChain chain = new();
                return chain.TryGetAWSCredentials(profile, out AWSCredentials found) ? found : throw NoProfile(profile);
            }

            using DefaultAWSCredentialsIdentityResolver resolver = new();
            return resolver.ResolveIdentity(new AmazonSecurityTokenServiceConfig());
        }
        catch (Exception e) when (e is AmazonClientException or ArgumentException or InvalidOperationException)
        {
            throw AwsErrors.NoCredentials(e);
        }
    }
}
