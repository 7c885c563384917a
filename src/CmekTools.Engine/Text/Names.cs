namespace CmekTools.Engine.Text;

/// <summary>Finds the name that was probably meant.</summary>
internal static class Names
{
    /// <summary>" Did you mean X?" or nothing.</summary>
    public static string DidYouMean(string given, IEnumerable<string> known)
    {
        string? nearest = known
            .Select(k => (Name: k, Distance: Distance(given.ToUpperInvariant(), k.ToUpperInvariant())))
            .Where(k => k.Distance <= Math.Max(2, k.Name.Length / 4))
            .OrderBy(k => k.Distance)
            .Select(k => k.Name)
            .FirstOrDefault();
        return nearest is null ? string.Empty : $" Did you mean {nearest}?";
    }

    // Levenshtein's distance; names are short.
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                row[j] = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[^1];
    }
}
