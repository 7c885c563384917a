using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>The project's two names, and what it is in.</summary>
internal sealed class GcpHierarchy(string project)
{
    /// <summary>The project's number.</summary>
    public const string Number = "123456789012";

    /// <summary>
    /// Folders and the organization above the project, from below: <c>folders/1</c>, <c>organizations/2</c>. Empty for a project that
    /// stands alone.
    /// </summary>
    public IReadOnlyList<string> Above { get; set; } = [];

    /// <summary>A resource name with the project's id.</summary>
    public string Canonical(string resource) =>
        resource == "projects/" + Number || resource.StartsWith($"projects/{Number}/", StringComparison.Ordinal)
            ? $"projects/{project}{resource[("projects/" + Number).Length..]}"
            : resource;

    /// <summary>A resource name with the project's number.</summary>
    public string ByNumber(string resource) => resource == "projects/" + project ? "projects/" + Number : resource;

    /// <summary>A project and what is above it, from below.</summary>
    public IEnumerable<string> LevelsOf(string projectName) => [projectName, .. projectName == "projects/" + project ? Above : []];

    /// <summary>What getAncestry answers.</summary>
    public JsonObject Ancestry(string id) => new()
    {
        ["ancestor"] = new JsonArray([.. LevelsOf("projects/" + id).Select(l => l.Split('/')).Select(l => (JsonNode)new JsonObject
        {
            ["resourceId"] = new JsonObject { ["type"] = l[0].TrimEnd('s'), ["id"] = l[1] },
        })]),
    };
}
