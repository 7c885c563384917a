using System.Text.RegularExpressions;

namespace CmekTools.Engine.Gcp;

/// <summary>A key's resource name taken apart.</summary>
internal sealed record GcpKeyName(string Project, string Location, string Ring, string Key)
{
    public string RingName => $"projects/{Project}/locations/{Location}/keyRings/{Ring}";

    public string Parent => $"projects/{Project}/locations/{Location}";

    public override string ToString() => $"{RingName}/cryptoKeys/{Key}";
}

/// <summary>A service account's email taken apart.</summary>
/// <param name="Id">What stands before the at sign.</param>
/// <param name="Project">The project's id, or its number for an account that Google has made.</param>
/// <param name="CanBeMade">False for the accounts that only Google makes.</param>
internal sealed record GcpAccountName(string Id, string Project, bool CanBeMade);

/// <summary>Names and their checks: no request is sent here.</summary>
internal static partial class GcpNames
{
    public const string ClusterLabel = "cmektools-cluster-id";
    public const string RegionLabel = "cmektools-region";

    /// <summary>The label with the id of the cluster whose revocation switched a key off.</summary>
    public const string RevokedLabel = "cmektools-revoked";

    /// <summary>The first eight characters of the ids of more such clusters: "1a2b3c4d_5e6f7a8b".</summary>
    public const string RevokedAlsoLabel = "cmektools-revoked-also";

    /// <summary>Which versions were off before the revocation: "2d_3s".</summary>
    public const string RevokedOffLabel = "cmektools-revoked-off";

    /// <summary>Reads a key's resource name.</summary>
    /// <exception cref="CmekException"><c>KeyUriInvalid</c>.</exception>
    public static GcpKeyName ParseKey(string uri)
    {
        if (KeyPattern().Match(uri) is { Success: true } match)
        {
            return new GcpKeyName(match.Groups[1].Value, match.Groups[2].Value, match.Groups[3].Value, match.Groups[4].Value);
        }

        // What is nearly right is mended in the hint, so that it can be pasted.
        const string host = "//cloudkms.googleapis.com/";
        string bare = uri.Trim().Replace(host + "v1/", host, StringComparison.OrdinalIgnoreCase).Replace(
            "https:" + host,
            host,
            StringComparison.OrdinalIgnoreCase);
        bare = bare.StartsWith(host, StringComparison.OrdinalIgnoreCase) ? bare[host.Length..] : bare;
        string hint = VersionPattern().Match(bare) is { Success: true } version
            ? $"A version is named; give the key: {version.Groups[1].Value}"
            : bare != uri && KeyPattern().IsMatch(bare)
                ? $"Leave out what stands around it: {bare}"
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
    public static GcpAccountName ParseAccount(string email)
    {
        if (AccountPattern().Match(email) is { Success: true } match)
        {
            RequireAccountId(match.Groups[1].Value);
            // The project "example.com:shop" is written "shop.example.com" in an email.
            string[] project = match.Groups[2].Value.Split('.', 2);
            return new GcpAccountName(
                match.Groups[1].Value,
                project.Length == 2 ? $"{project[1]}:{project[0]}" : project[0],
                CanBeMade: true);
        }

        // The accounts that Google makes for a project: NUMBER-compute@developer…, PROJECT@appspot…
        if (DefaultAccountPattern().Match(email) is { Success: true } named)
        {
            return new GcpAccountName(
                email[..email.IndexOf('@', StringComparison.Ordinal)],
                named.Groups[1].Success ? named.Groups[1].Value : named.Groups[2].Value,
                CanBeMade: false);
        }

        throw new CmekException(
            "PrincipalInvalid",
            CmekErrorKind.InvalidArgument,
            $"'{email}' is not the email of a service account (id@project.iam.gserviceaccount.com, "
                + "number-compute@developer.gserviceaccount.com or project@appspot.gserviceaccount.com).",
            "gcloud iam service-accounts list prints the emails.",
            email);
    }

    /// <summary>Is it the email of a service account, as far as its form tells?</summary>
    public static bool IsAccount(string email) => DefaultAccountPattern().IsMatch(email)
        || (AccountPattern().Match(email) is { Success: true } match && AccountIdPattern().IsMatch(match.Groups[1].Value));

    /// <summary>
    /// The account's resource name. Its project is named: under <c>projects/-</c> a missing account is refused like a forbidden one.
    /// </summary>
    public static string AccountName(string email) => $"projects/{ParseAccount(email).Project}/serviceAccounts/{email}";

    /// <summary>Checks a key's resource name without any request; its project may go by id or by number.</summary>
    /// <exception cref="CmekException"><c>KeyUriInvalid</c>, <c>ProjectInvalid</c>, <c>LocationInvalid</c>.</exception>
    public static void RequireKey(string keyUri)
    {
        GcpKeyName name = ParseKey(keyUri);
        if (!ProjectNumberPattern().IsMatch(name.Project))
        {
            RequireProject(name.Project);
        }

        RequireLocation(name.Location);
    }

    /// <summary>The email of an account of a project.</summary>
    public static string Email(string id, string project)
    {
        string[] parts = project.Split(':', 2);
        return $"{id}@{(parts.Length == 2 ? $"{parts[1]}.{parts[0]}" : project)}.iam.gserviceaccount.com";
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
                $"'{id}' ({id.Length} characters) cannot be the id of a service account: it has 6 to 30 lower case letters, digits and "
                    + "hyphens, begins with a letter and does not end in a hyphen.",
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
            project.All(char.IsAsciiDigit)
                ? $"'{project}' is a project's number; its id is needed, for service accounts are named by it."
                : $"'{project}' is not a project's id.",
            $"gcloud projects describe {project} --format='value(projectId)' prints the id.",
            project);
    }

