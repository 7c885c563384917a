using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Giving a cluster's role the use of a key.</summary>
internal sealed class AwsAccessGranting(AwsKeyReader reader, AwsPrincipals principals, KeyPolicyWriter policies)
{
    public async Task<CmekAccess> GrantAsync(CmekCluster cluster, CmekKey key, string region, PrincipalOptions options, Operation op)
    {
        List<string> changes = [];
        KeyArn? arn = null;
        if (key.KeyUri is not null)
        {
            AwsInput.ValidateKeyUri(key.KeyUri, cluster, region);
            AwsKeyReader.RequireUsable(key);
            arn = AwsInput.ParseKey(key.KeyUri);
            if (arn.Region != region)
            {
                await op.Host.WarningAsync(
                    $"The key {arn.Text} is in {arn.Region}, the cluster's region is {region}: an outage of {arn.Region} would stop "
                        + $"{region} too.").ConfigureAwait(false);
            }

            await reader.RequireOwnAccountAsync(arn, op.Cancellation).ConfigureAwait(false);

            // Before any write: an emergency revocation is not undone in passing.
            OurPolicyEdits.RequireNotRevoked(
                await reader.PolicyAsync(arn, op.Cancellation).ConfigureAwait(false),
                cluster,
                arn,
                AwsNames.TryParseRole(options.RoleArn)?.Name ?? options.RoleName ?? AwsNames.RoleName(cluster));
        }

        ClusterRole role = await principals.EnsureRoleAsync(cluster, region, options, op, changes).ConfigureAwait(false);
        bool planned = role.Planned;
        if (arn is null)
        {
            JsonObject statement = OurStatements.Use(OurStatements.UseSid(cluster), role.Arn);
            await op.Host.ShouldProcessAsync(
                $"the key to be made for {cluster.Name}/{region}",
                $"let {role.Arn} use the key{Environment.NewLine}{PolicyJson.Diff(null, statement)}").ConfigureAwait(false);
            planned = true;
        }
        else if (role.Planned)
        {
            PolicyDocument before = await reader.PolicyAsync(arn, op.Cancellation).ConfigureAwait(false);
            PolicyDocument after = before.Clone();
            OurPolicyEdits.AllowUse(after, cluster, role.Arn, null);
            await op.Host.ShouldProcessAsync(
                arn.Text,
                $"let {role.Arn} use the key{Environment.NewLine}{PolicyJson.Diff(before.Root, after.Root)}").ConfigureAwait(false);
        }
        else
        {
            KeyPolicyChange edit = new(
                policy =>
                {
                    OurPolicyEdits.RequireNotRevoked(policy, cluster, arn, AwsNames.TryParseRole(role.Arn)?.Name);
                    OurPolicyEdits.AllowUse(policy, cluster, role.Arn, role.Id);
                },
                $"let {role.Arn} use the key",
                role.Arn)
            {
                RoleId = role.Id,
                MayBeNew = role.MayBeNew,
                Repeats = true,
            };
            planned = !await policies.EditPolicyAsync(arn, edit, op, changes).ConfigureAwait(false);
            await WarnOfBlocksAsync(arn, role, op, planned).ConfigureAwait(false);
        }

        return new CmekAccess
        {
            ClusterId = cluster.Id,
            ClusterName = cluster.Name,
            Provider = CmekProvider.AWS,
            Region = region,
            KeyUri = key.KeyUri,
            AuthPrincipal = role.Arn,
            Planned = planned,
            Changes = changes,
        };
    }

    private async Task WarnOfBlocksAsync(KeyArn key, ClusterRole role, Operation op, bool planned)
    {
        if (planned)
        {
            return;
        }

        PolicyDocument policy = await reader.PolicyAsync(key, op.Cancellation).ConfigureAwait(false);
        PolicyPrincipal who = new(AwsNames.TryParseRole(role.Arn)!.Account, role.Arn, role.Id);
        PolicyContext context = PolicyContext.ForKey(key, who, op.Session.Time.GetUtcNow());
        foreach (
            string reason in OurStatements.Calls.Select(
                c => PolicyEvaluator.Resource(policy, who, c, key.Text, context)).Where(
                    d => d.Answer != PolicyAnswer.Allowed).Select(d => d.Reason).Distinct())
        {
            await op.Host.WarningAsync(
                $"{key.Text}: {reason}. The cluster cannot count on this key. That statement is not CmekTools', so it was left "
                    + "alone.").ConfigureAwait(false);
        }
    }
}
