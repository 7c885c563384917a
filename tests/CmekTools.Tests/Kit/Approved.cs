using System.Runtime.CompilerServices;
using Xunit;

namespace CmekTools.Tests.Kit;

/// <summary>A text that was read once and found right; CMEKTOOLS_APPROVE=1 writes it anew, to be read again in the diff.</summary>
internal static class Approved
{
    /// <summary>Compares lines with a file beside the test, which is embedded under its own name.</summary>
    public static void Lines(string file, IEnumerable<string> lines, [CallerFilePath] string test = "")
    {
        string[] actual = [.. lines];
        if (Environment.GetEnvironmentVariable("CMEKTOOLS_APPROVE") == "1")
        {
            File.WriteAllLines(Path.Combine(Path.GetDirectoryName(test)!, file), actual);
            return;
        }

        using StreamReader reader = new(typeof(Approved).Assembly.GetManifestResourceStream(file)!);
        Assert.Equal(reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.TrimEnd('\r')), actual);
    }
}
