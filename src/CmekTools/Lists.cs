namespace CmekTools;

/// <summary>Lists as PowerShell can use them: it indexes by the runtime type, and cannot index what the compiler makes of <c>[.. x]</c>.</summary>
internal static class Lists
{
    /// <summary>The same items in an array.</summary>
    public static IReadOnlyList<T> Indexable<T>(IReadOnlyList<T> items) => items as T[] ?? items.ToArray();
}
