using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using CmekTools.Engine.State;

namespace CmekTools.Tests.Kit;

/// <summary>
/// What this assembly does where it is started as a program with <see cref="Verb"/>: it writes journal lines, and tests nothing.
/// </summary>
internal static class JournalProcess
{
    /// <summary>The first argument: then the journal's file, the writer's number and how many lines.</summary>
    public const string Verb = "write-journal";

    [ModuleInitializer]
    internal static void Run()
    {
        if (Environment.GetCommandLineArgs() is not [_, Verb, var path, var writer, var lines])
        {
            return;
        }

        for (int i = 0; i < int.Parse(lines, CultureInfo.InvariantCulture); i++)
        {
            JournalWriter.Append(path, new JsonObject
            {
                ["v"] = JournalWriter.Version,
                ["id"] = $"{writer}-{i}",
                ["phase"] = "begin",
                ["writer"] = int.Parse(writer, CultureInfo.InvariantCulture),
                ["number"] = i,
                // Lines of all lengths, also beyond a page.
                ["summary"] = new string('x', i * 37 % 5000),
            });
            Console.Out.Write($"{i}\n");
            Console.Out.Flush();
        }

        Environment.Exit(0);
    }
}
