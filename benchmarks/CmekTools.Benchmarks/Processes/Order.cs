using System.Text.Json.Nodes;

namespace CmekTools.Benchmarks.Processes;

/// <summary>What a worker is told to do.</summary>
/// <param name="Command">One of <see cref="Commands.All"/> or <see cref="Commands.Racing"/>.</param>
/// <param name="Cluster">The cluster's id.</param>
/// <param name="Accesses">Keys and principals by region, where the command is about some.</param>
/// <param name="Key">A key, where the command is about one.</param>
internal sealed record Order(string Command, string Cluster, IReadOnlyList<CmekAccess> Accesses, string? Key)
{
    /// <summary>The order as one line.</summary>
    public string ToLine() => new JsonObject
    {
        ["command"] = Command,
        ["cluster"] = Cluster,
        ["key"] = Key,
        ["accesses"] = new JsonArray(
        [
            .. Accesses.Select(a => (JsonNode)new JsonObject
            {
                ["region"] = a.Region,
                ["uri"] = a.KeyUri,
                ["principal"] = a.AuthPrincipal,
            }),
        ]),
    }.ToJsonString();

    /// <summary>Reads a line.</summary>
    public static Order Read(string line)
    {
        JsonObject json = (JsonObject)JsonNode.Parse(line)!;
        string id = (string)json["cluster"]!;
        return new Order(
            (string)json["command"]!,
            id,
            [
                .. ((JsonArray)json["accesses"]!).Select(a => new CmekAccess
                {
                    ClusterId = id,
                    Region = (string)a!["region"]!,
                    KeyUri = (string)a["uri"]!,
                    AuthPrincipal = (string)a["principal"]!,
                }),
            ],
            (string?)json["key"]);
    }
}
