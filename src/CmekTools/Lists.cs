using System.Collections.ObjectModel;

namespace CmekTools;

/// <summary>
/// Lists as scripts can use them: PowerShell indexes by the runtime type, and Export-Csv writes what a list says of itself.
/// </summary>
internal static class Lists
{
    /// <summary>The same items in a list that says them.</summary>
    public static IReadOnlyList<T> Indexable<T>(IReadOnlyList<T> items) => items as TellingList<T> ?? new TellingList<T>([.. items]);

    /// <summary>The same pairs in a map that says them.</summary>
    public static IReadOnlyDictionary<string, string> Telling(IReadOnlyDictionary<string, string> pairs) =>
        pairs as TellingMap ?? new TellingMap(pairs as IDictionary<string, string> ?? new Dictionary<string, string>(pairs));

    private sealed class TellingList<T>(IList<T> items) : ReadOnlyCollection<T>(items)
    {
        public override string ToString() => string.Join("; ", this);
    }

    private sealed class TellingMap(IDictionary<string, string> pairs) : ReadOnlyDictionary<string, string>(pairs)
    {
        public override string ToString() => string.Join("; ", this.Select(p => $"{p.Key}={p.Value}"));
    }
}
