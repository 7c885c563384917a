using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp.Policies;

/// <summary>
/// What was decided of one member and one permission, with the binding, the deny policy or the hidden level that decided.
/// </summary>
/// <param name="Decision">The decision.</param>
/// <param name="Level">Where the binding stands; null where none is meant.</param>
/// <param name="Role">The binding's role.</param>
/// <param name="Member">The binding's member, which may stand for the one in question.</param>
/// <param name="Condition">The binding's condition, or null.</param>
internal sealed record PermissionDecision(Decision Decision, ResourcePolicy? Level, string Role, string Member, string? Condition)
{
    /// <summary>Nothing gives it.</summary>
    public static PermissionDecision None { get; } = new(Decision.Denied, null, string.Empty, string.Empty, null);

    /// <summary>The permission that was asked about.</summary>
    public string Permission { get; init; } = string.Empty;

    /// <summary>True where a deny policy that was read stops it, whatever allows it.</summary>
    public bool ByDenyPolicy { get; init; }

    /// <summary>What could not be read, where that decides.</summary>
    public string? Why { get; init; }

    /// <summary>The stronger of two. Of two that are equal the one without a condition lasts longer.</summary>
    public static PermissionDecision Stronger(PermissionDecision a, PermissionDecision b) =>
        b.Decision > a.Decision
            || (b.Decision == a.Decision && a.Level is not null && a.Condition is not null && b.Condition is null && b.Level is not null)
            ? b
            : a;

    /// <summary>The weaker of two, where both are needed.</summary>
    public static PermissionDecision Weaker(PermissionDecision a, PermissionDecision b) => b.Decision < a.Decision ? b : a;

    /// <summary>At most so much.</summary>
    public PermissionDecision AtMost(Decision most) => Decision > most ? this with { Decision = most } : this;

    /// <summary>In words.</summary>
    /// <param name="wanted">The member in question.</param>
    /// <param name="verb">What it wants: "use", "decrypt with".</param>
    public string Say(string wanted, string verb) => Decision switch
    {
        Decision.Allowed => $"a binding on the {Level?.Place} lets {wanted} "
            + $"{verb}{(string.Equals(Member, wanted, StringComparison.OrdinalIgnoreCase) ? string.Empty : $" (as {Member})")}{By}",
        Decision.Perhaps => $"a binding on the {Level?.Place} ({Role}, "
            + $"{Member}{(Condition is null ? string.Empty : ", if " + Condition)}) may let {wanted} {verb}{By}; that "
                + "cannot be judged from here",
        Decision.Unread => Why ?? "what decides could not be read",
        _ => ByDenyPolicy ? $"a deny policy on the {Level?.Place} stops {wanted}" : $"no binding lets {wanted} {verb}",
    };

    private string By =>
        Permission.Length == 0 || Permission is Permissions.Encrypt or Permissions.Decrypt ? string.Empty : $" by {Permission} ({Role})";
}
