namespace CmekTools.Build.Help;

/// <summary>One command's page: what a person wrote, without Markdown.</summary>
internal sealed record Page(string File, string Name)
{
    /// <summary>One sentence.</summary>
    public string Synopsis { get; init; } = string.Empty;

    public IReadOnlyList<string> Description { get; init; } = [];

    public IReadOnlyList<Entry> Parameters { get; init; } = [];

    public IReadOnlyList<Entry> Inputs { get; init; } = [];

    public IReadOnlyList<Entry> Outputs { get; init; } = [];

    public IReadOnlyList<Example> Examples { get; init; } = [];

    public IReadOnlyList<string> Notes { get; init; } = [];

    public IReadOnlyList<Link> Links { get; init; } = [];
}

/// <summary>A heading of the third level and the paragraphs under it.</summary>
internal sealed record Entry(string Name, int Line, IReadOnlyList<string> Text);

internal sealed record Link(string Text, string Target);

/// <summary>An example: its words, its commands, and what they print.</summary>
internal sealed record Example(string Title, int Line, IReadOnlyList<string> Text, string Code)
{
    /// <summary>Commands that have to run before it and that readers are not shown.</summary>
    public string? Before { get; init; }

    /// <summary>Why it cannot run on the sandbox, or null.</summary>
    public string? NotRun { get; init; }

    /// <summary>What it prints, or null where the page shows nothing.</summary>
    public string? Output { get; init; }

    /// <summary>Where the output's lines stand in the page: the first after the opening fence, and the closing fence.</summary>
    public (int First, int End) OutputLines { get; init; }
}
