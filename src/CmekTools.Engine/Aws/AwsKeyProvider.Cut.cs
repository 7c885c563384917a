using CmekTools.Engine.Aws.Policies;
using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Aws;

/// <summary>Cutting a cluster off from a key, and undoing exactly that.</summary>
internal sealed partial class AwsKeyProvider
{
    private const string SnapshotKind = "aws/1";

    /// <inheritdoc/>
    public async Task<AccessSnapshot> CaptureAsync(AccessTarget target, Operation op)
    {
        KeyArn key = ParseKey(target.KeyUri);
        RoleArn role = ParseRole(target.AuthPrincipal);
        Task<string> policy = PolicyTextAsync(key, op.Cancellation);
        Task<Seen<KeyMetadata>> data = LookAsync(DescribeAsync(key.Text, key.Region, op.Cancellation));
        Task<(IamRole? Role, string? Why)> iam = RoleIfSeenAsync(role, op);
        string text = await policy.ConfigureAwait(false);
        Seen<KeyMetadata> metadata = await data.ConfigureAwait(false);
        (IamRole? seen, string? why) = await iam.ConfigureAwait(false);
        JsonObject content = new()
        {
            ["keyUri"] = key.Text,
            ["keyPolicyText"] = text,
            ["keyPolicy"] = TryParse(text),
            ["keyState"] = metadata.Value?.KeyState?.Value,
            ["roleArn"] = role.Text,
            ["roleId"] = seen?.Id,
            ["trustPolicyText"] = seen?.TrustPolicy,
            ["trustPolicy"] = seen is null ? null : TryParse(seen.TrustPolicy),
        };
        if (why is not null)
        {
            content["roleNotSeen"] = why;
        }

        return new AccessSnapshot(SnapshotKind, content);
    }

