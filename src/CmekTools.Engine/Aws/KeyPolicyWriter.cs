using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Changing key policies: read just before, write, read back, compare.</summary>
internal sealed class KeyPolicyWriter(AwsClients clients, AwsKeyReader reader)
{
    private const int Tries = 5;
    private static readonly TimeSpan s_besidePatience = TimeSpan.FromSeconds(1);

    // By so much a look goes out before the write that it is beside: one that arrives behind the write shows nothing of what was before.
    private static readonly TimeSpan s_headStart = TimeSpan.FromMilliseconds(10);

    /// <summary>Changes a key's policy.</summary>
    /// <param name="key">The key.</param>
    /// <param name="edit">The change.</param>
    /// <param name="op">The run.</param>
    /// <param name="changes">Takes the summary.</param>
    /// <param name="read">The policy where it was read a moment ago, else null.</param>
    /// <returns>True where it is as wanted now; false where the change was declined.</returns>
    public async Task<bool> EditPolicyAsync(
        KeyArn key,
        KeyPolicyChange edit,
        Operation op,
        ICollection<string> changes,
        PolicyDocument? read = null)
    {
        PolicyDocument before = read ?? await reader.PolicyAsync(key, op.Cancellation).ConfigureAwait(false);
        await op.SettleAsync("kms:PutKeyPolicy", key.Text, before.Root).ConfigureAwait(false);
        PolicyDocument after = before.Clone();
        edit.Apply(after);
        if (JsonNode.DeepEquals(after.Root, before.Root))
        {
            return true;
        }

        // Nobody is asked in a break-glass, so that what was read is of this moment: a second read would only keep the key open.
        if (!await ChangeAsync(before, changes).ConfigureAwait(false))
        {
            return false;
        }

        // A break-glass has looks of its own, behind all its keys.
        for (int tries = 1; !Pacing.Urgency.Current; tries++)
        {
            Evidence<PolicyDocument> now = await LookAfterAsync(op.Timings.PolicySettle).ConfigureAwait(false);
            if (now.Value is { } old && !IsIn(edit, old))
            {
                // Not each of a service's machines knows yet what was written: one look is no proof that somebody else has written.
                now = await LookAfterAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
            }

            if (now.Value is null || IsIn(edit, now.Value))
            {
                break;
            }

            if (!edit.Repeats || tries == Tries)
            {
                throw NotAsWritten(key, after, now.Value);
            }

            await op.Host.WarningAsync(
                $"The key policy of {key.Text} does not show this change any more, most likely because somebody else wrote it as he had "
                    + "read it before: the change is made once more.").ConfigureAwait(false);
            if (!await ChangeAsync(now.Value, []).ConfigureAwait(false))
            {
                return false;
            }
        }

        return true;

        async Task<Evidence<PolicyDocument>> LookAfterAsync(TimeSpan pause)
        {
            await op.DelayAsync(pause).ConfigureAwait(false);
            return await AwsEvidence.TryReadAsync(reader.PolicyAsync(key, op.Cancellation)).ConfigureAwait(false);
        }

        Task<bool> ChangeAsync(PolicyDocument was, ICollection<string> told)
        {
            PolicyDocument wanted = was.Clone();
            edit.Apply(wanted);
            wanted.RequireSize(key.Text);
            PlannedChange change = new(
                "kms:PutKeyPolicy",
                key.Text,
                edit.Summary,
                PolicyJson.Diff(was.Root, wanted.Root),
                was.Root.DeepClone(),
                wanted.Root.DeepClone());
            return AwsChanges.ChangeAsync(op, told, change, async cancellation =>
            {
                PolicyDocument sent = await PutBesideOthersAsync(key, edit, was, op, cancellation).ConfigureAwait(false);
                await ReadBackAsync(key, sent, edit, op, cancellation).ConfigureAwait(false);
            }, async cancellation => IsIn(edit, await reader.PolicyAsync(key, cancellation).ConfigureAwait(false)));
        }
    }

