using System.Text.Json.Nodes;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>How a statement names the principal that asks. What an Allow is worth beside a permissions boundary hangs on it.</summary>
internal enum PrincipalReach
{
    /// <summary>By the account: the account's own policies decide.</summary>
    Account,

    /// <summary>By the role: a boundary that does not allow it stops it.</summary>
    Role,

    /// <summary>As everybody.</summary>
    Everybody,

    /// <summary>
    /// As everybody, limited by <c>aws:PrincipalArn</c>, or a session by its own ARN: only a Deny of a boundary stops it.
    /// </summary>
    Session,

    /// <summary>A policy of the role itself, which names nobody.</summary>
    Own,
}

/// <summary>One statement that concerns the call.</summary>
/// <param name="Certainty">Yes or Perhaps.</param>
/// <param name="Reach">How it names the principal.</param>
/// <param name="Reason">A line that says it.</param>
/// <param name="Statement">The statement.</param>
/// <param name="Lasts">False where it hangs on the time.</param>
internal sealed record StatementFinding(Certainty Certainty, PrincipalReach Reach, string Reason, JsonObject Statement, bool Lasts);

/// <summary>
/// What one document says to one call, its denies and its allows apart: documents are joined by their denies first, so that a Deny that
/// only may hold is
/// not lost where the document allows nothing.
/// </summary>
/// <param name="Denies">The statements that deny it, or may.</param>
/// <param name="Allows">The statements that allow it, or may.</param>
internal sealed record PolicyFindings(IReadOnlyList<StatementFinding> Denies, IReadOnlyList<StatementFinding> Allows)
{
    /// <summary>The Deny that certainly holds.</summary>
    public StatementFinding? Denied => Denies.FirstOrDefault(d => d is { Certainty: Certainty.Yes, Lasts: true })
        ?? Denies.FirstOrDefault(d => d.Certainty == Certainty.Yes);

    /// <summary>A Deny that may hold.</summary>
    public StatementFinding? MayDeny => Denies.FirstOrDefault(d => d.Certainty == Certainty.Perhaps);

    /// <summary>How sure it is that the document allows it, for a document that names no principal.</summary>
    public Certainty Allowed => Certainties.Any(Allows.Select(a => a.Certainty));

    /// <summary>The strongest Allow.</summary>
    public StatementFinding? Allow => Allows.OrderByDescending(a => a.Certainty).FirstOrDefault();
}
