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
        Task<Seen<IamRole>> reading = AwsKeyReader.LookAsync(
            AwsErrors.CallAsync("iam:GetRole", role.Text, ct => clients.Iam(role.Partition).GetRoleAsync(role.Name, ct), cancellation));
        await Task.WhenAll(asking, reading).ConfigureAwait(false);
        AwsCaller caller = await asking.ConfigureAwait(false);
        Seen<IamRole> seen = await reading.ConfigureAwait(false);
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
    /// The role, its own policies and its boundary, side by side. What cannot be read is named in the findings; nothing but a
    /// cancellation is thrown.
    /// </summary>
    public async Task<AwsRoleFindings> RoleFindingsAsync(RoleArn role, CancellationToken cancellation)
    {
        Task<Seen<IamRole>> reading = AwsKeyReader.TryAsync(RoleAsync(role, cancellation));
        Task<RolePolicies> own = OwnPoliciesAsync(role, cancellation);
        Seen<IamRole> seen = await reading.ConfigureAwait(false);
        Seen<PolicyDocument>? boundary = seen.Value?.BoundaryArn is { } arn
            ? await AwsKeyReader.TryAsync(ManagedAsync(role, arn, cancellation)).ConfigureAwait(false)
            : null;
        return new AwsRoleFindings(role, seen, await own.ConfigureAwait(false), boundary);
    }

    private async Task<RolePolicies> OwnPoliciesAsync(RoleArn role, CancellationToken cancellation)
    {
        IIamService iam = clients.Iam(role.Partition);
        Task<Seen<AwsCaller>> asking = AwsKeyReader.TryAsync(clients.CallerAsync(AwsNames.IamRegion(role.Partition), cancellation));
        Task<Seen<IReadOnlyList<string>>> inline = AwsKeyReader.TryAsync(
            AwsErrors.CallAsync("iam:ListRolePolicies", role.Text, ct => iam.ListRolePoliciesAsync(role.Name, ct), cancellation));
        Task<Seen<IReadOnlyList<string>>> attached = AwsKeyReader.TryAsync(
            AwsErrors.CallAsync(
                "iam:ListAttachedRolePolicies",
                role.Text,
                ct => iam.ListAttachedRolePoliciesAsync(role.Name, ct),
                cancellation));
        await Task.WhenAll(asking, inline, attached).ConfigureAwait(false);
        Seen<AwsCaller> caller = await asking.ConfigureAwait(false);
        if (caller.Value?.Account != role.Account)
        {
            return new RolePolicies([], caller.Why ?? $"the role is in the account {role.Account}");
        }

        Seen<IReadOnlyList<string>> names = await inline.ConfigureAwait(false);
        Seen<IReadOnlyList<string>> arns = await attached.ConfigureAwait(false);
        string? unseen = names.Missing || arns.Missing ? null : names.Why ?? arns.Why;
        Task<NamedPolicy>[] reads =
        [
            .. (names.Value ?? []).Select(n => InlineAsync(role, n, cancellation)),
            .. (arns.Value ?? []).Select(async a => new NamedPolicy(a, await ManagedAsync(role, a, cancellation).ConfigureAwait(false))),
        ];
        List<NamedPolicy> policies = [];
        foreach (Task<NamedPolicy> read in reads)
        {
            Seen<NamedPolicy> seen = await AwsKeyReader.TryAsync(read).ConfigureAwait(false);
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
