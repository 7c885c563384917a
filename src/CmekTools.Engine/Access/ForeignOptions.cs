namespace CmekTools.Engine.Access;

/// <summary>Refuses what means nothing on a cluster's cloud: dropped in silence, something else would be made than what was asked for.</summary>
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

    private static void Require(CmekCluster cluster, params (string Name, CmekProvider Of, bool Given)[] options)
    {
        string[] foreign = [.. options.Where(o => o.Given && o.Of != cluster.Provider).Select(o => "-" + o.Name)];
        if (foreign.Length > 0 && cluster.Provider is CmekProvider.AWS or CmekProvider.GCP)
        {
            string[] own = [.. options.Where(o => o.Of == cluster.Provider).Select(o => "-" + o.Name)];
            throw new CmekException(
                "ParameterOfOtherCloud",
                CmekErrorKind.InvalidArgument,
                $"{string.Join(", ", foreign)} {(foreign.Length == 1 ? "is" : "are")} not for {cluster.Provider}, where {cluster.Name} runs. Nothing was done for it.",
                $"On {cluster.Provider} there are {string.Join(", ", own)}. Run the command for the clusters of each cloud by themselves.",
                cluster);
        }
    }
}
