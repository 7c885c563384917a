using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.State.Shared;

/// <summary>
/// Which version of each document in a shared place was taken in, and what was given: so that neither is done twice. It is only there
/// to save requests; where it is lost, everything is looked at again.
/// </summary>
internal sealed class SharedIndex
{
    private const int SizeLimit = 16 * 1024 * 1024;
    private readonly string _path;
    private readonly Dictionary<string, string> _taken = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _given = new(StringComparer.Ordinal);
    private bool _changed;

    private SharedIndex(string path) => _path = path;

    /// <summary>Reads a place's index.</summary>
    public static SharedIndex Load(string mirror)
    {
        SharedIndex index = new(Path.Combine(mirror, "index.json"));
        try
        {
            if (File.Exists(index._path))
            {
                JsonObject json = SafeJson.ParseObject(StateFiles.ReadText(index._path, SizeLimit));
                Fill(index._taken, json["taken"]);
                Fill(index._given, json["given"]);
            }
        }
        catch (Exception e) when (
            e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException or ArgumentException)
        {
            index._taken.Clear();
            index._given.Clear();
        }

        return index;
    }

    /// <summary>True where this version was taken in.</summary>
    public bool WasTaken(SharedEntry entry) => _taken.GetValueOrDefault(entry.Name) == entry.Version;

    /// <summary>True where this text was given, and the place has it still in the version that it then was.</summary>
    public bool WasGiven(string name, string text, SharedEntry? there) =>
        there is not null && _given.GetValueOrDefault(name) == Sign(text, there.Version);

    /// <summary>Notes that a version was taken in.</summary>
    public void Took(string name, string version) => Set(_taken, name, version);

    /// <summary>Notes that a text is in the place.</summary>
    public void Gave(string name, string text, string version) => Set(_given, name, Sign(text, version));

    /// <summary>Writes it down, where anything has changed.</summary>
    public void Save()
    {
        if (_changed)
        {
            StateFiles.WriteWhole(_path, new JsonObject { ["taken"] = ToJson(_taken), ["given"] = ToJson(_given) }.ToJsonString() + "\n");
            _changed = false;
        }
    }

    private void Set(Dictionary<string, string> to, string name, string value)
    {
        _changed |= to.GetValueOrDefault(name) != value;
        to[name] = value;
    }

    private static string Sign(string text, string version) =>
        Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(version + "\n" + text)))[..32];

    private static void Fill(Dictionary<string, string> to, JsonNode? from)
    {
        foreach ((string name, JsonNode? value) in from as JsonObject ?? [])
        {
            to[name] = value!.GetValue<string>();
        }
    }

    private static JsonObject ToJson(Dictionary<string, string> from) =>
        new(from.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => KeyValuePair.Create(p.Key, (JsonNode?)p.Value)));
}
