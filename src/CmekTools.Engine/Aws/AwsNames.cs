using System.Text;
using System.Text.RegularExpressions;

namespace CmekTools.Engine.Aws;

/// <summary>The parts of a KMS key's ARN.</summary>
internal sealed record KeyArn(string Text, string Partition, string Region, string Account, string KeyId)
{
    /// <summary>True for a multi-region key, whose id says so.</summary>
    public bool MultiRegion => KeyId.StartsWith("mrk-", StringComparison.Ordinal);
}

/// <summary>The parts of an IAM role's ARN.</summary>
internal sealed record RoleArn(string Text, string Partition, string Account, string Name);

/// <summary>
/// Names that are derived from a cluster, so that a second run finds what the first one made, and the forms of AWS's own names.
/// </summary>
internal static partial class AwsNames
{
    /// <summary>How the names of all our own tags begin.</summary>
    public const string TagHead = "cmektools:";

    /// <summary>The tag with the cluster's id: it marks a key or role as ours.</summary>
    public const string ClusterIdTag = TagHead + "cluster-id";

    /// <summary>The tag with the cluster's name, for people.</summary>
    public const string ClusterNameTag = "cmektools:cluster-name";

    /// <summary>The tag with the cluster's region that a key is for.</summary>
    public const string RegionTag = "cmektools:region";

    /// <summary>The tag with the id of the cluster whose revocation switched a key off.</summary>
    public const string RevokedTag = "cmektools:revoked";

    /// <summary>Has a name the form of a region: us-east-1, us-gov-west-1, cn-north-1?</summary>
    public static bool IsRegion(string name) => RegionPattern().IsMatch(name);

    [System.Text.RegularExpressions.GeneratedRegex("^[a-z]{2}(-[a-z]+){1,3}-[0-9]{1,2}$")]
    private static partial System.Text.RegularExpressions.Regex RegionPattern();

    /// <summary>The regions that this version of the SDK was made with. Its own list grows by each name that it is asked for.</summary>
    public static IReadOnlyCollection<string> SdkRegions { get; } =
        [
            .. typeof(Amazon.RegionEndpoint).GetFields(System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.Static)
                .Select(f => f.GetValue(null))
                .OfType<Amazon.RegionEndpoint>()
                .Select(r => r.SystemName),
        ];

    /// <summary>True where the SDK was made with a region; one that is newer than the SDK is there all the same.</summary>
    public static bool InSdk(string region) => SdkRegions.Contains(region);

    private const int RoleNameLimit = 64;
    private const int AliasLimit = 200;

    /// <summary>Eight characters of the cluster's id: they tell clusters of one name apart and fit into a Sid.</summary>
    public static string Short(CmekCluster cluster)
    {
        StringBuilder kept = new();
        foreach (char c in cluster.Id)
        {
            if (char.IsAsciiLetterOrDigit(c) && kept.Length < 8)
            {
                kept.Append(char.ToLowerInvariant(c));
            }
        }

        return kept.ToString();
    }

    /// <summary>The alias of a region's key, with its <c>alias/</c>.</summary>
    public static string Alias(CmekCluster cluster, string region, string? given, int generation = 1)
    {
        if (given is not null)
        {
            return given.StartsWith("alias/", StringComparison.Ordinal) ? given : "alias/" + given;
        }

        string tail = $"-{Short(cluster)}-{region}" + (generation > 1 ? $"-g{generation}" : string.Empty);
        return "alias/cmektools-" + Sanitise(cluster.Name, AliasLimit - tail.Length) + tail;
    }

    /// <summary>The name of a cluster's role.</summary>
    public static string RoleName(CmekCluster cluster)
    {
        string tail = "-" + Short(cluster);
        const string head = "cmektools-";
        return head + Sanitise(cluster.Name, RoleNameLimit - head.Length - tail.Length) + tail;
    }

    /// <summary>The tags that mark a key as the cluster's.</summary>
    public static IReadOnlyDictionary<string, string> Tags(CmekCluster cluster, string? region)
    {
        Dictionary<string, string> tags = new() { [ClusterIdTag] = cluster.Id, [ClusterNameTag] = cluster.Name };
        if (region is not null)
        {
            tags[RegionTag] = region;
        }

        return tags;
    }

    /// <summary>The partition of a region, told by its name.</summary>
    public static string Partition(string region) => region switch
    {
        _ when region.StartsWith("us-gov-", StringComparison.Ordinal) => "aws-us-gov",
        _ when region.StartsWith("cn-", StringComparison.Ordinal) => "aws-cn",
        _ => "aws",
    };

    /// <summary>The region that signs for the partition's IAM, which is one for all regions.</summary>
    public static string IamRegion(string partition) => partition switch
    {
        "aws-us-gov" => "us-gov-west-1",
        "aws-cn" => "cn-north-1",
        _ => "us-east-1",
    };

    /// <summary>The principal that stands for a whole account.</summary>
    public static string AccountRoot(string partition, string account) => $"arn:{partition}:iam::{account}:root";

    /// <summary>Reads a key's ARN; null where it is something else.</summary>
    public static KeyArn? TryParseKey(string? text)
    {
        Match match = KeyPattern().Match(text ?? string.Empty);
        return match.Success
            ? new KeyArn(text!, match.Groups[1].Value, match.Groups[2].Value, match.Groups[3].Value, match.Groups[4].Value)
            : null;
    }

    /// <summary>Reads a role's ARN; null where it is something else.</summary>
    public static RoleArn? TryParseRole(string? text)
    {
        Match match = RolePattern().Match(text ?? string.Empty);
        return match.Success ? new RoleArn(text!, match.Groups[1].Value, match.Groups[2].Value, match.Groups[3].Value) : null;
    }

    /// <summary>True for a role name that IAM takes.</summary>
    public static bool IsRoleName(string name) => RoleNamePattern().IsMatch(name);

    /// <summary>True for the unique id of a role, which is what a policy shows once the role is deleted.</summary>
    public static bool IsRoleId(string text) => RoleIdPattern().IsMatch(text);

    private static string Sanitise(string name, int limit)
    {
        StringBuilder kept = new();
        foreach (char c in name)
        {
            kept.Append(char.IsAsciiLetterOrDigit(c) || c is '-' or '_' ? c : '-');
        }

        return kept.Length > limit ? kept.ToString(0, limit) : kept.ToString();
    }

    [GeneratedRegex(@"\Aarn:(aws|aws-us-gov|aws-cn):kms:([a-z]{2,}(?:-[a-z]+)+-\d+):(\d{12}):key/([A-Za-z0-9-]{1,64})\z")]
    private static partial Regex KeyPattern();

    [GeneratedRegex(@"\Aarn:(aws|aws-us-gov|aws-cn):iam::(\d{12}):role/(?:[\x21-\x7e]+/)?([A-Za-z0-9+=,.@_-]{1,64})\z")]
    private static partial Regex RolePattern();

    [GeneratedRegex(@"\A[A-Za-z0-9+=,.@_-]{1,64}\z")]
    private static partial Regex RoleNamePattern();

    [GeneratedRegex(@"\AAROA[A-Z0-9]{8,}\z")]
    private static partial Regex RoleIdPattern();
}
