using System.Text;
using System.Text.RegularExpressions;

namespace CmekTools.Benchmarks.Inputs;

/// <summary>Makes wrong input of right input, by a seed: cut, doubled, nested, other types, other characters, more of everything.</summary>
internal static partial class Mangler
{
    private static readonly string[] s_pieces =
    [
        "\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\\",
        "\0",
        "\\ud800",
        "\\udc00\\ud800",
        "\u202e",
        "\u001b[31m",
        "'",
        "`",
        "$(x)",
        "${x}",
        "%{x}",
        "*",
        "?",
        "/",
        "//",
        "..",
        "\r\n",
        "\n",
        "\t",
        " ",
        "null",
        "true",
        "false",
        "-1",
        "1e999",
        "99999999999999999999",
        "0x10",
        "NaN",
        "\"\"",
        "[]",
        "{}",
        "é",
        "漢",
        "😀",
        "\ufeff",
        "@",
        "#",
        ";",
    ];

    /// <summary>A wrong form of a text; sometimes it is still right.</summary>
    public static string Mangle(string text, Random random)
    {
        StringBuilder wrong = new(text);
        int times = 1 + random.Next(4);
        for (int i = 0; i < times; i++)
        {
            Once(wrong, random);
        }

        return wrong.ToString();
    }

    private static void Once(StringBuilder text, Random random)
    {
        int at = random.Next(text.Length + 1);
        int length = Math.Min(random.Next(1, 40), text.Length - at);
        switch (random.Next(10))
        {
            case 0:
                text.Length = at;
                break;
            case 1:
                text.Remove(at, length);
                break;
            case 2:
                text.Insert(at, text.ToString(at, length));
                break;
            case 3:
                Replace(text, random, Word(), "null", "true", "[]", "{}", "12", "\"12\"", "[[]]", "\"x\"");
                break;
            case 4:
                // A key once more, with another value.
                Replace(text, random, Member(), "\"Version\":1,\"Version\":2", "\"x\":null,\"x\":[]");
                break;
            case 5:
                int depth = random.Next(2) == 0 ? 70 : 3000;
                text.Insert(at, new string(random.Next(2) == 0 ? '[' : '(', depth));
                break;
            case 6:
                text.Insert(at, new string('a', random.Next(1, 20000)));
                break;
            default:
                text.Insert(at, s_pieces[random.Next(s_pieces.Length)]);
                break;
        }
    }

    private static void Replace(StringBuilder text, Random random, Regex pattern, params string[] by)
    {
        MatchCollection all = pattern.Matches(text.ToString());
        if (all.Count > 0)
        {
            Match one = all[random.Next(all.Count)];
            text.Remove(one.Index, one.Length).Insert(one.Index, by[random.Next(by.Length)]);
        }
    }

    [GeneratedRegex("\"[^\"]*\"|\\b\\d+\\b")]
    private static partial Regex Word();

    [GeneratedRegex("\"[^\"]*\"\\s*:\\s*\"[^\"]*\"")]
    private static partial Regex Member();
}
