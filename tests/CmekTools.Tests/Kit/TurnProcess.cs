using System.Runtime.CompilerServices;
using CmekTools.Engine.State;

namespace CmekTools.Tests.Kit;

/// <summary>
/// What this assembly does where it is started as a program with <see cref="Verb"/>: it holds a lock until its input ends or it is killed,
/// and tests nothing.
/// </summary>
internal static class TurnProcess
{
    /// <summary>The first argument: then the lock's file.</summary>
    public const string Verb = "hold-lock";

    [ModuleInitializer]
    internal static void Run()
    {
        if (Environment.GetCommandLineArgs() is not [_, Verb, var path])
        {
            return;
        }

        using (FileLock.Hold(path))
        {
            Console.Out.Write("held\n");
            Console.Out.Flush();
            Console.In.ReadLine();
        }

        Environment.Exit(0);
    }
}
