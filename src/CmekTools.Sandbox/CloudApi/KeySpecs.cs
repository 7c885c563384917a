using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace CmekTools.Sandbox.CloudApi;

/// <summary>Reads region_specs: the shape, the regions' uniqueness, and keys of the kind that the cluster's provider has.</summary>
internal static partial class KeySpecs
{
    /// <summary>The specs of a request by region.</summary>
    public static IReadOnlyList<(string Region, KeySpec Key)> Read(IReadOnlyList<JsonObject>? regionSpecs, string field, string provider)
    {
        if (regionSpecs is not { Count: > 0 })
        {
            throw CloudApiFault.Invalid($"{field} must not be empty");
        }

        List<(string Region, KeySpec Key)> found = [];
        foreach (JsonObject item in regionSpecs)
        {
            string region = item.Text("region") is { Length: > 0 } name ? name : throw CloudApiFault.Invalid($"{field}: region is missing");
            if (found.Exists(f => f.Region == region))
            {
                throw CloudApiFault.Invalid($"{field}: region {region} is given twice");
            }

            found.Add(
                (
                    region,
                    ReadKey(
                        item.Object("key_spec") ?? throw CloudApiFault.Invalid($"region {region}: key_spec is missing"),
                        region,
                        provider)));
        }

        return found;
    }

    private static KeySpec ReadKey(JsonObject from, string region, string provider)
    {
        KeySpec key = new(
            from.Text("type") ?? throw CloudApiFault.Invalid($"region {region}: type is missing"),
            from.Text("uri") ?? string.Empty,
            from.Text("auth_principal") ?? string.Empty);
        if (key.IsNull)
        {
            return key is { Uri: "", Principal: "" }
                ? key
                : throw CloudApiFault.Invalid($"region {region}: NULL_KMS takes no uri and no auth_principal");
        }

        if (key.Type is not ("AWS_KMS" or "GCP_CLOUD_KMS" or "AZURE_KEY_VAULT"))
        {
            throw CloudApiFault.Invalid($"region {region}: unknown key type {key.Type}");
        }

        if (key.Type != TypeOf(provider))
        {
            throw CloudApiFault.Invalid($"region {region}: key type {key.Type} does not fit a cluster on {provider}");
        }

        if (!UriForm(key.Type).IsMatch(key.Uri))
        {
            throw CloudApiFault.Invalid($"region {region}: malformed key URI '{key.Uri}'");
        }

        return PrincipalForm(key.Type).IsMatch(key.Principal)
            ? key
            : throw CloudApiFault.Invalid($"region {region}: malformed auth_principal '{key.Principal}'");
    }

    private static string TypeOf(string provider) => provider switch
    {
        "AWS" => "AWS_KMS",
        "GCP" => "GCP_CLOUD_KMS",
        _ => "AZURE_KEY_VAULT",
    };

    private static Regex UriForm(string type) => type switch
    {
        "AWS_KMS" => AwsKey(),
        "GCP_CLOUD_KMS" => GoogleKey(),
        _ => Something(),
    };

    // Azure's principal may be left out: the sandbox takes Azure's keys on trust.
    private static Regex PrincipalForm(string type) => type switch
    {
        "AWS_KMS" => AwsRole(),
        "GCP_CLOUD_KMS" => GoogleAccount(),
        _ => Anything(),
    };

    [GeneratedRegex(@"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$")]
    private static partial Regex AwsKey();

    [GeneratedRegex(@"^arn:aws[a-z-]*:iam::\d{12}:role/.+$")]
    private static partial Regex AwsRole();

    [GeneratedRegex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$")]
    private static partial Regex GoogleKey();

    [GeneratedRegex(@"^[^@\s]+@[^@\s]+\.gserviceaccount\.com$")]
    private static partial Regex GoogleAccount();

    [GeneratedRegex(@"\S")]
    private static partial Regex Something();

    [GeneratedRegex("")]
    private static partial Regex Anything();
}
