using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>One service account; a deleted one is kept, for it can be undeleted.</summary>
internal sealed class GcpServiceAccount(string project, string email, string uniqueId)
{
    public string Project { get; } = project;

    public string Email { get; } = email;

    public string UniqueId { get; } = uniqueId;

    public string Name => $"projects/{Project}/serviceAccounts/{Email}";

    public string? DisplayName { get; init; }

    public string? Description { get; init; }

    public DateTimeOffset Since { get; init; }

    /// <summary>The ids of the keys that people hold.</summary>
    public List<string> Keys { get; } = [];

    public bool Disabled { get; set; }

    public bool Deleted { get; set; }

    public JsonObject ToJson()
    {
        JsonObject json = new()
        {
            ["name"] = Name,
            ["projectId"] = Project,
            ["uniqueId"] = UniqueId,
            ["email"] = Email,
            ["etag"] = "MDEwMjE5MjA=",
            ["oauth2ClientId"] = UniqueId,
        };
        if (DisplayName is not null)
        {
            json["displayName"] = DisplayName;
        }

        if (Description is not null)
        {
            json["description"] = Description;
        }

        if (Disabled)
        {
            json["disabled"] = true;
        }

        return json;
    }
}
