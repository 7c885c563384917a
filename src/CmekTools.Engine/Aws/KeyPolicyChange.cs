using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>A change of a key policy.</summary>
/// <param name="Apply">Makes the change in a copy; called again on what is there when it is sent. Where the change is there it does
/// nothing.</param>
/// <param name="Summary">One line.</param>
/// <param name="RoleArn">The role that it is about.</param>
internal sealed record KeyPolicyChange(Action<PolicyDocument> Apply, string Summary, string RoleArn)
{
    /// <summary>The role's unique id, which stands for its ARN in what is read back.</summary>
    public string? RoleId { get; init; }

    /// <summary>True where IAM may not have spread the role yet, so that the service's refusal heals.</summary>
    public bool MayBeNew { get; init; }

    /// <summary>
    /// True where it is made once more if somebody writes over it; else, for what a revocation may have taken back, that is an error.
    /// </summary>
    public bool Repeats { get; init; }

    /// <summary>True where it is enough that the change is there, whatever others wrote at the same moment.</summary>
    public bool EnoughWhereIn { get; init; }
}
