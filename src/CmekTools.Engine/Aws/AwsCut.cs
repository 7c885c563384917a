using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Cutting a cluster off from a key, and undoing exactly that.</summary>
internal sealed class AwsCut(AwsKeyReader reader, AwsRoleReader roles, AwsPrincipals principals, AwsPolicies policies, AwsKeyLife life)
{
    private const string SnapshotKind = "aws/1";

    public async Task<AccessSnapshot> CaptureAsync(AccessTarget target, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(target.KeyUri);
        RoleArn role = AwsInput.ParseRole(target.AuthPrincipal);
        Task<string> policy = reader.PolicyTextAsync(key, op.Cancellation);
        Task<Seen<KeyMetadata>> data = AwsKeyReader.LookAsync(reader.DescribeAsync(key.Text, key.Region, op.Cancellation));
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

    public async Task CutAsync(AccessTarget target, CutOptions options, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(target.KeyUri);
        RoleArn role = AwsInput.ParseRole(target.AuthPrincipal);
        await policies.EditPolicyAsync(
            key,
            policy => PolicyEdits.Cut(policy, target.Cluster, role.Text),
            $"cut {role.Text} off: our statement out, a Deny for the role in",
            (role.Text, null),
            mayBeNew: false,
            op,
            []).ConfigureAwait(false);
    }

    public async Task RestoreAsync(AccessTarget target, AccessSnapshot? snapshot, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(target.KeyUri);
        RoleArn role = AwsInput.ParseRole(target.AuthPrincipal);
        string? was = snapshot?.Data["keyState"]?.GetValue<string>();
        PolicyDocument? before = snapshot is { Kind: SnapshotKind } && snapshot.Data["keyPolicyText"]?.GetValue<string>() is { } text
            ? PolicyDocument.Parse(text, $"the receipt of {key.Text}")
            : null;
        if (!target.InUse && before is not null && OurStatements.FindRevoke(before, target.Cluster, role.Text) is not null)
        {
            await op.Host.VerboseAsync(
                $"{role.Text} was cut off from {key.Text} before this revocation already; it stays cut off.").ConfigureAwait(false);
            return;
        }

        if (target.InUse || was is null or "Enabled")
        {
            await life.ReviveKeyAsync(key.Text, op).ConfigureAwait(false);
        }

        GrantRole now = await principals.RepairRoleAsync(target, role, snapshot, op).ConfigureAwait(false);
        await policies.EditPolicyAsync(
            key,
            policy => PolicyEdits.Restore(policy, before, target.Cluster, role.Text, now.Id),
            $"give {role.Text} its access back: the Deny out, the statement back",
            (role.Text, now.Id),
            now.MayBeNew,
            op,
            []).ConfigureAwait(false);
    }

    // Whatever hides the role or keeps IAM from answering, a cut must go on soon: the key policy is what counts.
    private async Task<(IamRole? Role, string? Why)> RoleIfSeenAsync(RoleArn role, Operation op)
    {
        using CancellationTokenSource soon = CancellationTokenSource.CreateLinkedTokenSource(op.Cancellation);
        soon.CancelAfter(op.Timings.OthersPatience);
        try
        {
            return (await roles.RoleAsync(role, soon.Token).WaitAsync(soon.Token).ConfigureAwait(false), null);
        }
        catch (CmekException e)
        {
            return (null, e.Message);
        }
        catch (OperationCanceledException) when (!op.Cancellation.IsCancellationRequested)
        {
            return (null, $"IAM and STS did not answer in {op.Timings.OthersPatience.TotalSeconds:0.#} s");
        }
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
}
