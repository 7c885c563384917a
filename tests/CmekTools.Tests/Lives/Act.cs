namespace CmekTools.Tests.Lives;

/// <summary>What an act may change, for the model.</summary>
internal enum ActKind
{
    /// <summary>It lets nobody in that was cut off, and takes no key away.</summary>
    Other,

    /// <summary>It cuts a cluster off.</summary>
    Revoke,

    /// <summary>It may let in again whom the cluster acts as, or who is named.</summary>
    Restore,

    /// <summary>It schedules a key's deletion, where nobody uses it.</summary>
    Remove,
}

/// <summary>One command of one operator.</summary>
/// <param name="Kind">What it may change.</param>
/// <param name="Script">The command.</param>
internal sealed record Act(ActKind Kind, string Script)
{
    /// <summary>The clusters that it is about.</summary>
    public IReadOnlyList<string> Clusters { get; init; } = [];

    /// <summary>A principal that a restore names, or null.</summary>
    public string? Named { get; init; }

    /// <summary>True where a revocation also schedules the keys' deletion.</summary>
    public bool Permanent { get; init; }

    /// <summary>True where a revocation leaves the keys alone.</summary>
    public bool ServiceOnly { get; init; }

    /// <summary>True for a dry run.</summary>
    public bool WhatIf { get; init; }
}
