using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Reading roles and their own policies. Sends no write.</summary>
internal sealed class AwsRoleReader(AwsClients clients)
{
    public async Task<IamRole?> FindRoleAsync(string name, string partition, CancellationToken cancellation)
    {
        try
        {
            return await AwsErrors.CallAsync(
                "iam:GetRole",
                name,
                ct => clients.Iam(partition).GetRoleAsync(name, ct),
                cancellation).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.ErrorId == "RoleNotFound")
        {
            return null;
        }
    }

    // IAM takes a name and looks in the caller's account; a role of that name there is not the one of another account.
    public async Task<IamRole> RoleAsync(RoleArn role, CancellationToken cancellation)
    {
        Task<AwsCaller> asking = clients.CallerAsync(AwsNames.IamRegion(role.Partition), cancellation);
        Task<Evidence<IamRole>> reading = AwsEvidence.ReadAsync(
            AwsErrors.CallAsync("iam:GetRole", role.Text, ct => clients.Iam(role.Partition).GetRoleAsync(role.Name, ct), cancellation));
        await Task.WhenAll(asking, reading).ConfigureAwait(false);
        AwsCaller caller = await asking.ConfigureAwait(false);
        Evidence<IamRole> seen = await reading.ConfigureAwait(false);
        if (caller.Account != role.Account)
        {
            throw new CmekException(
                "RoleNotSeen",
                CmekErrorKind.PermissionDenied,
                $"The role {role.Text} is in the account {role.Account}; the caller's is {caller.Account}, from where it cannot be seen.",
                $"Run this with credentials of the account {role.Account}.",
                role.Text);
        }

        if (seen.Value is { } found && found.Arn == role.Text)
        {
            return found;
        }

        throw seen.Missing || seen.Value is not null
            ? new CmekServiceException(
                "AWS IAM",
                "RoleNotFound",
                CmekErrorKind.ObjectNotFound,
                $"There is no role {role.Text}{(seen.Value is { } other ? $"; the role of that name is {other.Arn}" : string.Empty)}.",
                404,
                "NoSuchEntity",
                null,
                null,
                role.Text)
            : new CmekException(
                "RoleNotSeen",
                CmekErrorKind.PermissionDenied,
                seen.Why!,
                $"Have iam:GetRole on {role.Text} granted to whoever runs this.",
                role.Text);
    }

    /// <summary>
    /// The role, its own policies and its boundary, side by side. What cannot be read is named in the evidence; nothing but a
    /// cancellation is thrown.
    /// </summary>
    public async Task<AwsRoleEvidence> RoleEvidenceAsync(RoleArn role, CancellationToken cancellation)
    {
        Task<Evidence<IamRole>> reading = AwsEvidence.TryReadAsync(RoleAsync(role, cancellation));
        Task<RolePolicies> own = OwnPoliciesAsync(role, cancellation);
        Evidence<IamRole> seen = await reading.ConfigureAwait(false);
        Evidence<PolicyDocument>? boundary = seen.Value?.BoundaryArn is { } arn
            ? await AwsEvidence.TryReadAsync(ManagedAsync(role, arn, cancellation)).ConfigureAwait(false)
            : null;
        return new AwsRoleEvidence(role, seen, await own.ConfigureAwait(false), boundary);
    }

    private async Task<RolePolicies> OwnPoliciesAsync(RoleArn role, CancellationToken cancellation)
    {
        IIamService iam = clients.Iam(role.Partition);
        Task<Evidence<AwsCaller>> asking = AwsEvidence.TryReadAsync(clients.CallerAsync(AwsNames.IamRegion(role.Partition), cancellation));
        Task<Evidence<IReadOnlyList<string>>> inline = AwsEvidence.TryReadAsync(
            AwsErrors.CallAsync("iam:ListRolePolicies", role.Text, ct => iam.ListRolePoliciesAsync(role.Name, ct), cancellation));
        Task<Evidence<IReadOnlyList<string>>> attached = AwsEvidence.TryReadAsync(
            AwsErrors.CallAsync(
                "iam:ListAttachedRolePolicies",
                role.Text,
                ct => iam.ListAttachedRolePoliciesAsync(role.Name, ct),
                cancellation));
        await Task.WhenAll(asking, inline, attached).ConfigureAwait(false);
        Evidence<AwsCaller> caller = await asking.ConfigureAwait(false);
        if (caller.Value?.Account != role.Account)
        {
            return new RolePolicies([], caller.Why ?? $"the role is in the account {role.Account}");
        }

        Evidence<IReadOnlyList<string>> names = await inline.ConfigureAwait(false);
        Evidence<IReadOnlyList<string>> arns = await attached.ConfigureAwait(false);
        string? unseen = names.Missing || arns.Missing ? null : names.Why ?? arns.Why;
        Task<NamedPolicy>[] reads =
        [
            .. (names.Value ?? []).Select(n => InlineAsync(role, n, cancellation)),
            .. (arns.Value ?? []).Select(async a => new NamedPolicy(a, await ManagedAsync(role, a, cancellation).ConfigureAwait(false))),
        ];
        List<NamedPolicy> policies = [];
        foreach (Task<NamedPolicy> read in reads)
        {
            Evidence<NamedPolicy> seen = await AwsEvidence.TryReadAsync(read).ConfigureAwait(false);
            if (seen.Value is { } policy)
            {
                policies.Add(policy);
            }
            else
            {
                unseen ??= seen.Why;
            }
        }

        return new RolePolicies(policies, unseen);
    }

    private async Task<NamedPolicy> InlineAsync(RoleArn role, string name, CancellationToken cancellation)
    {
        string text = await AwsErrors.CallAsync(
            "iam:GetRolePolicy",
            name,
            ct => clients.Iam(role.Partition).GetRolePolicyAsync(role.Name, name, ct),
            cancellation).ConfigureAwait(false);
        return new NamedPolicy(name, PolicyDocument.Parse(text, name));
    }

    private async Task<PolicyDocument> ManagedAsync(RoleArn role, string arn, CancellationToken cancellation)
    {
        string text = await AwsErrors.CallAsync(
            "iam:GetPolicyVersion",
            arn,
            ct => clients.Iam(role.Partition).GetManagedPolicyAsync(arn, ct),
            cancellation).ConfigureAwait(false);
        return PolicyDocument.Parse(text, arn);
    }
}
