using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace CmekTools.Engine.State;

/// <summary>Who runs the commands of a connection, as far as it is known: for the journal.</summary>
internal sealed partial class Who
{
    private readonly ConcurrentDictionary<string, string> _identities = new(StringComparer.Ordinal);

    /// <summary>The id in the API key, which is no secret; null where the key has another form.</summary>
    public string? ApiKeyId { get; init; }

    /// <summary>Takes the id out of a secret key (<c>CCDB1_ID_SECRET</c>); null where it has another form.</summary>
    public static string? KeyIdOf(string apiKey) => SecretKey().Match(apiKey) is { Success: true } match ? match.Groups["id"].Value : null;

    /// <summary>Notes who the caller is to a cloud: a provider says it as soon as it knows.</summary>
    /// <param name="cloud"><c>aws</c> or <c>gcp</c>.</param>
    /// <param name="identity">An ARN or an email.</param>
    public void Note(string cloud, string identity) => _identities[cloud] = identity;

    /// <summary>Who the caller is to a cloud, or null where nobody has said.</summary>
    public string? Of(string cloud) => _identities.GetValueOrDefault(cloud);

    /// <summary>Who acts, for a question: empty where no cloud has said.</summary>
    public string Acting => string.Join(
        ", ",
        _identities.ToArray().OrderBy(i => i.Key, StringComparer.Ordinal).Select(
            i => $"as {i.Value} on {(i.Key == "aws" ? "AWS" : "Google Cloud")}"));

    /// <summary>What is known, for a journal line.</summary>
    public JsonObject ToJson()
    {
        JsonObject json = new() { ["user"] = Environment.UserName };
        if (ApiKeyId is not null)
        {
            json["api_key"] = ApiKeyId;
        }

        foreach ((string cloud, string identity) in _identities.ToArray().OrderBy(i => i.Key, StringComparer.Ordinal))
        {
            json[cloud] = identity;
        }

        return json;
    }

    /// <summary>The user, and who he is to a cloud where that is known: for people.</summary>
    public override string ToString() =>
        _identities.IsEmpty
            ? Environment.UserName
            : $"{Environment.UserName} ({string.Join(", ", _identities.Values.Order(StringComparer.Ordinal))})";

    // Only where the secret part is there as well, long enough: of anything else no part may be shown.
    [GeneratedRegex("^(?<id>CCDB1_[A-Za-z0-9]{22})_[A-Za-z0-9]{40}$", RegexOptions.CultureInvariant)]
    private static partial Regex SecretKey();
}
