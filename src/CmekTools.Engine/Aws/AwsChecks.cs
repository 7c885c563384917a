using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Every reason why a cluster could not use a key, found before it does.</summary>
internal sealed class AwsChecks(AwsKeyReader reader, AwsRoleReader roles, AwsReach reach, AwsOpinion opinion)
{
    public async IAsyncEnumerable<CmekCheck> CheckAsync(AccessTarget target, Operation op, CheckDepth depth)
    {
        KeyArn key = AwsInput.ParseKey(target.KeyUri);
        RoleArn role = AwsInput.ParseRole(target.AuthPrincipal);

        // All of them start at once; none waits for another.
        Task<Seen<KeyMetadata>> data = AwsKeyReader.LookAsync(reader.DescribeAsync(key.Text, key.Region, op.Cancellation));
        Task<Seen<PolicyDocument>> policy = AwsKeyReader.LookAsync(reader.PolicyAsync(key, op.Cancellation));
        Task<Seen<GetKeyRotationStatusResponse>> rotation = AwsKeyReader.LookAsync(reader.RotationStatusAsync(key, op.Cancellation));
        Task<Seen<IReadOnlyList<KeyGrant>>> grants = AwsKeyReader.LookAsync(reach.GrantsAsync(key, op.Cancellation));
        Task<AwsRoleFindings> principal = roles.RoleFindingsAsync(role, op.Cancellation);
        await Task.WhenAll(data, policy, rotation, grants, principal).ConfigureAwait(false);
        AwsFindings findings = new(
            target,
            key,
            await data.ConfigureAwait(false),
            await policy.ConfigureAwait(false),
            await rotation.ConfigureAwait(false),
            await grants.ConfigureAwait(false),
            await principal.ConfigureAwait(false),
            op.Session.Time.GetUtcNow());
        foreach (CmekCheck check in AwsKeyChecks.Of(findings).Concat(AwsPolicyChecks.Of(findings)).Concat(AwsRoleChecks.Of(findings)))
        {
            yield return check;
        }

        if (depth == CheckDepth.Deep && await opinion.AskAsync(findings, op).ConfigureAwait(false) is { } second)
        {
            yield return second;
        }
    }
}
