using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Cutting a cluster off from a key, and undoing exactly that.</summary>
internal sealed class AwsCut(
    AwsKeyReader reader,
    AwsRoleReader roles,
    AwsPrincipals principals,
    KeyPolicyWriter policies,
    AwsKeyLife life,
    AwsOtherAccess otherAccess)
{
    private static readonly TimeSpan s_iamPatience = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_iamSlow = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<string, Captured> _captured = new(StringComparer.Ordinal);
    private DateTimeOffset _iamSlowUntil = DateTimeOffset.MinValue;

    public async Task<AccessSnapshot> CaptureAsync(AccessTarget target, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(target.KeyUri);
        RoleArn role = AwsInput.ParseRole(target.AuthPrincipal);
        Task<string> policy = reader.PolicyTextAsync(key, op.Cancellation);
        Task<Evidence<KeyMetadata>> data = AwsEvidence.ReadAsync(reader.DescribeAsync(key.Text, key.Region, op.Cancellation));
        Task<Evidence<IamRole>> iam = AwsEvidence.TryReadAsync(roles.RoleAsync(role, op.Cancellation));
        string text = await policy.ConfigureAwait(false);
        _captured[key.Text] = new Captured(op, text);
        Evidence<KeyMetadata> metadata = await data.ConfigureAwait(false);
        Evidence<IamRole> answer = await SoonAsync(iam, op).ConfigureAwait(false);
        (IamRole? seen, string? why) = (answer.Value, answer.Why);
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

        return new AccessSnapshot(AccessSnapshot.AwsKind, content);
    }

    public async Task CutAsync(AccessTarget target, CutOptions options, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(target.KeyUri);
        RoleArn role = AwsInput.ParseRole(target.AuthPrincipal);
        if (role.Text.Contains("${", StringComparison.Ordinal))
        {
            // A condition would take it for a variable, and the Deny would stop nobody.
            throw new CmekException(
                "RoleNotNameable",
                CmekErrorKind.InvalidOperation,
                $"A policy cannot name the role {role.Text}: ${{…}} in a condition stands for something else.",
                $"To stop every use of the key at once: aws kms disable-key --key-id {key.Text} --region {key.Region}",
                role.Text);
        }

        KeyPolicyChange edit = new(
            policy => OurPolicyEdits.Cut(policy, target.Cluster, role.Text),
            $"cut {role.Text} off: our statement out, a Deny for the role in",
            role.Text)
        { EnoughWhereIn = true, Repeats = true };
        try
        {
            await EditAsync(key, edit, op, JustRead(key, op)).ConfigureAwait(false);
        }
        catch (CmekException e) when (e.ErrorId == "PolicyNotAsWritten")
        {
            // Somebody wrote his own over it. Now it is made from his.
            await EditAsync(key, edit, op).ConfigureAwait(false);
        }
        catch (CmekException e) when (e.ErrorId is "PolicyDeadPrincipal" or "PolicyTooLarge")
        {
            List<string> dead = OurPolicyEdits.DeadPrincipals(await reader.PolicyAsync(key, op.Cancellation).ConfigureAwait(false));
            if (dead.Count == 0)
            {
                throw;
            }

            // The receipt has the policy as it was. What is left out let nobody in: these principals are gone.
            await op.Host.WarningAsync(
                $"The key policy of {key.Text} could not be written as it is ({e.ErrorId}); it is written without the ids of deleted "
                    + "principals: "
                    + $"{string.Join(", ", dead)}.").ConfigureAwait(false);
            await EditAsync(
                key,
                edit with { Apply = policy => CutWithoutDead(policy, target.Cluster, role.Text) },
                op).ConfigureAwait(false);
        }
    }

    public async Task RestoreAsync(AccessTarget target, AccessSnapshot? snapshot, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(target.KeyUri);
        RoleArn role = AwsInput.ParseRole(target.AuthPrincipal);
        PolicyDocument? before = snapshot is { Kind: AccessSnapshot.AwsKind }
            && snapshot.Data["keyPolicyText"]?.GetValue<string>() is { } text
            ? PolicyDocument.Parse(text, $"the receipt of {key.Text}")
            : null;
        // What is to be made usable, and what was retired on purpose, is for the caller to know.
        if (target.Revival != Revival.None)
        {
            await life.ReviveKeyAsync(key.Text, target.Revival, op).ConfigureAwait(false);
        }

        ClusterRole now = await principals.RepairRoleAsync(target, role, snapshot, op).ConfigureAwait(false);
        await policies.EditPolicyAsync(
            key,
            new KeyPolicyChange(
                policy => OurPolicyEdits.Restore(policy, before, target.Cluster, role.Text, now.Id),
                $"give {role.Text} its access back: the Deny out, the statement back",
                role.Text)
            {
                RoleId = now.Id,
                MayBeNew = now.MayBeNew,
            },
            op,
            []).ConfigureAwait(false);
        await otherAccess.RestoreGrantsAsync(target, snapshot, op).ConfigureAwait(false);
    }

    // A policy that KMS does not take for another reason is no fault of whoever runs this: the caller goes on to disable the key.
    private async Task EditAsync(KeyArn key, KeyPolicyChange edit, Operation op, PolicyDocument? read = null)
    {
        try
        {
            await policies.EditPolicyAsync(key, edit, op, [], read).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.ErrorId == AwsErrors.PolicyMalformed)
        {
            throw new CmekServiceException(
                e.Service,
                e.ErrorId,
                CmekErrorKind.InvalidOperation,
                e.Message,
                e.StatusCode,
                e.Code,
                e.RequestId,
                $"To stop every use of the key at once: aws kms disable-key --key-id {key.Text} --region {key.Region}",
                key.Text,
                e);
        }
    }

    // What this very try has captured for the receipt is what the cut is made from: another read would only keep the key open.
    private PolicyDocument? JustRead(KeyArn key, Operation op) => _captured.TryRemove(key.Text, out Captured? captured)
        && ReferenceEquals(captured.By, op)
        && Pacing.Urgency.Current
            ? PolicyDocument.Parse(captured.Text, key.Text)
            : null;

    private static void CutWithoutDead(PolicyDocument policy, CmekCluster cluster, string roleArn)
    {
        OurPolicyEdits.TakeDeadOut(policy);
        OurPolicyEdits.Cut(policy, cluster, roleArn);
    }

    // The cut does not need the role, so it waits for IAM a moment at most; and not again once IAM has been slow.
    private async Task<Evidence<IamRole>> SoonAsync(Task<Evidence<IamRole>> iam, Operation op)
    {
        TimeSpan patience = op.Session.Time.GetUtcNow() < _iamSlowUntil ? TimeSpan.Zero : s_iamPatience;
        if (!iam.IsCompleted && patience > TimeSpan.Zero)
        {
            await Task.WhenAny(iam, Task.Delay(patience, op.Session.Time, op.Cancellation)).ConfigureAwait(false);
        }

        if (iam.IsCompleted)
        {
            return await iam.ConfigureAwait(false);
        }

        op.Cancellation.ThrowIfCancellationRequested();
        _iamSlowUntil = op.Session.Time.GetUtcNow() + s_iamSlow;
        _ = iam.ContinueWith(t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        return new Evidence<IamRole>(null, false, "IAM had not answered when the key policy was read; the cut did not wait for it");
    }

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

    private sealed record Captured(Operation By, string Text);
}
