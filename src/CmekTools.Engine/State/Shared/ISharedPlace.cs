namespace CmekTools.Engine.State.Shared;

/// <summary>
/// A place that several people and machines write documents to: a folder, or a bucket. Nobody holds a lock in it; whoever writes says
/// over which version, and is told where somebody else was first. Whatever goes wrong is a <see cref="SharedPlaceException"/>.
/// </summary>
internal interface ISharedPlace : IDisposable
{
    /// <summary>The folder, or <c>s3://bucket/prefix</c>, or <c>gs://bucket/prefix</c>.</summary>
    string Address { get; }

    /// <summary>How somebody takes a document away by hand.</summary>
    /// <param name="name">The document.</param>
    /// <returns>A command line.</returns>
    string RemovalOf(string name);

    /// <summary>Lists a shelf. A name that no document of ours has is left out.</summary>
    /// <param name="shelf"><c>receipts</c>, <c>closings</c>, <c>inventory</c> or <c>leases</c>.</param>
    /// <param name="cancellation">Ends it.</param>
    Task<IReadOnlyList<SharedEntry>> ListAsync(string shelf, CancellationToken cancellation);

    /// <summary>Reads a document; null where there is none.</summary>
    /// <param name="name">The shelf and the document's name, with a slash between.</param>
    /// <param name="limit">The most bytes; a longer one is a failure.</param>
    /// <param name="cancellation">Ends it.</param>
    Task<SharedText?> ReadAsync(string name, int limit, CancellationToken cancellation);

    /// <summary>Writes a document whole, over exactly one version.</summary>
    /// <param name="name">The shelf and the document's name, with a slash between.</param>
    /// <param name="text">The document.</param>
    /// <param name="over">The version that it replaces; null: there must be none.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>The new version; null where another one than <paramref name="over"/> is there: nothing was written then.</returns>
    Task<string?> WriteAsync(string name, string text, string? over, CancellationToken cancellation);
}

/// <summary>A document in a list.</summary>
/// <param name="Name">The shelf and the document's name, with a slash between.</param>
/// <param name="Version">What changes with every write.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Modified">When it was written, by the place's clock.</param>
internal sealed record SharedEntry(string Name, string Version, long Size, DateTimeOffset Modified);

/// <summary>A document that was read.</summary>
/// <param name="Text">What it says.</param>
/// <param name="Version">The version that it was.</param>
internal sealed record SharedText(string Text, string Version);

/// <summary>A shared place cannot be used, or not just now.</summary>
/// <param name="message">What went wrong.</param>
/// <param name="inner">The cause.</param>
internal sealed class SharedPlaceException(string message, Exception? inner = null) : Exception(message, inner);
