using CmekTools.Engine.Aws.Policies;
namespace CmekTools.Engine.Aws;

/// <summary>Looking at what may be missing or hidden, without failing.</summary>
internal sealed partial class AwsKeyProvider
{
    private static async Task<Seen<T>> LookAsync<T>(Task<T> read)
        where T : class
    {
        try
        {
            return new Seen<T>(await read.ConfigureAwait(false), false, null);
        }
        catch (CmekServiceException e) when (e.ErrorId is AwsErrors.KeyNotFound or "RoleNotFound")
        {
            return new Seen<T>(null, true, e.Message);
        }
        catch (CmekException e) when (e.Kind is CmekErrorKind.PermissionDenied or CmekErrorKind.InvalidOperation or CmekErrorKind.InvalidData)
        {
            return new Seen<T>(null, false, e.Message);
        }
    }

    // IAM takes a name and looks in the caller's account; a role of that name there is not the one of another account.
    private async Task<IamRole> RoleAsync(RoleArn role, Operation op)
    {
        Task<AwsCaller> asking = _clients.CallerAsync(AwsNames.IamRegion(role.Partition), op.Cancellation);
        Task<Seen<IamRole>> reading = LookAsync(AwsErrors.CallAsync("iam:GetRole", role.Text, ct => _clients.Iam(role.Partition).GetRoleAsync(role.Name, ct), op.Cancellation));
        await Task.WhenAll(asking, reading).ConfigureAwait(false);
        AwsCaller caller = await asking.ConfigureAwait(false);
        Seen<IamRole> seen = await reading.ConfigureAwait(false);
        if (caller.Account != role.Account)
        {
            throw new CmekException(
                "RoleNotSeen", CmekErrorKind.PermissionDenied, $"The role {role.Text} is in the account {role.Account}; the caller's is {caller.Account}, from where it cannot be seen.", $"Run this with credentials of the account {role.Account}.", role.Text);
        }

        if (seen.Value is { } found && found.Arn == role.Text)
        {
            return found;
        }

        throw seen.Missing || seen.Value is not null
            ? new CmekServiceException("AWS IAM", "RoleNotFound", CmekErrorKind.ObjectNotFound, $"There is no role {role.Text}{(seen.Value is { } other ? $"; the role of that name is {other.Arn}" : string.Empty)}.", 404, "NoSuchEntity", null, null, role.Text)
            : new CmekException("RoleNotSeen", CmekErrorKind.PermissionDenied, seen.Why!, $"Have iam:GetRole on {role.Text} granted to whoever runs this.", role.Text);
    }

    // Known only once the role is: null where it has no boundary.
    private async Task<Seen<PolicyDocument>?> BoundaryAsync(Task<Seen<IamRole>> reading, RoleArn role, Operation op)
    {
        if ((await reading.ConfigureAwait(false)).Value?.BoundaryArn is not { } arn)
        {
            return null;
        }

        return await LookAsync(ReadAsync()).ConfigureAwait(false);

        async Task<PolicyDocument> ReadAsync() => PolicyDocument.Parse(
            await AwsErrors.CallAsync("iam:GetPolicyVersion", arn, ct => _clients.Iam(role.Partition).GetManagedPolicyAsync(arn, ct), op.Cancellation).ConfigureAwait(false), arn);
    }

    private async Task<RolePolicies> RolePoliciesAsync(RoleArn role, Operation op)
    {
        IIamService iam = _clients.Iam(role.Partition);
        Task<AwsCaller> asking = _clients.CallerAsync(AwsNames.IamRegion(role.Partition), op.Cancellation);
        Task<Seen<IReadOnlyList<string>>> inline = LookAsync(AwsErrors.CallAsync("iam:ListRolePolicies", role.Text, ct => iam.ListRolePoliciesAsync(role.Name, ct), op.Cancellation));
        Task<Seen<IReadOnlyList<string>>> attached = LookAsync(AwsErrors.CallAsync("iam:ListAttachedRolePolicies", role.Text, ct => iam.ListAttachedRolePoliciesAsync(role.Name, ct), op.Cancellation));
        await Task.WhenAll(asking, inline, attached).ConfigureAwait(false);
        if ((await asking.ConfigureAwait(false)).Account != role.Account)
        {
            return new RolePolicies([], $"the role is in the account {role.Account}");
        }

        Seen<IReadOnlyList<string>> names = await inline.ConfigureAwait(false);
        Seen<IReadOnlyList<string>> arns = await attached.ConfigureAwait(false);
        string? unseen = names.Missing || arns.Missing ? null : names.Why ?? arns.Why;
        List<(string Name, Task<Seen<PolicyDocument>> Read)> reads =
        [
            .. (names.Value ?? []).Select(n => (n, LookAsync(ReadAsync("iam:GetRolePolicy", n, ct => iam.GetRolePolicyAsync(role.Name, n, ct))))),
            .. (arns.Value ?? []).Select(a => (a, LookAsync(ReadAsync("iam:GetPolicyVersion", a, ct => iam.GetManagedPolicyAsync(a, ct))))),
        ];
        List<(string, PolicyDocument)> policies = [];
        foreach ((string name, Task<Seen<PolicyDocument>> read) in reads)
        {
            Seen<PolicyDocument> document = await read.ConfigureAwait(false);
            if (document.Value is not null)
            {
                policies.Add((name, document.Value));
            }
            else
            {
                unseen ??= document.Why;
            }
        }

        return new RolePolicies(policies, unseen);

        async Task<PolicyDocument> ReadAsync(string permission, string name, Func<CancellationToken, Task<string>> read) =>
            PolicyDocument.Parse(await AwsErrors.CallAsync(permission, name, read, op.Cancellation).ConfigureAwait(false), name);
    }
}
