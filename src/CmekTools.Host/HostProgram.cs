using System.Management.Automation;
using System.Reflection;
using CmekTools.Host.Terminal;

namespace CmekTools.Host;

/// <summary>The program, with everything that it touches handed in.</summary>
internal static class HostProgram
{
    /// <summary>Ctrl-C, as shells number it.</summary>
    public const int StoppedCode = 130;

    /// <summary>SIGTERM, as shells number it.</summary>
    public const int TerminatedCode = 143;

    private const int UsageCode = 2;

    /// <summary>Does what the arguments say.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> args,
        TextReader input,
        TextWriter output,
        TextWriter error,
        HostOptions options,
        CancellationToken stop)
    {
        CommandLine command;
        try
        {
            command = CommandLine.Parse(args, options.RunbookFolder);
        }
        catch (UsageException problem)
        {
            await error.WriteLineAsync("cmek: " + problem.Message).ConfigureAwait(false);
            await error.WriteAsync(args.Count == 0 ? Resource("Usage.txt") : "'cmek help' shows what there is." + Environment.NewLine).ConfigureAwait(false);
            return UsageCode;
        }

        if (command.Kind == CommandKind.Help)
        {
            await output.WriteAsync(Resource("Usage.txt")).ConfigureAwait(false);
            return 0;
        }

        using ConsoleUserInterface ui = new(input, output, error, options, stop);
        try
        {
            using Engine engine = Engine.Open(new ConsoleHost(ui), stop);
            if (!await engine.PrepareAsync(command.ModulePath ?? options.ModulePath).ConfigureAwait(false))
                return 1;

            return command.Kind == CommandKind.Sandbox
                ? await SandboxCommand.ServeAsync(engine, command, output, stop).ConfigureAwait(false)
                : await engine.RunAsync(command.Text, isScript: command.Kind == CommandKind.RunScript).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return StoppedCode;
        }
        catch (PipelineStoppedException)
        {
            return StoppedCode;
        }
    }

    /// <summary>The text of an embedded file.</summary>
    public static string Resource(string name)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!;
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}
