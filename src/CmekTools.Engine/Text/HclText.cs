using System.Globalization;
using System.Text;

namespace CmekTools.Engine.Text;

/// <summary>Writes text as a string or a name of Terraform's language.</summary>
internal static class HclText
{
    /// <summary>A quoted string that means exactly the text: no interpolation, no directive, no end of line in it.</summary>
    public static string Quote(string text)
    {
        StringBuilder quoted = new("\"");
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            switch (c)
            {
                case '\\' or '"':
                    quoted.Append('\\').Append(c);
                    break;
                case '\n':
                    quoted.Append("\\n");
                    break;
                case '\r':
                    quoted.Append("\\r");
                    break;
                case '\t':
                    quoted.Append("\\t");
                    break;
                case '$' or '%' when i + 1 < text.Length && text[i + 1] == '{':
                    quoted.Append(c).Append(c);
                    break;
                case < ' ' or '\u007f' or '\u0085' or '\u2028' or '\u2029' or '\ufeff':
                    quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                    break;
                default:
                    quoted.Append(c);
                    break;
            }
        }

        return quoted.Append('"').ToString();
    }

    /// <summary>A name for a resource, made of a text: letters, digits and underscores.</summary>
    public static string Name(string text)
    {
        string name = new([.. text.Select(c => char.IsAsciiLetterOrDigit(c) || c == '_' ? c : '_')]);
        return name.Length > 0 && char.IsAsciiLetter(name[0]) ? name : "c_" + name;
    }
}
