using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>A key ring.</summary>
internal sealed class GcpKeyRing(string name, DateTimeOffset created)
{
    private readonly string _created = GcpTime.Text(created);

    public string Name { get; } = name;

    public JsonObject ToJson() => new() { ["name"] = Name, ["createTime"] = _created };
}
