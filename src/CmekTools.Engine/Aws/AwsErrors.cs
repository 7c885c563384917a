using System.Net;
using System.Net.Sockets;
using Amazon.Runtime;

namespace CmekTools.Engine.Aws;

/// <summary>Turns what the SDK throws into failures that say what to do. Every call of an AWS service goes through here.</summary>
internal static class AwsErrors
{
    /// <summary>The id for a key that is not there.</summary>
    public const string KeyNotFound = "KeyNotFound";

    /// <summary>The id for a missing permission of whoever runs the command.</summary>
    public const string AccessDenied = "AccessDenied";

    /// <summary>The id for a call that was refused for its rate.</summary>
    public const string Throttled = "AwsThrottled";

    /// <summary>The id for a policy that the service does not take.</summary>
    public const string PolicyMalformed = "PolicyMalformed";

    /// <summary>Makes a call.</summary>
    /// <param name="permission">The IAM action that it needs, for example <c>kms:DescribeKey</c>.</param>
    /// <param name="target">What it is about.</param>
    /// <param name="call">The call.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="CmekException">It failed.</exception>
    public static async Task<T> CallAsync<T>(
        string permission,
        string target,
        Func<CancellationToken, Task<T>> call,
        CancellationToken cancellation)
    {
        try
        {
            return await call(cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested && Map(permission, target, e) is { } mapped)
        {
            throw mapped;
        }
        catch (Exception e) when (cancellation.IsCancellationRequested && e is not OperationCanceledException)
        {
            // The SDK reports a cancelled request in several ways; there is one for our callers.
            throw new OperationCanceledException("The call was cancelled.", e, cancellation);
        }
    }

    /// <summary>
    /// Makes a call that is sent by <see cref="AwsClients.KmsOnce"/>, because done twice it would make two things. What was refused for
    /// its rate, or never reached the service, was not done, and is sent again; after every other failure it is not.
    /// </summary>
    public static async Task<T> CallOnceAsync<T>(
        string permission,
        string target,
        Operation op,
        Func<CancellationToken, Task<T>> call,
        CancellationToken cancellation)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return await CallAsync(permission, target, call, cancellation).ConfigureAwait(false);
            }
            catch (CmekServiceException e) when ((e.ErrorId == Throttled || (e.StatusCode == 0 && State.AnswerLoss.NeverConnected(e)))
                && attempt < op.Timings.RetryCount)
            {
                await op.DelayAsync(op.Timings.RetryBase * (1 << Math.Min(attempt, 5))).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Makes a call without an answer.</summary>
    public static Task CallAsync(string permission, string target, Func<CancellationToken, Task> call, CancellationToken cancellation) =>
        CallAsync(
        permission,
        target,
        async ct =>
        {
            await call(ct).ConfigureAwait(false);
            return true;
        },
        cancellation);

    /// <summary>No credentials were found, or those found have run out.</summary>
    public static CmekException NoCredentials(Exception cause)
    {
        bool sso = cause.ToString().Contains("SSO", StringComparison.Ordinal);
        return sso
            ? new CmekException(
                "AwsSsoLoginExpired",
                CmekErrorKind.AuthenticationError,
                $"The AWS single sign-on session is missing or has run out: {cause.Message}",
                "Run `aws sso login` (with --profile where you use one) and then the command again.",
                null,
                cause)
            : new CmekException(
                "AwsCredentialsMissing",
                CmekErrorKind.AuthenticationError,
                $"No usable AWS credentials were found: {Short(cause.Message)}",
                "Sign in with `aws sso login`, set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give -ProfileName.",
                null,
                cause);
    }

    // The SDK says of each place that it looks in why there are none; most are places that nobody meant. The inner error has it all.
    private static string Short(string said)
    {
        int list = said.IndexOf("Exception 1 of ", StringComparison.Ordinal);
        return list <= 0 ? said : said[..list].TrimEnd().TrimEnd(':') is { Length: > 0 } head
            ? $"{head.ReplaceLineEndings(" ")} (Get-Error shows them)."
            : said;
    }

    private static CmekException? Map(string permission, string target, Exception e) => e switch
    {
        CmekException => null,
        AmazonServiceException { StatusCode: 0, ErrorCode: null or "" } s when FindConnectionFault(s) is { } fault =>
            Unreachable(permission, target, fault),
        AmazonServiceException s => FromService(permission, target, s),
        AmazonClientException c => FindConnectionFault(c) is { } fault ? Unreachable(permission, target, fault) : NoCredentials(c),
        ProcessAWSCredentialException => NoCredentials(e),
        OperationCanceledException or TimeoutException => Unreachable(permission, target, e),
        HttpRequestException or SocketException or IOException or WebException => Unreachable(permission, target, e),
        System.Xml.XmlException or System.Text.Json.JsonException => new CmekServiceException(
            Service(permission),
            "AwsAnswerUnreadable",
            CmekErrorKind.InvalidData,
            $"{Service(permission)} gave an answer to {permission} for {target} that cannot be read: {e.Message}",
            0,
            null,
            null,
            "Look at what is between this machine and AWS: a proxy may answer in its place.",
            target,
            e),
        _ => null,
    };

    private static CmekServiceException FromService(string permission, string target, AmazonServiceException e)
    {
        string service = Service(permission);
        string code = e.ErrorCode ?? string.Empty;
        (string id, CmekErrorKind kind, string? action) = Classify(permission, target, code, e);
        string said = string.IsNullOrWhiteSpace(e.Message) ? code : e.Message.Trim();
        return new CmekServiceException(
            service,
            id,
            kind,
            $"{service} refused {permission} for {target}: {said}",
            (int)e.StatusCode,
            code,
            e.RequestId,
            action,
            target,
            e);
    }

    private static (string Id, CmekErrorKind Kind, string? Action) Classify(
        string permission,
        string target,
        string code,
        AmazonServiceException e)
    {
        string name = code.EndsWith("Exception", StringComparison.Ordinal) ? code[..^"Exception".Length] : code;
        bool iam = permission.StartsWith("iam:", StringComparison.Ordinal);
        switch (name)
        {
            case "NotFound":
                return (
                    KeyNotFound,
                    CmekErrorKind.ObjectNotFound,
                    "Look at the ARN's account, region and id; `aws kms list-keys --region REGION` shows the keys there are.");
            case "NoSuchEntity":
                return ("RoleNotFound", CmekErrorKind.ObjectNotFound, "Grant-CmekAccess makes the role anew.");
            case "AccessDenied" or "AccessDeniedFault" or "UnauthorizedOperation" or "AuthorizationError":
                return (
                    AccessDenied,
                    CmekErrorKind.PermissionDenied,
                    $"Whoever runs this needs the permission {permission} on {target}. `aws sts get-caller-identity` shows who that is.");
            case "Disabled":
                return ("KeyDisabled", CmekErrorKind.InvalidOperation, EnableCommand(target));
            case "KMSInvalidState" or "InvalidState":
                return e.Message.Contains("pending deletion", StringComparison.OrdinalIgnoreCase)
                    ? ("KeyPendingDeletion", CmekErrorKind.InvalidOperation, CancelDeletionCommand(target))
                    : ("KeyStateInvalid", CmekErrorKind.InvalidOperation, "See the key's state with Get-CmekKey.");
            case "MalformedPolicyDocument":
                return (
                    PolicyMalformed,
                    CmekErrorKind.InvalidArgument,
                    iam
                        ? "Look at the trust policy's principals: each has to exist."
                        : "Look at the key policy's principals: each has to exist.");
            case "AlreadyExists" or "EntityAlreadyExists":
                return (
                    iam ? "RoleExists" : "AliasTaken",
                    CmekErrorKind.ResourceExists,
                    "Run the command again: it looks at what is there now.");
            case "LimitExceeded" or "ServiceQuotaExceeded":
                return (
                    "AwsLimitExceeded",
                    CmekErrorKind.LimitsExceeded,
                    "Raise the quota in the AWS console (Service Quotas), or remove what is no longer used.");
            case "UnsupportedOperation":
                return (
                    "AwsUnsupported",
                    CmekErrorKind.InvalidOperation,
                    "AWS does not do this with a resource of this kind; `Get-CmekKey ARN | Format-List` shows what kind of key it is.");
            case "ConcurrentModification" or "Conflict":
                return (
                    "AwsConflict",
                    CmekErrorKind.ResourceUnavailable,
                    "Somebody else changed it at the same moment. Run the command again.");
            case "ExpiredToken" or "ExpiredTokenFault" or "TokenRefreshRequired" or "RequestExpired":
                return (
                    "AwsCredentialsExpired",
                    CmekErrorKind.AuthenticationError,
                    "Sign in again (`aws sso login`) and run the command again.");
            case "InvalidClientTokenId" or "UnrecognizedClient" or "SignatureDoesNotMatch" or "IncompleteSignature":
            case "InvalidSignature" or "MissingAuthenticationToken" or "AuthFailure":
                return (
                    "AwsCredentialsRefused",
                    CmekErrorKind.AuthenticationError,
                    "AWS does not know these credentials, or the machine's clock is wrong. `aws sts get-caller-identity` shows whether "
                        + "they work.");
        }

        if (name.Contains("Throttl", StringComparison.OrdinalIgnoreCase)
            || name is "TooManyRequests" or "RequestLimitExceeded"
            || (int)e.StatusCode == 429)
        {
            return (
                "AwsThrottled",
                CmekErrorKind.LimitsExceeded,
                "AWS limits the rate of calls. Wait a little and run the command again; it goes on where it stopped.");
        }

        if ((int)e.StatusCode >= 500 || name is "KMSInternal" or "DependencyTimeout" or "ServiceFailure" or "ServiceUnavailable")
        {
            return (
                "AwsUnavailable",
                CmekErrorKind.ResourceUnavailable,
                "Run the command again; it goes on where it stopped. See https://health.aws.amazon.com/ where it lasts.");
        }

        return (
            (int)e.StatusCode == 403 ? AccessDenied : "AwsError",
            (int)e.StatusCode == 403 ? CmekErrorKind.PermissionDenied : CmekErrorKind.InvalidArgument,
            $"The call was {permission} for {target}; AWS's code is {code}.");
    }

    /// <summary>The command that enables a key.</summary>
    public static string EnableCommand(string target) => Command("enable-key", target);

    /// <summary>The commands that rescue a key from deletion.</summary>
    public static string CancelDeletionCommand(string target) =>
        Command("cancel-key-deletion", target) + "; " + Command("enable-key", target);

    private static string Command(string verb, string target) =>
        AwsNames.TryParseKey(target) is { } key
            ? $"aws kms {verb} --key-id {key.Text} --region {key.Region}"
            : $"aws kms {verb} --key-id KEY_ARN";

    private static CmekServiceException Unreachable(string permission, string target, Exception e)
    {
        string service = Service(permission);
        string said = e is OperationCanceledException or TimeoutException ? "no answer came in time" : e.Message;
        return new CmekServiceException(
            service,
            "AwsUnreachable",
            CmekErrorKind.ConnectionError,
            $"{service} cannot be reached for {permission} on {target}: {said}",
            0,
            null,
            null,
            "Look at the network, the proxy, and AWS_ENDPOINT_URL where it is set; then run the command again.",
            target,
            e);
    }

    private static Exception? FindConnectionFault(Exception e)
    {
        for (Exception? inner = e; inner is not null; inner = inner.InnerException)
        {
            if (inner is HttpRequestException or SocketException or TimeoutException or TaskCanceledException)
            {
                return inner;
            }
        }

        return null;
    }

    private static string Service(string permission) =>
        "AWS " + permission[..permission.IndexOf(':', StringComparison.Ordinal)].ToUpperInvariant();
}
