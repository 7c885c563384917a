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

    /// <summary>Who acts at some clouds, for a question: empty where none of them has said.</summary>
    public string ActingOn(IEnumerable<CmekProvider> clouds) => string.Join(
        ", ",
        clouds.Distinct().Order()
            .Select(c => (Cloud: c, Who: NameOf(c) is { } name ? Of(name) : null))
            .Where(c => c.Who is not null)
            .Select(c => $"as {c.Who} on {(c.Cloud == CmekProvider.AWS ? "AWS" : "Google Cloud")}"));

    /// <summary>The cloud that a change is made at; null for the Cloud API.</summary>
    /// <param name="kind">The change's kind, <c>kms:PutKeyPolicy</c> for example.</param>
    public static CmekProvider? CloudOf(string kind) => kind.Split(':') switch
    {
        ["kms" or "sts", ..] => CmekProvider.AWS,
        ["cloudkms", ..] => CmekProvider.GCP,

        // Google's calls are named by their resources, in small letters.
        ["iam", { Length: > 0 } call] => char.IsLower(call[0]) ? CmekProvider.GCP : CmekProvider.AWS,
        _ => null,
    };

    /// <summary>What is known, for the journal line of a change.</summary>
    /// <param name="cloud">
    /// The cloud that it is made at, or that the cluster runs on: who somebody is elsewhere has no part in it. Null where it is at none.
    /// </param>
    public JsonObject ToJson(CmekProvider? cloud)
    {
        JsonObject json = new() { ["user"] = Environment.UserName };
        if (ApiKeyId is not null)
        {
            json["api_key"] = ApiKeyId;
        }

        if (cloud is { } at && NameOf(at) is { } name && Of(name) is { } identity)
        {
            json[name] = identity;
        }

        return json;
    }

    private static string? NameOf(CmekProvider cloud) => cloud switch
    {
        CmekProvider.AWS => "aws",
        CmekProvider.GCP => "gcp",
        _ => null,
    };

    /// <summary>The user, and who he is to a cloud where that is known: for people.</summary>
    public override string ToString() =>
        _identities.IsEmpty
            ? Environment.UserName
            : $"{Environment.UserName} ({string.Join(", ", _identities.Values.Order(StringComparer.Ordinal))})";

    // Only where the secret part is there as well, long enough: of anything else no part may be shown.
    [GeneratedRegex("^(?<id>CCDB1_[A-Za-z0-9]{22})_[A-Za-z0-9]{40}$", RegexOptions.CultureInvariant)]
    private static partial Regex SecretKey();
}