    /// <summary>
    /// Where a location stands to a region: 0 the region itself, 1 a multi-region around it or global, 2 far (or not known).
    /// </summary>
    public static int Distance(string location, string region)
    {
        if (string.Equals(location, region, StringComparison.Ordinal) || location == "global")
        {
            return string.Equals(location, region, StringComparison.Ordinal) ? 0 : 1;
        }

        return Around(location) is { } reach && reach.Any(r => region.StartsWith(r, StringComparison.Ordinal)) ? 1 : 2;
    }

    /// <summary>Is the location more than one region?</summary>
    public static bool IsMultiRegion(string location) => location == "global" || Around(location) is not null;

    /// <summary>Checks a location: a zone or a misspelt name can serve nobody.</summary>
    /// <exception cref="CmekException"><c>LocationInvalid</c>.</exception>
    public static void RequireLocation(string location)
    {
        if (!IsMultiRegion(location) && !LocationPattern().IsMatch(location))
        {
            throw new CmekException(
                "LocationInvalid",
                CmekErrorKind.InvalidArgument,
                $"'{location}' is not a location of Cloud "
                    + "KMS."
                    + (ZonePattern().Match(location) is { Success: true } zone
                        ? $" It is a zone; its region is {zone.Groups[1].Value}."
                        : string.Empty),
                "Give a region (us-central1), a multi-region (us, europe, asia) or global; gcloud kms locations list prints them.",
                location);
        }
    }

    /// <summary>Checks the name of a key ring or key.</summary>
    /// <exception cref="CmekException"><c>KeyRingInvalid</c> or <c>KeyNameInvalid</c>.</exception>
    public static string RequireName(string name, string what)
    {
        if (ResourcePattern().IsMatch(name))
        {
            return name;
        }

        bool ring = what == "KeyRing";
        throw new CmekException(
            ring ? "KeyRingInvalid" : "KeyNameInvalid",
            CmekErrorKind.InvalidArgument,
            $"'{name}' ({name.Length} characters) cannot be the name of a {(ring ? "key ring" : "key")}: it has 1 to 63 letters, "
                + "digits, hyphens and underscores.",
            $"Choose another -{what}, or leave it away: one is derived.",
            name);
    }

    /// <summary>Checks the role that is to be given on a key.</summary>
    /// <exception cref="CmekException"><c>RoleIdInvalid</c>.</exception>
    public static string RequireRole(string role)
    {
        if (RolePattern().IsMatch(role))
        {
            return role;
        }

        throw new CmekException(
            "RoleIdInvalid",
            CmekErrorKind.InvalidArgument,
            $"'{role}' is not the full name of a role.",
            "Give roles/NAME, projects/PROJECT/roles/NAME or organizations/NUMBER/roles/NAME; gcloud iam roles list "
                + "--project PROJECT prints them.",
            role);
    }

    /// <summary>
    /// The cluster's own principal at CockroachDB Cloud. The id may come with or without hyphens: the last 12 characters are the
    /// same.
    /// </summary>
    /// <exception cref="CmekException"><c>ClusterIdInvalid</c>, <c>ClusterAccountUnknown</c>.</exception>
    public static string ClusterPrincipal(CmekCluster cluster)
    {
        if (!Guid.TryParseExact(cluster.Id, "N", out _) && !Guid.TryParseExact(cluster.Id, "D", out _))
        {
            throw new CmekException(
                "ClusterIdInvalid",
                CmekErrorKind.InvalidData,
                $"The cluster's id '{cluster.Id}' is not a UUID; its Google principal cannot be derived from it.",
                "Ask the vendor's support for the principal, and grant it with gcloud.",
                cluster);
        }

        return string.IsNullOrEmpty(cluster.AccountId)
            ? throw new CmekException(
                "ClusterAccountUnknown",
                CmekErrorKind.InvalidData,
                $"The Cloud API does not say which Google Cloud project belongs to {cluster.Name}.",
                "Wait until the cluster's state is CREATED and run the command again.",
                cluster)
            : $"crl-kms-user-{cluster.Id[^12..].ToLowerInvariant()}@{cluster.AccountId}.iam.gserviceaccount.com";
    }

