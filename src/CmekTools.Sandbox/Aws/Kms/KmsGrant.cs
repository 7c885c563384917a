using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>A grant on one key in one region; a replica has grants of its own.</summary>
/// <param name="Id">The id, 64 hexadecimal digits.</param>
/// <param name="Token">Stands for the grant until it has spread.</param>
/// <param name="Grantee">Who may use the key, in the stored form of a principal.</param>
/// <param name="Operations">What for.</param>
/// <param name="IssuedBy">The account that made it.</param>
/// <param name="Created">When.</param>
internal sealed record KmsGrant(
    string Id, string Token, string Grantee, IReadOnlyList<string> Operations, string IssuedBy, DateTimeOffset Created)
{
    /// <summary>Its name.</summary>
    public string? Name { get; init; }

    /// <summary>Who may retire it, in the stored form of a principal.</summary>
    public string? Retiring { get; init; }

    /// <summary>The encryption context that a request has to have.</summary>
    public JsonObject? Constraints { get; init; }

    /// <summary>When it was revoked; it goes on working until that has spread.</summary>
    public DateTimeOffset? Ended { get; set; }
}
