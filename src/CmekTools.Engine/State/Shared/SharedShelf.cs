namespace CmekTools.Engine.State.Shared;

/// <summary>One kind of documents in a shared place: what of others' is taken in on this machine, and what is given.</summary>
/// <param name="name">The shelf's name.</param>
/// <param name="sizeLimit">The most bytes of one document; longer ones are left alone.</param>
internal abstract class SharedShelf(string name, int sizeLimit)
{
    /// <summary>The shelf's name.</summary>
    public string Name { get; } = name;

    /// <summary>The most bytes of one document.</summary>
    public int SizeLimit { get; } = sizeLimit;

    /// <summary>A new look begins: nothing that was remembered of the files here counts any more.</summary>
    public virtual void Begin()
    {
    }

    /// <summary>The documents that this machine gives.</summary>
    public abstract IReadOnlyList<GivenDocument> Given();

    /// <summary>True where others' documents of this name are looked at too.</summary>
    public virtual bool Takes(string file, bool given) => !given;

    /// <summary>Takes in what somebody wrote there. Anybody may have.</summary>
    public abstract void Take(string file, string text);

    /// <summary>What is written in place of what is there; null: what is there stays.</summary>
    /// <param name="file">The document's name.</param>
    /// <param name="mine">What this machine gives.</param>
    /// <param name="theirs">What is there.</param>
    public abstract string? Over(string file, string mine, string theirs);
}

/// <summary>A document that this machine gives.</summary>
/// <param name="File">Its name on the shelf.</param>
/// <param name="Text">What it says.</param>
internal sealed record GivenDocument(string File, string Text);
