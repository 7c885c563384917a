using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Aws.Policies;

/// <summary>A policy as AWS keeps it: users and roles by their unique ids, all else as it was written.</summary>
internal sealed class StoredPolicy
{
    // AWS shows a policy as people write it, with its quotes and non-ASCII letters as they are.
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions Indented = new(Plain) { WriteIndented = true };

    private readonly JsonObject _stored;

    private StoredPolicy(JsonObject stored, PolicyDocument parsed)
    {
        _stored = stored;
        Parsed = parsed;
    }

    /// <summary>Allows everything.</summary>
    public static StoredPolicy AllowAll { get; } = Identity(
        """{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}""");

    /// <summary>What authorization goes by.</summary>
    public PolicyDocument Parsed { get; }

    /// <summary>Reads a policy of a user or role.</summary>
    /// <exception cref="FormatException">It is no such policy.</exception>
    public static StoredPolicy Identity(string text)
    {
        JsonObject policy = ReadJson(text);
        return new StoredPolicy(policy, PolicyDocument.Read(policy, PolicyKind.Identity));
    }

    /// <summary>Reads a policy that names principals.</summary>
    /// <param name="text">The JSON.</param>
    /// <param name="kind">Of a key or of a role.</param>
    /// <param name="toStored">The stored form of a principal, or null where there is no such principal.</param>
    /// <exception cref="FormatException">It is no such policy.</exception>
    /// <exception cref="InvalidPrincipalException">It names a principal that there is not.</exception>
    public static StoredPolicy Resource(string text, PolicyKind kind, Func<string, string?> toStored)
    {
        JsonObject policy = ReadJson(text);
        PolicyDocument.Read(policy, kind);
        MapPrincipals(policy, p => toStored(p) ?? throw new InvalidPrincipalException(p));
        return new StoredPolicy(policy, PolicyDocument.Read(policy, kind));
    }

    /// <summary>The text as reads give it.</summary>
    /// <param name="toShown">The shown form of a stored principal.</param>
    /// <param name="indented">In lines, as KMS does.</param>
    public string Show(Func<string, string>? toShown = null, bool indented = false)
    {
        JsonObject copy = (JsonObject)_stored.DeepClone();
        if (toShown is not null)
        {
            MapPrincipals(copy, toShown);
        }

        return copy.ToJsonString(indented ? Indented : Plain);
    }

    private static JsonObject ReadJson(string text)
    {
        try
        {
            return JsonObjects.Read(text);
        }
        catch (FormatException e)
        {
            throw new FormatException("Syntax errors in policy.", e);
        }
    }

    private static void MapPrincipals(JsonObject policy, Func<string, string> map)
    {
        foreach (JsonObject statement in PolicyDocument.StatementNodes(policy["Statement"]))
        {
            foreach (string field in (string[])["Principal", "NotPrincipal"])
            {
                if (statement[field] is not JsonObject kinds || kinds["AWS"] is not { } aws)
                {
                    continue;
                }

                kinds["AWS"] = aws is JsonArray many
                    ? new JsonArray([.. many.Select(p => (JsonNode)map(p!.ToString()))])
                    : map(aws.ToString());
            }
        }
    }
}

/// <summary>A policy names a principal that there is not, or not yet.</summary>
internal sealed class InvalidPrincipalException(string principal) : Exception(principal);