    /// <summary>The derived name of a region's key.</summary>
    public static string KeyName(CmekCluster cluster, string region, int generation = 1)
    {
        string tail = $"-{Short(cluster)}-{region}" + (generation > 1 ? $"-g{generation}" : string.Empty);
        return Clean(cluster.Name, 63 - tail.Length) + tail;
    }

    /// <summary>The derived id of the cluster's service account.</summary>
    public static string AccountId(CmekCluster cluster) => $"cmek-{Clean(cluster.Name, 16)}-{Short(cluster)}";

    /// <summary>How many characters of a cluster's id stand in the names of what is made for it.</summary>
    public const int ShortLength = 8;

    /// <summary>The beginning of a cluster's id, as it stands there.</summary>
    public static string Short(CmekCluster cluster) =>
        cluster.Id.Replace("-", null, StringComparison.Ordinal)[..ShortLength].ToLowerInvariant();

    /// <summary>A label's value: lower case letters, digits, hyphens and underscores.</summary>
    public static string Label(string text) =>
        new([.. text.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' ? c : '-').Take(63)]);

    private static string Clean(string name, int length)
    {
        string clean = new([.. name.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-').Take(length)]);
        return clean.Trim('-') is { Length: > 0 } kept ? kept : "c";
    }

    [GeneratedRegex(@"^projects/([^/]+)/locations/([a-z0-9-]+)/keyRings/([a-zA-Z0-9_-]{1,63})/cryptoKeys/([a-zA-Z0-9_-]{1,63})\z")]
    private static partial Regex KeyPattern();

    [GeneratedRegex(@"^(projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+)/cryptoKeyVersions/[^/]+\z")]
    private static partial Regex VersionPattern();

    [GeneratedRegex(@"^([^@]+)@([a-z][a-z0-9.:-]*[a-z0-9])\.iam\.gserviceaccount\.com\z")]
    private static partial Regex AccountPattern();

    [GeneratedRegex(@"^(?:([0-9]{4,20})-compute@developer|([a-z][a-z0-9-]{4,28}[a-z0-9])@appspot)\.gserviceaccount\.com\z")]
    private static partial Regex DefaultAccountPattern();

    [GeneratedRegex(@"^[0-9]{4,20}\z")]
    private static partial Regex ProjectNumberPattern();

    [GeneratedRegex(@"^[a-z][-a-z0-9]{4,28}[a-z0-9]\z")]
    private static partial Regex AccountIdPattern();

    [GeneratedRegex(@"^(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]\z")]
    private static partial Regex ProjectPattern();

    // The regions that a multi-region lies around, by how they begin; null for a single region.
    private static string[]? Around(string location) => location switch
    {
        "us" or "nam3" or "nam4" or "nam6" or "nam7" or "nam8" or "nam9" or "nam10" or "nam11" or "nam12" => ["us-", "northamerica-"],
        "europe" or "eur3" or "eur4" or "eur5" or "eur6" or "eur7" or "eur8" => ["europe-"],
        "asia" or "asia1" => ["asia-"],
        "nam-eur-asia1" => ["us-", "europe-", "asia-"],
        "au" => ["australia-"],
        "ca" => ["northamerica-northeast"],
        "de" => ["europe-west3", "europe-west10"],
        "in" => ["asia-south1", "asia-south2"],
        "it" => ["europe-west8", "europe-west12"],
        _ => null,
    };

    [GeneratedRegex(@"^[a-z]+-[a-z]+[0-9]{1,2}\z")]
    private static partial Regex LocationPattern();

    [GeneratedRegex(@"^([a-z]+-[a-z]+[0-9]{1,2})-[a-z]\z")]
    private static partial Regex ZonePattern();

    [GeneratedRegex(@"^[a-zA-Z0-9_-]{1,63}\z")]
    private static partial Regex ResourcePattern();

    [GeneratedRegex(@"^(?:roles/[a-zA-Z0-9_.]+|(?:projects|organizations)/[^/]+/roles/[a-zA-Z0-9_.]{3,64})\z")]
    private static partial Regex RolePattern();
}
