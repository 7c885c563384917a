using CmekTools.Sandbox.Aws.Iam;
using CmekTools.Sandbox.Aws.Kms;
using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws;

/// <summary>An access key that a test or a script can sign with.</summary>
internal sealed record AwsKeyPair(string AccessKeyId, string SecretAccessKey, string Arn)
{
    // A record would print its secret.
    public override string ToString() => AccessKeyId;
}

/// <summary>The customer's AWS account, and the other accounts that have to do with it: KMS, STS and IAM.</summary>
internal sealed class AwsService : ISandboxService, IClusterKeyService
{
    private const string KmsTarget = "TrentService.";

    private static readonly string[] WriteVerbs =
        [
            "Create",
            "Put",
            "Update",
            "Tag",
            "Untag",
            "Enable",
            "Disable",
            "Schedule",
            "Cancel",
            "Rotate",
            "Delete",
            "Replicate",
            "Attach",
            "Detach",
            "Add",
            "Remove",
            "Import",
            "Retire",
            "Revoke",
        ];

    private readonly AwsWorld _world;
    private readonly SigV4 _signatures;
    private readonly object _lock = new();

    /// <summary>Makes the account with its administrator and publishes the variables.</summary>
    public AwsService(SandboxServer server)
    {
        _world = new AwsWorld(server);
        _signatures = new SigV4(_world);
        Admin = Register(
            "AKIASANDBOXADMIN0001",
            "sandbox/admin/secret/0000000000000000001",
            server.Options.AwsAccountId,
            $"arn:aws:iam::{server.Options.AwsAccountId}:user/admin",
            StoredPolicy.AllowAll);
        server.AddVariable("AWS_ENDPOINT_URL", server.BaseAddress.ToString().TrimEnd('/'));
        server.AddVariable("AWS_ACCESS_KEY_ID", Admin.AccessKeyId);
        server.AddVariable("AWS_SECRET_ACCESS_KEY", Admin.SecretAccessKey);
        server.AddVariable("AWS_REGION", "us-east-1");
        server.AddVariable("AWS_DEFAULT_REGION", "us-east-1");
    }

    /// <inheritdoc/>
    public string KeyType => "AWS_KMS";

    /// <summary>What exists, for tests; to be looked at when nothing is asked.</summary>
    public AwsWorld World => _world;

    /// <summary>The administrator of the customer's account.</summary>
    public AwsKeyPair Admin { get; }

    /// <summary>The keys, for tests that look behind the scenes; under the server's lock only.</summary>
    public Kms.KmsStore Keys => _world.Keys;

    /// <summary>The ARNs of the customer's roles; under the server's lock only.</summary>
    public IReadOnlyList<string> Roles => [.. _world.Roles(_world.CustomerAccount).Select(r => r.Arn)];

    /// <summary>The clock that IAM's lag, rotation, deletion and sessions go by; replace it to have time pass.</summary>
    public Func<DateTimeOffset> Clock
    {
        get => _world.Clock;
        set => _world.Clock = value;
    }

    /// <summary>Makes a user, or the root user of an account, with an access key.</summary>
    /// <param name="accountId">The account.</param>
    /// <param name="arn">The user's ARN, or <c>arn:aws:iam::ACCOUNT:root</c>.</param>
    /// <param name="identityPolicy">What it may do, as JSON; everything where null.</param>
    public AwsKeyPair AddCredentials(string accountId, string arn, string? identityPolicy = null)
    {
        lock (_lock)
        {
            return Register(
                AwsIds.AccessKey("AKIA"),
                AwsIds.Secret(30),
                accountId,
                arn,
                identityPolicy is null ? StoredPolicy.AllowAll : StoredPolicy.Identity(identityPolicy));
        }
    }

    /// <summary>The buckets, for tests that arrange things behind the scenes.</summary>
    public S3.S3Store Buckets => _world.Buckets;

    /// <summary>Makes a managed policy that roles can have attached or as their boundary.</summary>
    public void AddManagedPolicy(string arn, string policy)
    {
        lock (_lock)
        {
            _world.ManagedPolicies[arn] = StoredPolicy.Identity(policy);
        }
    }

    /// <summary>Adds a service control policy to the organization that the customer's account is in.</summary>
    public void AddServiceControlPolicy(string policy)
    {
        lock (_lock)
        {
            _world.ServiceControlPolicies.Add(StoredPolicy.Identity(policy));
        }
    }

    /// <inheritdoc/>
    public bool Claims(SandboxRequest request)
    {
        if (request.Headers["X-Amz-Target"] is { } target && target.StartsWith(KmsTarget, StringComparison.Ordinal))
        {
            request.Service = "kms";
            request.Operation = target[KmsTarget.Length..];
        }
        else if (request.Headers["Content-Type"] is { } type
            && type.StartsWith("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase)
            && QueryCall.ReadForm(request.Text) is var form && form.TryGetValue("Action", out string? action))
        {
            string? service = form.GetValueOrDefault("Version") switch { "2011-06-15" => "sts", "2010-05-08" => "iam", _ => null };
            if (service is null)
            {
                return false;
            }

            request.Service = service;
            request.Operation = action;
        }
        else if (request.Headers["Authorization"] is { } signed
            && signed.Contains("/s3/aws4_request", StringComparison.Ordinal)
            && S3.S3Api.OperationOf(request) is { } operation)
        {
            request.Service = "s3";
            request.Operation = operation;
        }
        else
        {
            return false;
        }

        request.IsWrite = WriteVerbs.Any(v => request.Operation.StartsWith(v, StringComparison.Ordinal));
        return true;
    }

    /// <inheritdoc/>
    public SandboxResponse Answer(SandboxRequest request)
    {
        if (request.Service is "kms" or "sts" && SigV4.RegionOf(request) is { } region && !CloudApi.KnownRegions.Has("AWS", region))
        {
            // At AWS a region that does not exist has no host. A name cannot be missing here, where all is one address; no answer can.
            return SandboxResponse.None;
        }

        lock (_lock)
        {
            SignedBy Check() => _signatures.Check(request, request.Service);
            return request.Service switch
            {
                "kms" => KmsApi.Answer(_world, request, Check),
                "s3" => S3.S3Api.Answer(_world, request, Check),
                "sts" => QueryProtocol.Answer(_world, request, StsApi.Space, Check, call => StsApi.Invoke(call, request.Operation)),
                _ => QueryProtocol.Answer(_world, request, IamApi.Space, Check, call => IamApi.Invoke(call, request.Operation)),
            };
        }
    }

    /// <inheritdoc/>
    public string? TryUse(ClusterIdentity cluster, string keyUri, string authPrincipal)
    {
        lock (_lock)
        {
            return ClusterUse.Try(_world, cluster, keyUri, authPrincipal);
        }
    }

    private AwsKeyPair Register(string accessKeyId, string secret, string accountId, string arn, StoredPolicy policy)
    {
        if (!arn.StartsWith($"arn:aws:iam::{accountId}:", StringComparison.Ordinal))
        {
            throw new ArgumentException($"{arn} is not in the account {accountId}.", nameof(arn));
        }

        IamUser user = new(accountId, arn, policy);
        _world.Add(user);
        _world.Add(new AwsCredential(accessKeyId, secret, user));
        return new AwsKeyPair(accessKeyId, secret, arn);
    }
}
