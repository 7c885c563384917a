using System.Globalization;
using System.Runtime.CompilerServices;
using CmekTools.Engine.State.Shared;

namespace CmekTools.Tests.Kit;

/// <summary>
/// What this assembly does where it is started as a program with <see cref="Verb"/>: it counts in a shared folder, and tests nothing.
/// </summary>
internal static class PlaceProcess
{
    /// <summary>The first argument: then the folder, and how often.</summary>
    public const string Verb = "count-shared";

    /// <summary>What is counted in.</summary>
    public const string Name = "leases/count.json";

    /// <summary>Counts one further, however many others do.</summary>
    public static async Task CountAsync(ISharedPlace place, CancellationToken cancellation)
    {
        while (true)
        {
            SharedText? there = await place.ReadAsync(Name, 1000, cancellation);
            int count = there is null ? 0 : int.Parse(there.Text, CultureInfo.InvariantCulture);
            if (await place.WriteAsync(Name, (count + 1).ToString(CultureInfo.InvariantCulture), there?.Version, cancellation) is not null)
            {
                return;
            }
        }
    }

    [ModuleInitializer]
    internal static void Run()
    {
        if (Environment.GetCommandLineArgs() is not [_, Verb, var folder, var times])
        {
            return;
        }

        using FolderPlace place = new(folder);
        for (int i = 0; i < int.Parse(times, CultureInfo.InvariantCulture); i++)
        {
            // No code of this assembly may run on another thread before its initializers have ended.
            while (true)
            {
                SharedText? there = place.ReadAsync(Name, 1000, CancellationToken.None).GetAwaiter().GetResult();
                int count = there is null ? 0 : int.Parse(there.Text, CultureInfo.InvariantCulture);
                if (
                    place.WriteAsync(
                        Name,
                        (count + 1).ToString(CultureInfo.InvariantCulture),
                        there?.Version,
                        CancellationToken.None).GetAwaiter().GetResult() is not null)
                {
                    break;
                }
            }
        }

        Environment.Exit(0);
    }
}
