namespace CmekTools.Sandbox.Aws.Policies;

/// <summary>
/// Between the names that people write and the ids that AWS keeps: a policy holds a role by its unique id, so that a role made again under
/// the same name is not the one that was trusted.
/// </summary>
internal sealed class PrincipalNames(AwsWorld world)
{
    /// <summary>The stored form, or null where there is no such principal (yet).</summary>
    public string? ToStored(string written)
    {
        if (written == "*")
        {
            return written;
        }

        if (AwsIds.IsAccount(written))
        {
            return AwsIds.Root(written);
        }

        string[] arn = written.Split(':', 6);
        if (arn.Length != 6)
        {
            // A unique id is taken as long as somebody bears it; what a deleted role leaves behind cannot be written back.
            return world.FindPrincipalById(written) is { } bearer && !AwsIds.IsAccount(bearer.UniqueId) ? Spread(bearer) : null;
        }

        if (arn[0] != "arn" || arn[1] != "aws" || arn[3].Length != 0 || !AwsIds.IsAccount(arn[4]))
        {
            return null;
        }

        return arn[2] switch
        {
            "iam" when arn[5] == "root" => written,
            "iam" => world.FindPrincipal(written) is { } principal ? Spread(principal) : null,
            "sts" => arn[5].Split('/') is ["assumed-role", var role, { Length: > 0 }] && world.FindRole(arn[4], role) is not null
                ? written
                : null,
            _ => null,
        };
    }

    /// <summary>The shown form: the ARN, or the bare id once nobody bears it.</summary>
    public string ToShown(string stored) =>
        world.FindPrincipalById(stored) is { } principal && !AwsIds.IsAccount(stored) ? principal.Arn : stored;

    private string? Spread(AwsPrincipal principal) => world.HasSpread(principal) ? principal.UniqueId : null;
}
