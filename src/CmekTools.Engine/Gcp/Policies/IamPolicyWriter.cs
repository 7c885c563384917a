using System.Text.Json.Nodes;

namespace CmekTools.Engine.Gcp.Policies;

/// <summary>
/// One resource's IAM policy, and the one way to change it: read, edit, show, write with the etag, and on a lost race read and edit
/// again, so that nobody's change is overwritten. What was written is read back.
/// </summary>
internal sealed class IamPolicyWriter(
    string target,
    string kind,
    WrittenPolicies written,
    Operation op,
    Func<CancellationToken, Task<JsonObject>> read,
    Func<JsonObject, CancellationToken, Task<JsonObject>> write)
{
    /// <summary>The resource.</summary>
    public string Target => target;

    /// <summary>True for a resource that was made now: a read that finds nothing is tried again.</summary>
    public bool Young { get; init; }

    // How long a read that is older than the write is looked at again; what then still is old is no fault.
    private TimeSpan Settle { get; set; } = op.Timings.PropagationLimit;

    /// <summary>Looks no longer than this at a read that is older than the write.</summary>
    public IamPolicyWriter Settled(TimeSpan within)
    {
        Settle = within;
        return this;
    }

    public static IamPolicyWriter Key(IGoogleCloud cloud, string uri, WrittenPolicies written, Operation op) =>
        new(
            uri,
            "cloudkms:cryptoKeys.setIamPolicy",
            written,
            op,
            t => cloud.GetKmsPolicyAsync(uri, t),
            (p, t) => cloud.SetKmsPolicyAsync(uri, p, t));

    public static IamPolicyWriter Account(IGoogleCloud cloud, string email, WrittenPolicies written, Operation op, bool young = false) =>
        new(
            email,
            "iam:serviceAccounts.setIamPolicy",
            written,
            op,
            t => cloud.GetAccountPolicyAsync(email, t),
            (p, t) => cloud.SetAccountPolicyAsync(email, p, t)) { Young = young };

    /// <summary>Makes one change.</summary>
    /// <param name="summary">What it does.</param>
    /// <param name="edit">Edits the tree; false where nothing is to be done.</param>
    /// <param name="look">Sees the policy as it is, where there is something to tell about it.</param>
    /// <returns>True where the policy is as wanted at the end; false where the change was declined.</returns>
    public async Task<bool> EditAsync(string summary, Func<JsonObject, bool> edit, Func<JsonObject, Task>? look = null)
    {
        JsonObject before = await ReadAsync(op.Cancellation).ConfigureAwait(false);
        await op.SettleAsync(kind, target, before).ConfigureAwait(false);
        if (look is not null)
        {
            await look(before).ConfigureAwait(false);
        }

        JsonObject after = before.DeepClone().AsObject();
        if (!edit(after))
        {
            return true;
        }

        IamBindings.SetVersion(after);
        bool done = await op.ChangeAsync(
            new PlannedChange(kind, target, summary, IamBindings.Difference(before, after), before.DeepClone(), after.DeepClone()),
            token => WriteAsync(after, edit, token),
            async token => !edit((await read(token).ConfigureAwait(false)).DeepClone().AsObject())).ConfigureAwait(false);
        if (done)
        {
            await RequireWrittenAsync(edit).ConfigureAwait(false);
        }

        return done;
    }

    // A read may still give the policy that was replaced: its etag tells. What is neither that nor as wanted was changed by somebody else.
    private async Task RequireWrittenAsync(Func<JsonObject, bool> edit)
    {
        long start = op.Session.Time.GetTimestamp();
        while (true)
        {
            JsonObject now = await read(op.Cancellation).ConfigureAwait(false);
            bool old = written.IsReplaced(target, now);
            if (!old && edit(now.DeepClone().AsObject()))
            {
                throw new CmekException(
                    "PolicyNotAsWritten",
                    CmekErrorKind.InvalidData,
                    $"{target}: the policy was written, and what is there now is not what was written; something else "
                        + "has changed it in between.",
                    "Run the command again.",
                    target);
            }

            if (!old)
            {
                return;
            }

            if (op.Session.Time.GetElapsedTime(start) >= Settle)
            {
                await op.Host.VerboseAsync(
                    $"{target}: the policy was written, and reads still give the one before it.").ConfigureAwait(false);
                return;
            }

            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
        }
    }

    private async Task<JsonObject> ReadAsync(CancellationToken cancellation)
    {
        long start = op.Session.Time.GetTimestamp();
        while (true)
        {
            try
            {
                return written.Newer(target, await read(cancellation).ConfigureAwait(false));
            }
            catch (CmekServiceException e) when (Young && InTime(start) && (e.StatusCode == 404 || GcpErrors.MayBeMissing(e)))
            {
                await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
            }
        }
    }

    private async Task WriteAsync(JsonObject policy, Func<JsonObject, bool> edit, CancellationToken cancellation)
    {
        long start = op.Session.Time.GetTimestamp();
        int lost = 0;
        bool waiting = false;
        while (true)
        {
            TimeSpan pause;
            try
            {
                JsonObject answer = await write(policy, cancellation).ConfigureAwait(false);
                written.Add(target, policy, answer);
                if (edit(answer.DeepClone().AsObject()))
                {
                    throw new CmekException(
                        "PolicyNotAsWritten",
                        CmekErrorKind.InvalidData,
                        $"{target}: the policy was written, and the service's own answer is not what was written.",
                        "Run the command again.",
                        target);
                }

                break;
            }
            catch (CmekServiceException e) when (e.StatusCode == 409 && e.Code is "ABORTED" or null && InTime(start))
            {
                // A lost race. A random pause, longer after each, keeps losers from meeting again.
                pause = op.Timings.RetryBase * (Random.Shared.NextDouble() * Math.Min(1 << Math.Min(lost++, 4), 10));
            }
            catch (CmekServiceException e) when (e.StatusCode == 400 && e.Message.Contains("does not exist", StringComparison.Ordinal))
            {
                RequireHealing(e, start);
                waiting = true;
                TimeSpan waited = op.Session.Time.GetElapsedTime(start);
                await op.Host.ProgressAsync(
                    new OperationProgress(
                        "Waiting for IAM",
                        $"Google Cloud does not know the service account everywhere yet ({waited.TotalSeconds:0} s)",
                        (int)(100 * waited / op.Timings.PropagationLimit))).ConfigureAwait(false);
                pause = op.Timings.PropagationPoll;
            }

            await op.DelayAsync(pause).ConfigureAwait(false);
            policy = await ReadAsync(cancellation).ConfigureAwait(false);
            if (!edit(policy))
            {
                break;
            }

            IamBindings.SetVersion(policy);
        }

        if (waiting)
        {
            await op.Host.ProgressAsync(new OperationProgress("Waiting for IAM", "done", 100, Completed: true)).ConfigureAwait(false);
        }
    }

    // A young account is not known everywhere for minutes; the cluster's own principal is old, and waiting for it would be in vain.
    private void RequireHealing(CmekServiceException e, long start)
    {
        if (e.Message.Contains("crl-kms-user-", StringComparison.Ordinal))
        {
            throw new CmekServiceException(
                e.Service,
                "ClusterPrincipalUnknown",
                CmekErrorKind.ObjectNotFound,
                $"Google Cloud does not know the cluster's own principal: {e.Message}",
                e.StatusCode,
                e.Code,
                e.RequestId,
                "CockroachDB Cloud makes it when CMEK is turned on for the organization: New-CmekSupportRequest -Purpose "
                    + "EnableOrganization writes the request. Check the cluster's id and account too.",
                target,
                e);
        }

        if (!InTime(start))
        {
            throw new CmekServiceException(
                e.Service,
                "PrincipalNotSpread",
                CmekErrorKind.OperationTimeout,
                $"{target}: after {op.Timings.PropagationLimit.TotalMinutes:0.#} min a member of the policy is "
                    + $"still not known: {e.Message}",
                e.StatusCode,
                e.Code,
                e.RequestId,
                "Take a member that is gone out of the policy if it is another one than the cluster's, and run the command again: it "
                    + "goes on where it stopped.",
                target,
                e);
        }
    }

    private bool InTime(long start) => op.Session.Time.GetElapsedTime(start) < op.Timings.PropagationLimit;
}
