namespace CmekTools.Engine.Text;

/// <summary>Writes text as one word of a POSIX shell.</summary>
internal static class BashText
{
    /// <summary>
    /// The word: as it is where that is safe, in single quotes where it is not. A NUL, which no argument can hold, is left out.
    /// </summary>
    public static string Quote(string text)
    {
        text = text.Replace("\0", string.Empty, StringComparison.Ordinal);
        bool plain = text.Length > 0 && text[0] != '~' && text[0] != '='
            && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/' or ':' or '@' or '+' or ',' or '=');
        return plain ? text : "'" + text.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
    }
}
