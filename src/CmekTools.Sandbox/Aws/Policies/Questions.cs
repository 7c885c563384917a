using System.Globalization;

namespace CmekTools.Sandbox.Aws.Policies;

/// <summary>Makes questions with the condition keys that every request has.</summary>
internal static class Questions
{
    // The sandbox's world has one organization: the customer's account is in it, the clusters' are not.
    private const string Organization = "o-sandbox0001";

    /// <summary>A question with the global condition keys.</summary>
    public static PolicyQuestion Make(AwsWorld world, AwsCaller caller, string action, string resource)
    {
        PolicyQuestion question = Bare(world, caller, action, resource);
        Add(question, "aws:PrincipalArn", caller.PrincipalArn);
        Add(question, "aws:PrincipalAccount", caller.AccountId);
        Add(question, "aws:PrincipalType", caller.Arn == caller.PrincipalArn ? "User" : "AssumedRole");
        Add(question, "aws:userid", caller.UserId);
        Add(question, "aws:SourceIp", "127.0.0.1");
        Add(question, "aws:CurrentTime", world.Now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        Add(question, "aws:EpochTime", world.Now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));

        // The sandbox speaks plain HTTP on loopback and stands for an endpoint that is only reached by TLS.
        Add(question, "aws:SecureTransport", "true");
        Add(question, "aws:ViaAWSService", "false");
        if (caller.AccountId == world.CustomerAccount)
        {
            Add(question, "aws:PrincipalOrgID", Organization);
        }

        return question;
    }

    /// <summary>A question without any condition key.</summary>
    public static PolicyQuestion Bare(AwsWorld world, AwsCaller caller, string action, string resource) => new(caller, action, resource)
    {
        Organization = caller.AccountId == world.CustomerAccount ? [.. world.ServiceControlPolicies.Select(p => p.Parsed)] : [],
    };

    /// <summary>Adds a condition key; null leaves it absent.</summary>
    public static void Add(PolicyQuestion question, string key, string? value)
    {
        if (value is not null)
        {
            question.Keys[key] = [value];
        }
    }
}
