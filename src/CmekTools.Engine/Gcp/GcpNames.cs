using System.Text.RegularExpressions;

namespace CmekTools.Engine.Gcp;

/// <summary>A key's resource name taken apart.</summary>
internal sealed record GcpKeyName(string Project, string Location, string Ring, string Key)
{
    public string RingName => $"projects/{Project}/locations/{Location}/keyRings/{Ring}";

    public string Parent => $"projects/{Project}/locations/{Location}";

    public override string ToString() => $"{RingName}/cryptoKeys/{Key}";
}

/// <summary>Names and their checks: no request is sent here.</summary>
internal static partial class GcpNames
{
    public const string ClusterLabel = "cmektools-cluster-id";
    public const string RegionLabel = "cmektools-region";

    /// <summary>Reads a key's resource name.</summary>
    /// <exception cref="CmekException"><c>KeyUriInvalid</c>.</exception>
    public static GcpKeyName ParseKey(string uri)
    {
        if (KeyPattern().Match(uri) is { Success: true } match)
        {
            return new GcpKeyName(match.Groups[1].Value, match.Groups[2].Value, match.Groups[3].Value, match.Groups[4].Value);
        }

        string hint = VersionPattern().Match(uri) is { Success: true } version
            ? $"A version is named; give the key: {version.Groups[1].Value}"
            : uri.StartsWith("//cloudkms.googleapis.com/", StringComparison.OrdinalIgnoreCase)
                ? $"Leave the host away: {uri["//cloudkms.googleapis.com/".Length..]}"
                : "gcloud kms keys describe KEY --keyring RING --location LOCATION --format='value(name)' prints it.";
        throw new CmekException(
            "KeyUriInvalid",
            CmekErrorKind.InvalidArgument,
            $"'{uri}' is not the resource name of a Cloud KMS key (projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version).",
            hint,
            uri);
    }

    /// <summary>Checks a service account's email.</summary>
    /// <exception cref="CmekException"><c>PrincipalInvalid</c>.</exception>
    public static (string Id, string Project) ParseAccount(string email)
    {
        if (AccountPattern().Match(email) is { Success: true } match)
        {
            RequireAccountId(match.Groups[1].Value);
            return (match.Groups[1].Value, match.Groups[2].Value);
        }

        throw new CmekException(
            "PrincipalInvalid",
            CmekErrorKind.InvalidArgument,
            $"'{email}' is not the email of a service account (id@project.iam.gserviceaccount.com).",
            "gcloud iam service-accounts list prints the emails.",
            email);
    }

    /// <summary>Checks a service account's id.</summary>
    /// <exception cref="CmekException"><c>PrincipalInvalid</c>.</exception>
    public static void RequireAccountId(string id)
    {
        if (!AccountIdPattern().IsMatch(id))
        {
            throw new CmekException(
                "PrincipalInvalid",
                CmekErrorKind.InvalidArgument,
                $"'{id}' ({id.Length} characters) cannot be the id of a service account: it has 6 to 30 lower case letters, digits and hyphens, begins with a letter and does not end in a hyphen.",
                "Choose another id, or leave -ServiceAccount away: one is derived from the cluster.",
                id);
        }
    }

    /// <summary>Checks a project's id.</summary>
    /// <exception cref="CmekException"><c>ProjectInvalid</c>.</exception>
    public static string RequireProject(string project)
    {
        if (ProjectPattern().IsMatch(project))
        {
            return project;
        }

        throw new CmekException(
            "ProjectInvalid",
            CmekErrorKind.InvalidArgument,
            project.All(char.IsAsciiDigit) ? $"'{project}' is a project's number; its id is needed, for service accounts are named by it." : $"'{project}' is not a project's id.",
            $"gcloud projects describe {project} --format='value(projectId)' prints the id.",
            project);
    }

