using CmekTools.Engine.Access;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>Everything that decides whether a role can make a call with a key, as far as it was read.</summary>
/// <param name="Key">The key.</param>
/// <param name="Role">The role.</param>
/// <param name="RoleId">The role's unique id, where it could be seen.</param>
/// <param name="Policy">The key policy.</param>
/// <param name="Own">The role's own policies.</param>
/// <param name="Boundary">The role's permissions boundary; null where it has none.</param>
/// <param name="HasBoundary">Whether it has one.</param>
/// <param name="Grants">The grants on the key.</param>
/// <param name="Now">The time.</param>
internal sealed record RoleKeyEvidence(
    KeyArn Key,
    RoleArn Role,
    string? RoleId,
    Evidence<PolicyDocument> Policy,
    RolePolicies Own,
    Evidence<PolicyDocument>? Boundary,
    Presence HasBoundary,
    Evidence<IReadOnlyList<KeyGrant>> Grants,
    DateTimeOffset Now)
{
    /// <summary>Who asks.</summary>
    public PolicyPrincipal Principal => new(Role.Account, Role.Text, RoleId) { Boundary = HasBoundary };

    /// <summary>The request's condition keys.</summary>
    public PolicyContext Context => PolicyContext.ForKey(Key, Principal, Now);
}
