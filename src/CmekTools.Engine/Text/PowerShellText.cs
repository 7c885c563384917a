using System.Text;

namespace CmekTools.Engine.Text;

/// <summary>Writes text as one argument of a PowerShell command.</summary>
internal static class PowerShellText
{
    /// <summary>The argument: as it is where that is safe, in single quotes where it is not.</summary>
    public static string Quote(string? text)
    {
        text ??= string.Empty;
        bool plain = text.Length > 0 && (char.IsAsciiLetterOrDigit(text[0]) || text[0] is '_' or '/')
            && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/' or ':' or '+' or '=');
        if (plain)
        {
            return text;
        }

        StringBuilder quoted = new("'");
        foreach (char c in text)
        {
            // PowerShell takes each of these for a single quote, and each is escaped by itself.
            if (c is '\'' or '\u2018' or '\u2019' or '\u201a' or '\u201b')
            {
                quoted.Append(c);
            }

            quoted.Append(c);
        }

        return quoted.Append('\'').ToString();
    }
}
