using System.Text.Json.Nodes;

namespace CmekTools.Tests.Access;

/// <summary>The lines of a journal's file.</summary>
internal sealed class JournalLines(string path)
{
    public JsonObject[] All => [.. File.ReadLines(path).Select(l => JsonNode.Parse(l)!.AsObject())];

    /// <summary>How many changes were announced before they were sent.</summary>
    public int Announced => All.Count(l => (string?)l["phase"] == "begin");
}
