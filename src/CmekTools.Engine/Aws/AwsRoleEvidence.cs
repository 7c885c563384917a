using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>A role and everything of its own that limits or allows it, as far as it could be read.</summary>
/// <param name="Arn">The role.</param>
/// <param name="Role">What IAM says of it.</param>
/// <param name="Own">Its own policies.</param>
/// <param name="Boundary">Its permissions boundary; null where it has none, or where the role could not be read.</param>
internal sealed record AwsRoleEvidence(RoleArn Arn, Evidence<IamRole> Role, RolePolicies Own, Evidence<PolicyDocument>? Boundary)
{
    /// <summary>Whether it has a permissions boundary. A role that is not there has none.</summary>
    public Presence HasBoundary => Role.Value is { } role
        ? role.BoundaryArn is null ? Presence.Absent : Presence.Present
        : Role.Missing ? Presence.Absent : Presence.Unknown;

    /// <summary>Together with the key's side.</summary>
    public RoleKeyEvidence Access(
        KeyArn key,
        Evidence<PolicyDocument> policy,
        Evidence<IReadOnlyList<KeyGrant>> grants,
        DateTimeOffset now) =>
        new(key, Arn, Role.Value?.Id, policy, Own, Boundary, HasBoundary, grants, now);
}
