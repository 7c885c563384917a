using System.Globalization;
using System.Management.Automation.Language;
using System.Text;
using System.Text.RegularExpressions;

namespace CmekTools.Host;

internal enum CommandKind
{
    Help,
    RunScript,
    RunCommand,
    Sandbox,
}

/// <summary>The command line is not understood.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>What the command line asks for.</summary>
internal sealed partial record CommandLine(CommandKind Kind)
{
    /// <summary>The text that the engine runs.</summary>
    public string Text { get; private init; } = string.Empty;

    /// <summary>The module that takes the place of the built one.</summary>
    public string? ModulePath { get; private init; }

    public int? Port { get; private init; }

    public IReadOnlyList<string> Clusters { get; private init; } = [];

    /// <exception cref="UsageException">The arguments are not understood.</exception>
    public static CommandLine Parse(IReadOnlyList<string> args, string runbookFolder)
    {
        string? module = null;
        int next = 0;
        while (next < args.Count && args[next] == "--module")
        {
            module = next + 1 < args.Count ? Path.GetFullPath(args[next + 1]) : throw new UsageException("--module needs a path.");
            if (!File.Exists(module))
                throw new UsageException($"There is no module at {module}.");
            next += 2;
        }

        if (next == args.Count)
            throw new UsageException("Say what to do.");

        string[] rest = [.. args.Skip(next + 1)];
        CommandLine parsed = args[next] switch
        {
            "help" or "-h" or "--help" or "-?" => new(CommandKind.Help),
            "drill" => Script(Path.Combine(runbookFolder, "drill.ps1"), rest),
            "run" => rest.Length == 0 ? throw new UsageException("run needs a script.") : Script(Path.GetFullPath(rest[0]), rest[1..]),
            "-c" or "--command" => rest.Length == 0
                ? throw new UsageException("-c needs a command.")
                : new(CommandKind.RunCommand) { Text = string.Join(' ', rest) },
            "sandbox" => Sandbox(rest),
            string other => throw new UsageException($"There is no command '{other}'."),
        };
        return parsed with { ModulePath = module };
    }

    private static CommandLine Script(string path, string[] arguments)
    {
        if (!File.Exists(path))
            throw new UsageException($"There is no script at {path}.");

        // The language itself binds the arguments; whatever is not the name of a parameter is quoted, so that nothing in it is run.
        StringBuilder text = new("& " + Quote(path));
        foreach (string argument in arguments)
        {
            Match named = ParameterName().Match(argument);
            text.Append(' ').Append(
                !named.Success ? Quote(argument)
                : !named.Groups["value"].Success ? argument
                : named.Groups["name"].Value + ":" + Value(named.Groups["value"].Value));
        }

        return new(CommandKind.RunScript) { Text = text.ToString() };
    }

    private static string Value(string value) =>
        value.ToUpperInvariant() is "$TRUE" or "$FALSE" or "$NULL" ? value : Quote(value);

    private static string Quote(string value) => "'" + CodeGeneration.EscapeSingleQuotedStringContent(value) + "'";

    private static CommandLine Sandbox(string[] arguments)
    {
        int? port = null;
        List<string> clusters = [];
        for (int index = 0; index < arguments.Length; index += 2)
        {
            string? value = index + 1 < arguments.Length ? arguments[index + 1] : null;
            switch (arguments[index])
            {
                case "--port" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= 65535:
                    port = number;
                    break;
                case "--port":
                    throw new UsageException("--port needs a number from 0 to 65535.");
                case "--cluster" when value is not null:
                    clusters.Add(value);
                    break;
                case "--cluster":
                    throw new UsageException("--cluster needs NAME=AWS:REGION[,REGION].");
                default:
                    throw new UsageException($"sandbox does not know '{arguments[index]}'.");
            }
        }

        return new(CommandKind.Sandbox) { Port = port, Clusters = clusters };
    }

    [GeneratedRegex(@"^(?<name>-[\p{L}_]\w*)(:(?<value>.*))?$", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex ParameterName();
}