    /// <inheritdoc/>
    public async Task CutAsync(AccessTarget target, CutOptions options, Operation op)
    {
        KeyArn key = ParseKey(target.KeyUri);
        RoleArn role = ParseRole(target.AuthPrincipal);
        await EditPolicyAsync(
            key,
            policy => Cut(policy, target.Cluster, role.Text),
            $"cut {role.Text} off: our statement out, a Deny for the role in",
            (role.Text, null),
            mayBeNew: false,
            op,
            []).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task RestoreAsync(AccessTarget target, AccessSnapshot? snapshot, Operation op)
    {
        KeyArn key = ParseKey(target.KeyUri);
        RoleArn role = ParseRole(target.AuthPrincipal);
        string? was = snapshot?.Data["keyState"]?.GetValue<string>();
        PolicyDocument? before = snapshot is { Kind: SnapshotKind } && snapshot.Data["keyPolicyText"]?.GetValue<string>() is { } text
            ? PolicyDocument.Parse(text, $"the receipt of {key.Text}")
            : null;
        if (!target.InUse && before is not null && OurStatements.FindRevoke(before, target.Cluster, role.Text) is not null)
        {
            await op.Host.VerboseAsync($"{role.Text} was cut off from {key.Text} before this revocation already; it stays cut off.").ConfigureAwait(false);
            return;
        }

        if (target.InUse || was is null or "Enabled")
        {
            await ReviveKeyAsync(key.Text, op).ConfigureAwait(false);
        }

        GrantRole now = await RepairRoleAsync(target, role, snapshot, op).ConfigureAwait(false);
        await EditPolicyAsync(
            key,
            policy => Restore(policy, before, target.Cluster, role.Text, now.Id),
            $"give {role.Text} its access back: the Deny out, the statement back",
            (role.Text, now.Id),
            now.MayBeNew,
            op,
            []).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task ReviveKeyAsync(string keyUri, Operation op)
    {
        KeyArn key = ParseKey(keyUri);
        KeyMetadata data = await DescribeAsync(key.Text, key.Region, op.Cancellation).ConfigureAwait(false);
        CmekKeyState state = ToState(data);
        if (state == CmekKeyState.PendingDeletion)
        {
            bool made = await op.ChangeAsync(
                new PlannedChange("kms:CancelKeyDeletion", key.Text, "cancel the key's scheduled deletion"),
                cancellation => AwsErrors.CallAsync(
                    "kms:CancelKeyDeletion",
                    key.Text,
                    ct => _clients.Kms(key.Region).CancelKeyDeletionAsync(new CancelKeyDeletionRequest { KeyId = key.Text }, ct),
                    cancellation)).ConfigureAwait(false);
            if (!made && !op.Host.WhatIf)
            {
                return;
            }

            // A key that was rescued is disabled.
            state = CmekKeyState.Disabled;
        }

        if (state == CmekKeyState.Disabled)
        {
            await op.ChangeAsync(
                new PlannedChange("kms:EnableKey", key.Text, "enable the key"),
                cancellation => AwsErrors.CallAsync(
                    "kms:EnableKey", key.Text, ct => _clients.Kms(key.Region).EnableKeyAsync(new EnableKeyRequest { KeyId = key.Text }, ct), cancellation)).ConfigureAwait(false);
        }
    }

    /// <summary>Takes our statement for a role out and puts the Deny in. What others wrote stays: the Deny wins over it.</summary>
    internal static void Cut(PolicyDocument policy, CmekCluster cluster, string roleArn)
    {
        // The one statement that is ours by Sid, shape and principal; a dead id in its place is a role that is gone.
        while (OurStatements.FindUse(policy, cluster, roleArn, null) is { } ours)
        {
            policy.Remove(ours);
        }

        if (OurStatements.FindRevoke(policy, cluster, roleArn) is null)
        {
            policy.Add(OurStatements.Revoke(policy.FreeSid(OurStatements.RevokeSid(cluster)), roleArn));
        }
    }

    /// <summary>Undoes <see cref="Cut"/>, and leaves what others changed since.</summary>
    /// <param name="policy">The policy as it is.</param>
    /// <param name="before">The policy as it was before the cut, or null.</param>
    /// <param name="cluster">The cluster.</param>
    /// <param name="roleArn">The role.</param>
    /// <param name="roleId">The role's unique id now.</param>
    internal static void Restore(PolicyDocument policy, PolicyDocument? before, CmekCluster cluster, string roleArn, string? roleId)
    {
        while (OurStatements.FindRevoke(policy, cluster, roleArn) is { } deny)
        {
            policy.Remove(deny);
        }

        // A receipt that was written when the Deny was in already does not say what was there before.
        if (before is null || OurStatements.FindRevoke(before, cluster, roleArn) is not null)
        {
            AllowUse(policy, cluster, roleArn, roleId);
            return;
        }

        IReadOnlyList<JsonObject> old = before.Statements;
        for (int i = 0; i < old.Count; i++)
        {
            bool mine = OurStatements.IsUse(old[i], cluster) && OurStatements.OnlyPrincipal(old[i]) is { } principal && (principal == roleArn || AwsNames.IsRoleId(principal));
            if (mine && !policy.Statements.Any(s => IsBack(s, old[i])))
            {
                JsonObject statement = (JsonObject)old[i].DeepClone();
                WithLivePrincipal(statement, roleArn);
                string sid = PolicyJson.Text(statement, "Sid")!;
                if (policy.HasSid(sid))
                {
                    // Somebody took the Sid since.
                    statement["Sid"] = policy.FreeSid(sid);
                }

                policy.Insert(PlaceOf(policy, old, i), statement);
            }
        }

        foreach (JsonObject stale in policy.Statements.Where(s => OurStatements.IsUse(s, cluster) && AwsNames.IsRoleId(OurStatements.OnlyPrincipal(s) ?? string.Empty) && OurStatements.OnlyPrincipal(s) != roleId))
        {
            WithLivePrincipal(stale, roleArn);
        }

        if (before.IsSingle)
        {
            policy.Unwrap();
        }

        bool IsBack(JsonObject now, JsonObject then)
        {
            JsonObject wanted = (JsonObject)then.DeepClone();
            WithLivePrincipal(wanted, roleArn);
            return PolicyJson.Same(now, wanted, text => text == roleId ? roleArn : text) || PolicyJson.Same(now, then)
                || (PolicyJson.Text(now, "Sid") == PolicyJson.Text(then, "Sid") && OurStatements.IsUse(now, cluster) && OurStatements.OnlyPrincipal(now) is { } who && (who == roleArn || who == roleId));
        }
    }

    // Only a dead id is written anew; everything else of the statement is put back letter by letter.
    private static void WithLivePrincipal(JsonObject statement, string roleArn)
    {
        if (OurStatements.OnlyPrincipal(statement) is { } principal && AwsNames.IsRoleId(principal))
        {
            statement["Principal"] = new JsonObject { ["AWS"] = roleArn };
        }
    }

    // Behind the nearest neighbour that is still there, so that an untouched policy comes out as it was.
    private static int PlaceOf(PolicyDocument policy, IReadOnlyList<JsonObject> old, int index)
    {
        IReadOnlyList<JsonObject> now = policy.Statements;
        for (int i = index - 1; i >= 0; i--)
        {
            for (int j = now.Count - 1; j >= 0; j--)
            {
                if (PolicyJson.Same(now[j], old[i]))
                {
                    return j + 1;
                }
            }
        }

        return 0;
    }

    private async Task<(IamRole? Role, string? Why)> RoleIfSeenAsync(RoleArn role, Operation op)
    {
        try
        {
            return (await RoleAsync(role, op).ConfigureAwait(false), null);
        }
        catch (CmekException e)
        {
            // Whatever hides the role, a cut must go on: the key policy is what counts.
            return (null, e.Message);
        }
    }

    private async Task<GrantRole> RepairRoleAsync(AccessTarget target, RoleArn role, AccessSnapshot? snapshot, Operation op)
    {
        Seen<IamRole> seen = await LookAsync(RoleAsync(role, op)).ConfigureAwait(false);
        if (seen.Value is { } there)
        {
            string? before = snapshot?.Data["roleId"]?.GetValue<string>();
            if (before is not null && before != there.Id)
            {
                await op.Host.WarningAsync($"The role {role.Text} was deleted and made again since it was cut off ({before} is now {there.Id}); the key policy is written anew for it.").ConfigureAwait(false);
            }

            TrustVerdict trust = JudgeTrust(PolicyDocument.Parse(there.TrustPolicy, role.Text), target.Cluster.AccountId ?? string.Empty, target.OrganizationId, op.Session.Time.GetUtcNow());
            bool ours = there.Tags.GetValueOrDefault(AwsNames.ClusterIdTag) == target.Cluster.Id;
            if (trust.Allowed == false && ours && target.Cluster.AccountId is { } account)
            {
                return await CompleteRoleAsync(there, target.Cluster, account, role.Partition, named: true, op, []).ConfigureAwait(false);
            }

            if (trust.Allowed == false)
            {
                await op.Host.WarningAsync($"The role {role.Text} does not let the cluster's account assume it: {trust.Reason}. CmekTools did not change that; Grant-CmekAccess -RoleName {role.Name} adds the trust.").ConfigureAwait(false);
            }

            bool mayBeNew = there.CreatedAt is { } made && op.Session.Time.GetUtcNow() - made < op.Timings.PropagationLimit;
            return new GrantRole(there.Arn, there.Id, mayBeNew, false);
        }

        if (!seen.Missing || target.Cluster.AccountId is not { } trusted)
        {
            await op.Host.WarningAsync($"The role {role.Text} could not be looked at ({seen.Why}); the key policy is written for its ARN.").ConfigureAwait(false);
            return new GrantRole(role.Text, null, false, false);
        }

        AwsCaller caller = await _clients.CallerAsync(AwsNames.IamRegion(role.Partition), op.Cancellation).ConfigureAwait(false);
        if (role.Text != $"arn:{caller.Partition}:iam::{caller.Account}:role/{role.Name}")
        {
            throw new CmekException(
                "RoleNotFound", CmekErrorKind.ObjectNotFound, $"The role {role.Text} is gone, and cannot be made again from here under this ARN.", $"Restore-CmekAccess -ClusterName {target.Cluster.Name} -RoleName NAME gives the access to another role.", role.Text);
        }

        return await CreateRoleAsync(role.Name, target.Cluster, trusted, caller, op, []).ConfigureAwait(false);
    }

    private static RoleArn ParseRole(string principal) => AwsNames.TryParseRole(principal) ?? throw new CmekException(
        "PrincipalInvalid",
        CmekErrorKind.InvalidArgument,
        $"'{principal}' is not the ARN of an IAM role.",
        "Give it as arn:aws:iam::111122223333:role/NAME; `aws iam get-role --role-name NAME --query Role.Arn --output text` shows it.",
        principal);

    private static JsonNode? TryParse(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (System.Text.Json.JsonException)
        {
            // The exact text is kept beside it.
            return null;
        }
    }
}
