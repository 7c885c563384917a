using System.Text.RegularExpressions;
using System.Xml.Linq;
using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws;

/// <summary>AWS STS.</summary>
internal static partial class StsApi
{
    /// <summary>The namespace of its answers.</summary>
    public static XNamespace Space { get; } = "https://sts.amazonaws.com/doc/2011-06-15/";

    /// <summary>Does an operation.</summary>
    public static IEnumerable<object?>? Invoke(QueryCall call, string operation) => operation switch
    {
        "GetCallerIdentity" =>
        [
            new XElement("Arn", call.Caller.Arn),
            new XElement("UserId", call.Caller.UserId),
            new XElement("Account", call.Caller.AccountId),
        ],
        "AssumeRole" => Assume(call),
        _ => throw new AwsErrorException("InvalidAction", $"Could not find operation {operation} for version 2011-06-15"),
    };

    /// <summary>Makes credentials for a role's session. They are not good for requests until the world has them.</summary>
    /// <exception cref="AwsErrorException">It is refused.</exception>
    public static AwsCredential Assume(
        AwsWorld world,
        AwsCaller caller,
        string roleArn,
        string session,
        string? externalId,
        int seconds,
        string? policy)
    {
        if (!RoleArn().IsMatch(roleArn))
        {
            throw QueryCall.Invalid($"{roleArn} is invalid");
        }

        if (!SessionName().IsMatch(session))
        {
            throw QueryCall.Invalid(
                $"1 validation error detected: Value '{session}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy "
                    + "regular expression pattern: [\\w+=,.@-]*");
        }

        // A root user has no policies that could let it, and AWS says so.
        if (caller.UniqueId == caller.AccountId)
        {
            throw new AwsErrorException("AccessDenied", "Roles may not be assumed by root accounts.", 403);
        }

        // AWS says the same of a role that is not there, so that nobody can look for names.
        if (world.FindPrincipal(roleArn) is not IamRole role || !world.HasSpread(role))
        {
            throw Denied(caller, roleArn, null);
        }

        PolicyQuestion question = Questions.Make(world, caller, "sts:AssumeRole", roleArn);
        Questions.Add(question, "sts:ExternalId", externalId);
        Questions.Add(question, "sts:RoleSessionName", session);
        if (Authorizer.Decide(question, role.Trust.Effective(world.Now, world.Lag).Parsed, PolicyKind.Trust, role.AccountId) is { } reason)
        {
            throw Denied(caller, roleArn, reason);
        }

        if (seconds > role.MaxSessionDuration)
        {
            throw QueryCall.Invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
        }

        return new AwsCredential(AwsIds.AccessKey("ASIA"), AwsIds.Secret(30), role)
        {
            SessionName = session,
            SessionToken = AwsIds.Secret(96),
            Expiration = world.Now.AddSeconds(seconds),
            SessionPolicy = SessionPolicy(policy),
        };
    }

    private static IEnumerable<object?> Assume(QueryCall call)
    {
        AwsCredential credential = Assume(
            call.World,
            call.Caller,
            call.Need("RoleArn"),
            call.Need("RoleSessionName"),
            call.Text("ExternalId"),
            call.Number("DurationSeconds", 3600, 900, 43200),
            call.Text("Policy"));
        call.World.Add(credential);
        return Show(credential);
    }

    private static PolicyDocument? SessionPolicy(string? text)
    {
        try
        {
            return text is null ? null : StoredPolicy.Identity(text).Parsed;
        }
        catch (FormatException e)
        {
            throw new AwsErrorException("MalformedPolicyDocument", e.Message);
        }
    }

    // STS gives a reason only for an explicit deny.
    private static AwsErrorException Denied(AwsCaller caller, string roleArn, string? reason) => new(
        "AccessDenied",
        $"User: {caller.Arn} is not authorized to perform: sts:AssumeRole on resource: {roleArn}"
            + (reason is not null && reason.StartsWith("with ", StringComparison.Ordinal) ? " " + reason : string.Empty),
        403);

    private static IEnumerable<object?> Show(AwsCredential credential) =>
    [
        new XElement(
            "Credentials",
            new XElement("AccessKeyId", credential.AccessKeyId),
            new XElement("SecretAccessKey", credential.SecretAccessKey),
            new XElement("SessionToken", credential.SessionToken),
            new XElement("Expiration", QueryCall.Time(credential.Expiration))),
        new XElement(
            "AssumedRoleUser",
            new XElement("AssumedRoleId", $"{credential.Principal.UniqueId}:{credential.SessionName}"),
            new XElement("Arn", credential.Arn)),
    ];

    [GeneratedRegex(@"^arn:aws[a-z-]*:iam::\d{12}:role/.+$")]
    private static partial Regex RoleArn();

    [GeneratedRegex(@"^[\w+=,.@-]{2,64}$")]
    private static partial Regex SessionName();
}
