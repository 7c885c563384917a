using System.Text.RegularExpressions;

namespace CmekTools.Engine.State.Shared;

/// <summary>
/// The names of documents in a shared place. Others may write there: a name that is anything but a plain file's is no document.
/// </summary>
internal static partial class SharedNames
{
    public const string Receipts = "receipts";
    public const string Closings = "closings";
    public const string Inventory = "inventory";
    public const string Leases = "leases";

    /// <summary>The most documents of one shelf that are looked at.</summary>
    public const int ListLimit = 5000;

    /// <summary>True for a name that can be a file's on every platform, in no folder but its shelf.</summary>
    public static bool IsPlain(string file) => file.Length <= 160 && Plain().IsMatch(file);

    /// <summary>The file's name within its shelf.</summary>
    public static string FileOf(string name) => name[(name.LastIndexOf('/') + 1)..];

    /// <summary>The document's name on its shelf.</summary>
    public static string Of(string shelf, string file) => $"{shelf}/{file}";

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*\.json\z", RegexOptions.CultureInvariant)]
    private static partial Regex Plain();
}
