namespace CmekTools.Engine.Aws;

/// <summary>An IAM role as it is now.</summary>
/// <param name="Name">The name.</param>
/// <param name="Arn">The ARN, with the path.</param>
/// <param name="Id">The unique id: another role of the same name has another one.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="TrustPolicy">The trust policy's text.</param>
/// <param name="Tags">The tags.</param>
/// <param name="BoundaryArn">The permissions boundary, or null.</param>
internal sealed record IamRole(
    string Name,
    string Arn,
    string Id,
    DateTimeOffset? CreatedAt,
    string TrustPolicy,
    IReadOnlyDictionary<string, string> Tags,
    string? BoundaryArn);

/// <summary>The few calls of AWS IAM that are needed. AWSSDK.IdentityManagement can stand behind it where it is to be had.</summary>
internal interface IIamService : IDisposable
{
    /// <summary>Reads a role.</summary>
    Task<IamRole> GetRoleAsync(string name, CancellationToken cancellation);

    /// <summary>Makes a role.</summary>
    Task<IamRole> CreateRoleAsync(
        string name, string trustPolicy, string description, IReadOnlyDictionary<string, string> tags, CancellationToken cancellation);

    /// <summary>Replaces a role's trust policy.</summary>
    Task UpdateAssumeRolePolicyAsync(string name, string trustPolicy, CancellationToken cancellation);

    /// <summary>Adds tags to a role.</summary>
    Task TagRoleAsync(string name, IReadOnlyDictionary<string, string> tags, CancellationToken cancellation);

    /// <summary>The names of a role's inline policies.</summary>
    Task<IReadOnlyList<string>> ListRolePoliciesAsync(string name, CancellationToken cancellation);

    /// <summary>The text of an inline policy.</summary>
    Task<string> GetRolePolicyAsync(string name, string policyName, CancellationToken cancellation);

    /// <summary>The ARNs of the managed policies that are attached to a role.</summary>
    Task<IReadOnlyList<string>> ListAttachedRolePoliciesAsync(string name, CancellationToken cancellation);

    /// <summary>The text of a managed policy's default version.</summary>
    Task<string> GetManagedPolicyAsync(string policyArn, CancellationToken cancellation);

    /// <summary>
    /// What a user's or role's own policies, boundary and organization say to calls on a key. Who calls, and in which region, is told to
    /// the policies' conditions; what else they ask for is in the answer.
    /// </summary>
    Task<IReadOnlyList<SimulatedCall>> SimulateAsync(
        string principalArn,
        IReadOnlyList<string> actions,
        KeyArn key,
        CancellationToken cancellation);
}
