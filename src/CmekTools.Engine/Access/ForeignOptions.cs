namespace CmekTools.Engine.Access;

/// <summary>
/// Refuses what means nothing on a cluster's cloud: dropped in silence, something else would be made than what was asked for.
/// </summary>
internal static class ForeignOptions
{
    /// <summary>Refuses a principal's options that are another cloud's.</summary>
    /// <exception cref="CmekException"><c>ParameterOfOtherCloud</c>; nothing was sent.</exception>
    public static void Require(CmekCluster cluster, PrincipalOptions options) => Require(
        cluster,
        ("RoleName", CmekProvider.AWS, options.RoleName is not null),
        ("RoleArn", CmekProvider.AWS, options.RoleArn is not null),
        ("ServiceAccount", CmekProvider.GCP, options.ServiceAccount is not null),
        ("RoleId", CmekProvider.GCP, options.RoleId is not null));

    /// <summary>Refuses a key's options that are another cloud's.</summary>
    /// <exception cref="CmekException"><c>ParameterOfOtherCloud</c>; nothing was sent.</exception>
    public static void Require(CmekCluster cluster, KeyOptions options) => Require(
        cluster,
        ("AliasName", CmekProvider.AWS, options.AliasName is not null),
        ("MultiRegion", CmekProvider.AWS, options.MultiRegion),
        ("Project", CmekProvider.GCP, options.Project is not null),
        ("Location", CmekProvider.GCP, options.Location is not null),
        ("KeyRing", CmekProvider.GCP, options.KeyRing is not null),
        ("KeyName", CmekProvider.GCP, options.KeyName is not null),
        ("ProtectionLevel", CmekProvider.GCP, options.ProtectionLevel is not null));

    /// <summary>
    /// Refuses an option of a revocation that none of its clusters has a use for; where one of them has, the others are cut without
    /// it.
    /// </summary>
    /// <exception cref="CmekException"><c>ParameterOfOtherCloud</c>; nothing was cut.</exception>
    public static void RequireAny(IReadOnlyCollection<CmekCluster> clusters, string option, CmekProvider of, bool given)
    {
        if (given && clusters.Count > 0 && clusters.All(c => c.Provider != of))
        {
            throw new CmekException(
                "ParameterOfOtherCloud",
                CmekErrorKind.InvalidArgument,
                $"-{option} is for {of}, and {string.Join(", ", clusters.Select(c => c.Name))} {(clusters.Count == 1 ? "runs" : "run")} "
                    + "elsewhere. Nothing was cut.",
                $"Run the command again without -{option}.",
                option);
        }
    }

    /// <summary>Refuses a waiting time before a key's deletion where the key has its own.</summary>
    /// <exception cref="CmekException"><c>ParameterOfOtherCloud</c>; nothing was sent.</exception>
    public static void RequireWindow(string keyUri, CmekProvider provider, bool given)
    {
        if (given && provider == CmekProvider.GCP)
        {
            throw new CmekException(
                "ParameterOfOtherCloud",
                CmekErrorKind.InvalidArgument,
                "-PendingWindowInDays is for AWS: on Google Cloud a key has a waiting time of its own, from when it was made. "
                    + $"Nothing was done to {keyUri}.",
                "Run the command again without -PendingWindowInDays. gcloud kms keys describe shows destroyScheduledDuration.",
                keyUri);
        }
    }

    private static void Require(CmekCluster cluster, params (string Name, CmekProvider Of, bool Given)[] options)
    {
        string[] foreign = [.. options.Where(o => o.Given && o.Of != cluster.Provider).Select(o => "-" + o.Name)];
        if (foreign.Length > 0 && cluster.Provider is CmekProvider.AWS or CmekProvider.GCP)
        {
            string[] own = [.. options.Where(o => o.Of == cluster.Provider).Select(o => "-" + o.Name)];
            throw new CmekException(
                "ParameterOfOtherCloud",
                CmekErrorKind.InvalidArgument,
                $"{string.Join(", ", foreign)} {(foreign.Length == 1 ? "is" : "are")} not for {cluster.Provider}, where {cluster.Name} "
                    + "runs. Nothing was done for it.",
                $"On {cluster.Provider} there are {string.Join(", ", own)}. Run the command for the clusters of each cloud by themselves.",
                cluster);
        }
    }
}
