namespace CmekTools;

/// <summary>One change, from its announcement in the journal to how it ended.</summary>
public sealed record CmekJournalEntry
{
    /// <summary>When it was announced: before the request was sent.</summary>
    public DateTimeOffset Time { get; init; }

    /// <summary>
    /// How it ended: done, failed (the service said no, or nothing was sent), cancelled (stopped before the answer), unknown (no answer
    /// came, or the process stopped in between), or "not made" where a later command looked and did not find it.
    /// </summary>
    public required string Outcome { get; init; }

    /// <summary>When it ended, or null.</summary>
    public DateTimeOffset? EndTime { get; init; }

    /// <summary>The command.</summary>
    public string? Command { get; init; }

    /// <summary>The run of the command that it belongs to.</summary>
    public string? RunId { get; init; }

    /// <summary>The service's call, for example kms:PutKeyPolicy.</summary>
    public string? Kind { get; init; }

    /// <summary>The resource.</summary>
    public string? Target { get; init; }

    /// <summary>What was to be done.</summary>
    public string? Summary { get; init; }

    /// <summary>The resource as it was, JSON.</summary>
    public string? Before { get; init; }

    /// <summary>The resource as it was to be, JSON.</summary>
    public string? After { get; init; }

    /// <summary>True while nobody has looked whether the change was made: unknown or cancelled, and not settled since.</summary>
    public bool IsUnsettled => Outcome is "unknown" or "cancelled";

    /// <summary>The id of the cluster that it was for, or null.</summary>
    public string? ClusterId { get; init; }

    /// <summary>The name of the cluster that it was for, or null.</summary>
    public string? ClusterName { get; init; }

    /// <summary>The organization's id.</summary>
    public string? OrganizationId { get; init; }

    /// <summary>
    /// Who ran the command: the machine's user, the API key's id and the identity at the cloud, as far as they were known.
    /// </summary>
    public string? Who { get; init; }

    /// <summary>The machine's name.</summary>
    public string? Machine { get; init; }

    /// <summary>The version of CmekTools.</summary>
    public string? ToolVersion { get; init; }

    /// <summary>The change's id in the journal.</summary>
    public string? Id { get; init; }

    /// <summary>Why it failed, or null.</summary>
    public string? Message { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Time:O} {Outcome} {Kind} {Target}: {Summary}";
}