    /// <summary>Where a location stands to a region: 0 the region itself, 1 a multi-region around it or global, 2 far.</summary>
    /// <exception cref="CmekException"><c>LocationInvalid</c>.</exception>
    public static int Distance(string location, string region)
    {
        if (string.Equals(location, region, StringComparison.Ordinal))
        {
            return 0;
        }

        string around = region.Split('-')[0] switch
        {
            "us" or "northamerica" or "southamerica" => "us",
            "europe" => "europe",
            "asia" or "australia" => "asia",
            var other => other,
        };
        return location switch
        {
            "global" => 1,
            "us" or "nam3" or "nam4" or "nam6" or "nam7" or "nam8" or "nam9" or "nam10" or "nam11" or "nam12" => around == "us" ? 1 : 2,
            "europe" or "eur3" or "eur4" or "eur5" or "eur6" => around == "europe" ? 1 : 2,
            "asia" or "asia1" => around == "asia" ? 1 : 2,
            _ when LocationPattern().IsMatch(location) => 2,
            _ => throw new CmekException(
                "LocationInvalid",
                CmekErrorKind.InvalidArgument,
                $"'{location}' is not a location of Cloud KMS.",
                "Give a region (us-central1), a multi-region (us, europe, asia) or global; gcloud kms locations list prints them.",
                location),
        };
    }

    /// <summary>The cluster's own principal at CockroachDB Cloud. The id may come with or without hyphens: the last 12 characters are the same.</summary>
    /// <exception cref="CmekException"><c>ClusterIdInvalid</c>.</exception>
    public static string ClusterPrincipal(CmekCluster cluster)
    {
        string bare = cluster.Id.Replace("-", null, StringComparison.Ordinal);
        if (!Guid.TryParseExact(bare, "N", out _) || bare[^12..] != cluster.Id[^12..])
        {
            throw new CmekException("ClusterIdInvalid", CmekErrorKind.InvalidData, $"The cluster's id '{cluster.Id}' is not a UUID; its Google principal cannot be derived from it.", "Ask the vendor's support for the principal, and grant it with gcloud.", cluster);
        }

        return $"crl-kms-user-{bare[^12..]}@{cluster.AccountId}.iam.gserviceaccount.com";
    }

    /// <summary>The derived name of a region's key.</summary>
    public static string KeyName(CmekCluster cluster, string region)
    {
        string tail = $"-{Short(cluster)}-{region}";
        return Clean(cluster.Name, 63 - tail.Length) + tail;
    }

    /// <summary>The derived id of the cluster's service account.</summary>
    public static string AccountId(CmekCluster cluster) => $"cmek-{Clean(cluster.Name, 16)}-{Short(cluster)}";

    public static string Short(CmekCluster cluster) => cluster.Id.Replace("-", null, StringComparison.Ordinal)[..8].ToLowerInvariant();

    /// <summary>A label's value: lower case letters, digits, hyphens and underscores.</summary>
    public static string Label(string text) => new([.. text.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' ? c : '-').Take(63)]);

    private static string Clean(string name, int length)
    {
        string clean = new([.. name.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-').Take(length)]);
        return clean.Trim('-') is { Length: > 0 } kept ? kept : "c";
    }

    [GeneratedRegex("^projects/([^/]+)/locations/([a-z0-9-]+)/keyRings/([a-zA-Z0-9_-]{1,63})/cryptoKeys/([a-zA-Z0-9_-]{1,63})$")]
    private static partial Regex KeyPattern();

    [GeneratedRegex("^(projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+)/cryptoKeyVersions/[^/]+$")]
    private static partial Regex VersionPattern();

    [GeneratedRegex(@"^([^@]+)@([a-z][a-z0-9.:-]*[a-z0-9])\.iam\.gserviceaccount\.com$")]
    private static partial Regex AccountPattern();

    [GeneratedRegex("^[a-z][-a-z0-9]{4,28}[a-z0-9]$")]
    private static partial Regex AccountIdPattern();

    [GeneratedRegex("^(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$")]
    private static partial Regex ProjectPattern();

    [GeneratedRegex("^[a-z]+-[a-z]+[0-9]{1,2}$")]
    private static partial Regex LocationPattern();
}
