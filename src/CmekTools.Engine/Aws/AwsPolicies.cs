using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Changing key policies: read just before, write, read back, compare.</summary>
internal sealed class AwsPolicies(AwsClients clients, AwsKeyReader reader)
{
    /// <summary>Changes a key's policy.</summary>
    /// <param name="key">The key.</param>
    /// <param name="edit">The change.</param>
    /// <param name="op">The run.</param>
    /// <param name="changes">Takes the summary.</param>
    /// <returns>True where it is as wanted now; false where the change was declined.</returns>
    public async Task<bool> EditPolicyAsync(
        KeyArn key,
        PolicyEdit edit,
        Operation op,
        ICollection<string> changes)
    {
        PolicyDocument before = await reader.PolicyAsync(key, op.Cancellation).ConfigureAwait(false);
        await op.SettleAsync("kms:PutKeyPolicy", key.Text, before.Root).ConfigureAwait(false);
        PolicyDocument after = before.Clone();
        edit.Apply(after);
        if (JsonNode.DeepEquals(after.Root, before.Root))
        {
            return true;
        }

        after.RequireSize(key.Text);
        PlannedChange change = new(
            "kms:PutKeyPolicy",
            key.Text,
            edit.Summary,
            PolicyJson.Diff(before.Root, after.Root),
            before.Root.DeepClone(),
            after.Root.DeepClone());

        // Nobody is asked in a break-glass, so that what was read is of this moment: a second read would only keep the key open.
        PolicyDocument? fresh = Pacing.Urgency.Current ? before : null;
        return await AwsChanges.ChangeAsync(op, changes, change, async cancellation =>
        {
            PolicyDocument sent = await PutPatientlyAsync(key, edit, fresh, op, cancellation).ConfigureAwait(false);
            await ReadBackAsync(key, sent, edit, op, cancellation).ConfigureAwait(false);
        }, async cancellation => IsIn(edit, await reader.PolicyAsync(key, cancellation).ConfigureAwait(false))).ConfigureAwait(false);
    }

    // There is no ETag: what is sent is made from what is read in the same moment, also when it is tried again.
    private async Task<PolicyDocument> PutPatientlyAsync(
        KeyArn key,
        PolicyEdit edit,
        PolicyDocument? fresh,
        Operation op,
        CancellationToken cancellation)
    {
        DateTimeOffset start = op.Session.Time.GetUtcNow();
        while (true)
        {
            PolicyDocument policy = fresh ?? await reader.PolicyAsync(key, cancellation).ConfigureAwait(false);
            fresh = null;
            edit.Apply(policy);
            policy.RequireSize(key.Text);
            try
            {
                await AwsErrors.CallAsync(
                    "kms:PutKeyPolicy",
                    key.Text,
                    ct => clients.Kms(key.Region).PutKeyPolicyAsync(
                        new PutKeyPolicyRequest { KeyId = key.Text, PolicyName = AwsKeyReader.PolicyName, Policy = policy.Text() },
                        ct),
                    cancellation).ConfigureAwait(false);
                return policy;
            }
            catch (CmekServiceException e) when (e.ErrorId == AwsErrors.PolicyMalformed)
            {
                TimeSpan waited = op.Session.Time.GetUtcNow() - start;
                if (PolicyEdits.DeadPrincipals(policy) is { Count: > 0 } dead)
                {
                    throw DeadPrincipal(key, dead, e);
                }

                // Only a principal that is not known yet heals; a fault in the policy's form does not.
                if (!edit.MayBeNew
                    || !e.Message.Contains("principal", StringComparison.OrdinalIgnoreCase)
                    || waited >= op.Timings.PropagationLimit)
                {
                    throw;
                }

                int percent = (int)Math.Min(99, 100 * waited / op.Timings.PropagationLimit);
                await op.Host.ProgressAsync(
                    new OperationProgress(
                        "Waiting for IAM",
                        $"KMS does not know the new role yet ({waited.TotalSeconds:0} s)",
                        percent)).ConfigureAwait(false);
            }

            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
        }
    }

    private async Task ReadBackAsync(
        KeyArn key,
        PolicyDocument sent,
        PolicyEdit edit,
        Operation op,
        CancellationToken cancellation)
    {
        string Rename(string text) => edit.RoleId is not null && text == edit.RoleId ? edit.RoleArn : text;
        PolicyDocument? seen = null;
        for (int attempt = 0; attempt < AwsChanges.ReadBackTries; attempt++)
        {
            if (attempt > 0)
            {
                await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
            }

            seen = await reader.PolicyAsync(key, cancellation).ConfigureAwait(false);
            if (seen.Same(sent, Rename) || (edit.EnoughWhereIn && IsIn(edit, seen)))
            {
                await op.Host.ProgressAsync(new OperationProgress("Waiting for IAM", "done", 100, Completed: true)).ConfigureAwait(false);
                return;
            }
        }

        throw new CmekException(
            "PolicyNotAsWritten",
            CmekErrorKind.InvalidData,
            $"The key policy of {key.Text} does not read as it was written; somebody else may have written it at the same "
                + $"moment:{Environment.NewLine}{PolicyJson.Diff(sent.Root, seen!.Root)}",
            "Look at the policy, then run the command again: it changes only what is missing.",
            key.Text);
    }

    private static bool IsIn(PolicyEdit edit, PolicyDocument seen)
    {
        PolicyDocument copy = seen.Clone();
        edit.Apply(copy);
        return JsonNode.DeepEquals(copy.Root, seen.Root);
    }

    private static CmekException DeadPrincipal(KeyArn key, List<string> dead, Exception cause) => new(
        "PolicyDeadPrincipal",
        CmekErrorKind.InvalidOperation,
        $"KMS takes no new policy for {key.Text} while a statement names principals that were deleted: {string.Join(", ", dead)}. Those "
            + "statements are not CmekTools', so they were left alone.",
        "Take the dead ids out of the policy, then run the command again. To stop every use of the key at once: aws kms disable-key "
            + $"--key-id {key.Text} --region {key.Region}",
        key.Text,
        cause);
}
