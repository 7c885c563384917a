using System.Reflection;
using System.Text.RegularExpressions;
using CmekTools.Engine.Aws;
using CmekTools.Engine.Gcp;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Shipping;

/// <summary>The engine's folders are its rooms: what stands in an upper one may use a lower one, never the other way round.</summary>
public sealed partial class RoomsTests
{
    // From the bottom up. Rooms of one line may use each other only where s_neighbours says so.
    private static readonly string[][] s_floors =
    [
        ["Text"],
        ["Pacing"],
        ["CloudApi"],
        ["Access"],
        ["State"],
        ["Aws.Policies", "Gcp.Policies"],
        ["Aws", "Gcp"],
        ["Clusters"],
        ["Checks"],
        ["Lifecycle", "BreakGlass"],
    ];

    private static readonly (string From, string To)[] s_neighbours = [("BreakGlass", "Lifecycle")];

    [Fact]
    public void ARoomUsesOnlyRoomsBelowIt()
    {
        List<string> wrong = [];
        foreach ((string file, string room, string used) in References())
        {
            int from = Floor(room);
            int to = Floor(used);
            bool allowed = to < from || used == room || used.StartsWith(room + ".", StringComparison.Ordinal)
                || s_neighbours.Contains((room, used));
            bool otherCloud = (room + used).Contains("Aws", StringComparison.Ordinal)
                && (room + used).Contains("Gcp", StringComparison.Ordinal);
            if (!allowed || otherCloud)
            {
                wrong.Add($"{file} ({room}) uses {used}");
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void EveryFolderOfTheEngineIsARoomThatIsKnown()
    {
        string[] known = [.. s_floors.SelectMany(f => f)];
        Assert.Empty(
            Sources().Select(s => s.Room).Where(
                r => r.Length > 0 && !known.Any(k => r == k || r.StartsWith(k + ".", StringComparison.Ordinal))).Distinct());
    }

    [Fact]
    public void WhatContributingSaysWhereToLookIsThere()
    {
        string page = File.ReadAllText(Path.Combine(ExternalProgram.RepositoryRoot, "CONTRIBUTING.md"));
        string[] places =
        [
            .. Place().Matches(page).Select(m => "src/CmekTools." + m.Groups[1].Value),
            .. FullPlace().Matches(page).Select(m => m.Groups[1].Value),
        ];
        Assert.True(places.Length >= 12, "The table that says where to look was not found.");
        Assert.All(places, p => Assert.True(IsThere(p), p + " is not there."));

        static bool IsThere(string place)
        {
            string path = Path.Combine(ExternalProgram.RepositoryRoot, place);
            return Directory.Exists(path) || Directory.GetFiles(Path.GetDirectoryName(path)!, Path.GetFileName(path)).Length > 0;
        }
    }

    [Fact]
    public void EachPartOfAProviderHasTheSameNameOnEachCloud()
    {
        string page = File.ReadAllText(Path.Combine(ExternalProgram.RepositoryRoot, "CONTRIBUTING.md"));
        string[] parts = [.. Part().Matches(page).Select(m => m.Groups[1].Value)];
        string engine = Path.Combine(ExternalProgram.RepositoryRoot, "src", "CmekTools.Engine");
        Assert.Contains("KeyProvider", parts);
        Assert.All(
            from part in parts from cloud in (string[])["Aws", "Gcp"] select Path.Combine(engine, cloud, cloud + part + ".cs"),
            file => Assert.True(File.Exists(file), file + " is not there."));
        string[] Facade(Type provider, string cloud) =>
        [
            .. provider.GetFields(BindingFlags.Instance | BindingFlags.NonPublic)
                .Select(f => f.FieldType.Name)
                .Where(n => n.StartsWith(cloud, StringComparison.Ordinal))
                .Select(n => n[cloud.Length..]),
        ];
        Assert.Empty(Facade(typeof(AwsKeyProvider), "Aws").Except(parts));
        Assert.Empty(Facade(typeof(GcpKeyProvider), "Gcp").Except(parts));
    }

    [Fact]
    public void NeitherSandboxNorPublicTypesShareCodeWithTheEngine()
    {
        string root = ExternalProgram.RepositoryRoot;
        string[] guilty =
        [
            .. new[] { "src/CmekTools", "src/CmekTools.Sandbox" }
                .SelectMany(f => Directory.EnumerateFiles(Path.Combine(root, f), "*.cs", SearchOption.AllDirectories))
                .Where(
                    f => !f.Contains("/obj/", StringComparison.Ordinal)
                        && File.ReadAllText(f).Contains("CmekTools.Engine", StringComparison.Ordinal)
                        && Path.GetFileName(f) != "ModuleLoader.cs"),
        ];
        Assert.Empty(guilty);
    }

    // A room within a room (Aws.Policies) has a floor of its own where it is named, and else its outer room's.
    private static int Floor(string room)
    {
        int floor = Array.FindIndex(s_floors, f => f.Contains(room));
        return floor >= 0 ? floor : Array.FindIndex(s_floors, f => f.Any(r => room.StartsWith(r + ".", StringComparison.Ordinal)));
    }

    private static IEnumerable<(string File, string Room, string Text)> Sources()
    {
        string engine = Path.Combine(ExternalProgram.RepositoryRoot, "src", "CmekTools.Engine");
        foreach (string file in Directory.EnumerateFiles(engine, "*.cs", SearchOption.AllDirectories))
        {
            string relative = Path.GetRelativePath(engine, file).Replace('\\', '/');
            if (!relative.StartsWith("obj/", StringComparison.Ordinal) && !relative.StartsWith("bin/", StringComparison.Ordinal))
            {
                yield return (relative, Path.GetDirectoryName(relative)!.Replace('\\', '/').Replace('/', '.'), File.ReadAllText(file));
            }
        }
    }

    // What stands in the root (the run, the session, the providers' register) holds the rooms together and may use all of them.
    private static IEnumerable<(string File, string Room, string Used)> References()
    {
        string[] rooms = [.. s_floors.SelectMany(f => f).OrderByDescending(r => r.Length)];
        foreach ((string file, string room, string text) in Sources().Where(s => s.Room.Length > 0))
        {
            foreach (Match match in Qualified().Matches(text))
            {
                yield return (file, room, match.Groups[1].Value);
            }

            foreach (
                string used in rooms.Where(
                    r => r != room && !room.StartsWith(r + ".", StringComparison.Ordinal)
                        && Regex.IsMatch(text, $@"(?<![\w.])(?:Engine\.)?{Regex.Escape(r)}\.[A-Z]\w+[.(]")))
            {
                yield return (file, room, used);
            }
        }
    }

    [GeneratedRegex(@"^using CmekTools\.Engine\.([A-Za-z.]+);", RegexOptions.Multiline)]
    private static partial Regex Qualified();

    [GeneratedRegex("`((?:Engine|Module|Sandbox)/[^` ]+)`")]
    private static partial Regex Place();

    [GeneratedRegex("`((?:module|src|tests|docs)/[^` ]+)`")]
    private static partial Regex FullPlace();

    [GeneratedRegex("`Xxx(\\w+)`")]
    private static partial Regex Part();
}