    // There is no ETag. A look at the policy goes out beside each write: where it shows another policy than the write was made from,
    // somebody has written it in between, and what he wrote goes back in beside the change.
    private async Task<PolicyDocument> PutBesideOthersAsync(
        KeyArn key,
        KeyPolicyChange edit,
        PolicyDocument before,
        Operation op,
        CancellationToken cancellation)
    {
        using IDisposable turn = await PolicyTurn.TakeAsync(op.Session.Journal.Folder, key, cancellation).ConfigureAwait(false);
        PolicyDocument basis = Pacing.Urgency.Current ? before : await reader.PolicyAsync(key, cancellation).ConfigureAwait(false);
        PolicyDocument from = basis.Clone();
        PolicyDocument? sent = null;
        List<JsonObject> his = [];
        List<JsonObject> gone = [];
        string lost = string.Empty;
        KeyPolicyChange both = edit with
        {
            Apply = p =>
            {
                OurPolicyEdits.PutIn(p, his);
                edit.Apply(p);
            },
        };
        for (int round = 0; round < Tries; round++)
        {
            PolicyDocument? there;
            try
            {
                Task<Evidence<PolicyDocument>> beside = AwsEvidence.TryReadAsync(reader.PolicyAsync(key, cancellation));
                await Task.WhenAny(beside, Task.Delay(s_headStart, op.Session.Time, cancellation)).ConfigureAwait(false);
                sent = await PutPatientlyAsync(key, both, from, op, cancellation).ConfigureAwait(false);
                there = await LookedAsync(beside, op, cancellation).ConfigureAwait(false);
                if (there is null || there.Same(basis) || await IsInOrRefusedAsync(key, both, there, cancellation).ConfigureAwait(false))
                {
                    break;
                }

                IReadOnlyList<JsonObject> news = OurPolicyEdits.News(basis, there);
                gone.AddRange(basis.Statements.Where(s => !Has(there, s)));
                if (news.Count == 0)
                {
                    break;
                }

                // What others have written since is in there, and stays.
                his.AddRange(news);
                basis = await reader.PolicyAsync(key, cancellation).ConfigureAwait(false);
                from = basis.Clone();
                both.Apply(from);
                if (JsonNode.DeepEquals(from.Root, basis.Root))
                {
                    sent = basis;
                    break;
                }
            }
            catch (CmekException e) when (sent is not null && e.ErrorId != "AccessRevoked")
            {
                // The change is in. That what he wrote is not is no reason to take a harder way.
                lost = $" What he wrote is lost, because it could not be written beside it ({e.Message}): "
                    + $"{string.Join(", ", his.Select(PolicyJson.Compact))}.";
                his.Clear();
                break;
            }
        }

        IReadOnlyList<string> again = OurPolicyEdits.Names(gone.Where(s => Has(sent!, s)));
        if (his.Count + again.Count + lost.Length > 0)
        {
            string kept = his.Count == 0 ? lost : $" Also in, as he wrote it: {string.Join(", ", OurPolicyEdits.Names(his).Distinct())}.";
            string back = again.Count == 0
                ? string.Empty
                : $" In again, although he took it out or changed it: {string.Join(", ", again.Distinct())}.";
            await op.Host.WarningAsync(
                $"Somebody else wrote the key policy of {key.Text} in the moment of this change. The change is in.{kept}{back} Look at "
                    + "the policy.").ConfigureAwait(false);
        }

        return sent!;
    }

    // What a look that went out beside a write has shown; null where it does not answer soon.
    private static async Task<PolicyDocument?> LookedAsync(
        Task<Evidence<PolicyDocument>> beside,
        Operation op,
        CancellationToken cancellation)
    {
        await Task.WhenAny(beside, Task.Delay(s_besidePatience, op.Session.Time, cancellation)).ConfigureAwait(false);
        if (beside.IsCompletedSuccessfully)
        {
            return (await beside.ConfigureAwait(false)).Value;
        }

        _ = beside.ContinueWith(t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        return null;
    }

    // What was written in between may be a cut, which the change must not go over: then the cut is put back as it was.
    private async Task<bool> IsInOrRefusedAsync(KeyArn key, KeyPolicyChange edit, PolicyDocument there, CancellationToken cancellation)
    {
        try
        {
            return IsIn(edit, there);
        }
        catch (CmekException e) when (e.ErrorId == "AccessRevoked")
        {
            await PutAsync(key, there, cancellation).ConfigureAwait(false);
            throw;
        }
    }

    private Task<PutKeyPolicyResponse> PutAsync(KeyArn key, PolicyDocument policy, CancellationToken cancellation) => AwsErrors.CallAsync(
        "kms:PutKeyPolicy",
        key.Text,
        ct => clients.Kms(key.Region).PutKeyPolicyAsync(
            new PutKeyPolicyRequest { KeyId = key.Text, PolicyName = AwsKeyReader.PolicyName, Policy = policy.Text() },
            ct),
        cancellation);

    // There is no ETag: what is sent is made from what is read in the same moment, also when it is tried again.
    private async Task<PolicyDocument> PutPatientlyAsync(
        KeyArn key,
        KeyPolicyChange edit,
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
                await PutAsync(key, policy, cancellation).ConfigureAwait(false);
                return policy;
            }
            catch (CmekServiceException e) when (e.ErrorId == AwsErrors.PolicyMalformed)
            {
                TimeSpan waited = op.Session.Time.GetUtcNow() - start;
                if (OurPolicyEdits.DeadPrincipals(policy) is { Count: > 0 } dead)
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
        KeyPolicyChange edit,
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

        throw NotAsWritten(key, sent, seen!);
    }

    private static CmekException NotAsWritten(KeyArn key, PolicyDocument sent, PolicyDocument seen) => new(
        "PolicyNotAsWritten",
        CmekErrorKind.InvalidData,
        $"The key policy of {key.Text} does not read as it was written; somebody else may have written it at the same "
            + $"moment:{Environment.NewLine}{PolicyJson.Diff(sent.Root, seen.Root)}",
        "Look at the policy, then run the command again: it changes only what is missing.",
        key.Text);

    private static bool Has(PolicyDocument policy, JsonObject statement) =>
        policy.Statements.Any(s => PolicyJson.Same(s, statement));

    private static bool IsIn(KeyPolicyChange edit, PolicyDocument seen)
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
