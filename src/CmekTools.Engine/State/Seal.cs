using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.State;

/// <summary>
/// Seals documents, so that a file that lies where others can write is known again as what CmekTools wrote for this user. The seal is
/// an HMAC-SHA256 over the document (its canonical text without the seal) and its purpose, with <see cref="SealSecret"/>; it stands in
/// the document as
/// <c>"seal": {"alg", "key", "mac"}</c>.
/// </summary>
internal sealed class Seal(SealSecret secret)
{
    private const string Member = "seal";
    private const string Algorithm = "HMAC-SHA256";
    private static readonly JsonSerializerOptions s_canonical = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly ConcurrentDictionary<string, byte[]> _given = new(StringComparer.Ordinal);
    private volatile byte[]? _shared;

    /// <summary>The seal of this user.</summary>
    public static Seal Own { get; } = new(SealSecret.Own);

    /// <summary>
    /// From now on this process seals with a secret that a KMS key gave (<see cref="SealKeys"/>); with null, with the user's own again.
    /// What one that was given before has sealed is still known.
    /// </summary>
    public void Use(byte[]? given)
    {
        if (given is not null)
        {
            _given[SealSecret.NameOf(given)] = given;
        }

        _shared = given;
    }

    /// <summary>Seals a document in place of what seal it had.</summary>
    /// <param name="document">The document; it is changed.</param>
    /// <param name="purpose">What kind of document it is: a seal on one kind is none on another.</param>
    /// <returns>False where there is no secret and none can be kept: the document then stays without a seal.</returns>
    public bool TryAdd(JsonObject document, string purpose)
    {
        document.Remove(Member);
        if ((_shared ?? secret.ReadOrMake()) is not { } key)
        {
            return false;
        }

        document[Member] = new JsonObject { ["alg"] = Algorithm, ["key"] = SealSecret.NameOf(key), ["mac"] = Mac(key, document, purpose) };
        return true;
    }

    /// <summary>Looks at a document's seal.</summary>
    public CmekSealState Check(JsonObject document, string purpose)
    {
        if (!document.ContainsKey(Member))
        {
            return CmekSealState.Unsealed;
        }

        if (document[Member] is not JsonObject seal
            || Value(seal, "alg") != Algorithm
            || Value(seal, "key") is not { } name
            || Value(seal, "mac") is not { } mac)
        {
            return CmekSealState.Broken;
        }

        if ((_given.GetValueOrDefault(name) ?? secret.Read()) is not { } key || name != SealSecret.NameOf(key))
        {
            return CmekSealState.Elsewhere;
        }

        JsonObject bare = document.DeepClone().AsObject();
        bare.Remove(Member);
        bool same = CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(Mac(key, bare, purpose)), Encoding.UTF8.GetBytes(mac));
        return same ? CmekSealState.Verified : CmekSealState.Broken;
    }

    private static string Mac(byte[] key, JsonObject bare, string purpose)
    {
        // What is written and read once more comes out as any later reader will see it.
        string text = JsonNode.Parse(bare.ToJsonString(s_canonical))!.ToJsonString(s_canonical);
        return Convert.ToHexString(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(purpose + "\n" + text))).ToLowerInvariant();
    }

    private static string? Value(JsonObject json, string name) =>
        json[name] is JsonValue value && value.TryGetValue(out string? text) ? text : null;
}
