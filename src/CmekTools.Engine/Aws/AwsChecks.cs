using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Every reason why a cluster could not use a key, found before it does.</summary>
internal sealed class AwsChecks(AwsKeyReader reader, AwsRoleReader roles, AwsOtherAccess otherAccess, AwsOpinion opinion)
{
    public async IAsyncEnumerable<CmekCheck> CheckAsync(AccessTarget target, Operation op, CheckDepth depth)
    {
        KeyArn key = AwsInput.ParseKey(target.KeyUri);
        RoleArn role = AwsInput.ParseRole(target.AuthPrincipal);

        // All of them start at once; none waits for another.
        Task<Evidence<KeyMetadata>> data = AwsEvidence.ReadAsync(reader.DescribeAsync(key.Text, key.Region, op.Cancellation));
        Task<Evidence<PolicyDocument>> policy = AwsEvidence.ReadAsync(reader.PolicyAsync(key, op.Cancellation));
        Task<Evidence<GetKeyRotationStatusResponse>> rotation = AwsEvidence.ReadAsync(reader.RotationStatusAsync(key, op.Cancellation));
        Task<Evidence<IReadOnlyList<KeyGrant>>> grants = AwsEvidence.ReadAsync(otherAccess.GrantsAsync(key, op.Cancellation));
        Task<AwsRoleEvidence> principal = roles.RoleEvidenceAsync(role, op.Cancellation);
        await Task.WhenAll(data, policy, rotation, grants, principal).ConfigureAwait(false);
        AwsAccessEvidence evidence = new(
            target,
            key,
            await data.ConfigureAwait(false),
            await policy.ConfigureAwait(false),
            await rotation.ConfigureAwait(false),
            await grants.ConfigureAwait(false),
            await principal.ConfigureAwait(false),
            op.Session.Time.GetUtcNow());
        foreach (CmekCheck check in AwsKeyChecks.Of(evidence).Concat(AwsPolicyChecks.Of(evidence)).Concat(AwsRoleChecks.Of(evidence)))
        {
            yield return check;
        }

        if (depth == CheckDepth.Deep && await opinion.AskAsync(evidence, op).ConfigureAwait(false) is { } second)
        {
            yield return second;
        }
    }
}
