using System.Reflection;

namespace CmekTools.Host;

/// <summary>What the host knows of its surroundings; a test says them, <see cref="ForConsole"/> looks.</summary>
internal sealed record HostOptions
{
    /// <summary>Width of lines where nobody says how wide they are.</summary>
    public const int DefaultWidth = 120;

    /// <summary>The module's manifest.</summary>
    public required string ModulePath { get; init; }

    /// <summary>The folder of the drill.</summary>
    public required string RunbookFolder { get; init; }

    /// <summary>Somebody is there to answer questions.</summary>
    public bool InputIsTerminal { get; init; }

    /// <summary>The output is read by a person, on something that knows escape sequences.</summary>
    public bool OutputIsTerminal { get; init; }

    /// <summary>The errors are read by a person, on something that knows escape sequences.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>Colours are welcome where there is a terminal.</summary>
    public bool Color { get; init; }

    /// <summary>The width of a line, asked each time: windows are resized.</summary>
    public Func<int> Width { get; init; } = () => DefaultWidth;

    /// <summary>Reads one key without showing it, or null where there are no keys.</summary>
    public Func<ConsoleKeyInfo>? ReadKey { get; init; }

    /// <summary>The options of this process.</summary>
    public static HostOptions ForConsole()
    {
        bool dumb = string.Equals(Environment.GetEnvironmentVariable("TERM"), "dumb", StringComparison.Ordinal);
        bool inputIsTerminal = !Console.IsInputRedirected;
        bool outputIsTerminal = !Console.IsOutputRedirected && !dumb;
        return new HostOptions
        {
            ModulePath = Metadata("ModuleManifest"),
            RunbookFolder = Metadata("Runbooks"),
            InputIsTerminal = inputIsTerminal,
            OutputIsTerminal = outputIsTerminal,
            ErrorIsTerminal = !Console.IsErrorRedirected && !dumb,
            Color = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")),
            Width = outputIsTerminal ? TerminalWidth : () => DefaultWidth,
            ReadKey = inputIsTerminal ? () => Console.ReadKey(intercept: true) : null,
        };
    }

    private static string Metadata(string key) =>
        Path.GetFullPath(
            typeof(HostOptions).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(item => item.Key == key).Value!);

    private static int TerminalWidth()
    {
        try
        {
            int width = Console.WindowWidth;
            return width > 0 ? width : DefaultWidth;
        }
        catch (IOException)
        {
            // A terminal that does not tell its size.
            return DefaultWidth;
        }
    }
}
