namespace CmekTools;

/// <summary>What a look at the journal's chain showed: one for each thing that is wrong, or one that says that nothing is.</summary>
public sealed record CmekJournalCheck
{
    /// <summary>
    /// Pass where the whole chain holds; Warn for a line that was cut short and lost nothing else; Fail where lines were changed,
    /// added or taken out.
    /// </summary>
    public required CmekCheckResult Result { get; init; }

    /// <summary>The journal's file.</summary>
    public required string Path { get; init; }

    /// <summary>The line, from 1; 0 where it is about the whole file.</summary>
    public int LineNumber { get; init; }

    /// <summary>What was seen.</summary>
    public required string Seen { get; init; }

    /// <inheritdoc/>
    public override string ToString() => LineNumber == 0 ? $"{Result}: {Seen}" : $"{Result}: line {LineNumber}: {Seen}";
}
