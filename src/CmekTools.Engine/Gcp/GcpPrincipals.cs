using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp;

/// <summary>The service accounts that clusters act as: found, made, brought back.</summary>
internal sealed class GcpPrincipals(GcpClients clients)
{
    private const string Description = "CockroachDB Cloud uses its KMS keys as this account. Made by CmekTools.";

    /// <summary>Is the account disabled?</summary>
    public static bool IsDisabled(JsonObject? account) => account?["disabled"]?.ToString() == "true";

    /// <summary>
    /// Looks for an account. Google answers 403 "denied (or it may not exist)" for one that does not exist, to its project's owner too;
    /// then the project's list decides, and where that may not be read it stays open.
    /// </summary>
    public async Task<Evidence<JsonObject>> FindAsync(string email, Operation op)
    {
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        try
        {
            return await GcpEvidence.ReadAsync(
                cloud.GetAccountAsync(email, op.Cancellation),
                "iam.serviceAccounts.get",
                email,
                GcpErrors.MayBeMissing).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (GcpErrors.MayBeMissing(e))
        {
            string project = GcpNames.ParseAccount(email).Project;
            Evidence<JsonObject> list = await GcpEvidence.ReadAsync(
                cloud.ListAccountsAsync(project, op.Cancellation),
                "iam.serviceAccounts.list",
                "the project " + project).ConfigureAwait(false);
            if (list.Value is null)
            {
                return GcpEvidence.Unread($"cannot be seen, or does not exist: {e.Message}", "iam.serviceAccounts.get", email);
            }

            JsonObject? found = (list.Value["accounts"] as JsonArray ?? []).OfType<JsonObject>()
                .FirstOrDefault(a => string.Equals(a["email"]?.ToString(), email, StringComparison.OrdinalIgnoreCase));
            return new Evidence<JsonObject>(found, found is null, found is null ? e.Message : null, "iam.serviceAccounts.get", email);
        }
    }

    /// <summary>Finds an account or makes it. Where it cannot be seen, making it tells whether it is there (409).</summary>
    /// <returns>Whether it is there at the end, and whether it is new.</returns>
    public async Task<AccountState> EnsureAsync(CmekCluster cluster, string email, Operation op)
    {
        Evidence<JsonObject> seen = await FindAsync(email, op).ConfigureAwait(false);
        if (seen.Value is { } account)
        {
            return IsDisabled(account) ? AccountState.Disabled : AccountState.There;
        }

        return await MakeAsync(cluster, email, op).ConfigureAwait(false);
    }

    /// <summary>Makes an account, and waits until IAM shows it.</summary>
    public async Task<AccountState> MakeAsync(CmekCluster cluster, string email, Operation op)
    {
        GcpAccountName name = GcpNames.ParseAccount(email);
        if (!name.CanBeMade)
        {
            throw new CmekException(
                "PrincipalNotFound",
                CmekErrorKind.ObjectNotFound,
                $"{email} does not exist or cannot be seen, and an account of this kind is made by Google alone.",
                "Check the name with gcloud iam service-accounts list, or leave -ServiceAccount away: one is derived from the cluster.",
                email);
        }

        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        AccountState state = AccountState.New;
        bool made = await op.ChangeAsync(
            new PlannedChange(
                "iam:serviceAccounts.create",
                email,
                "make the service account that the cluster acts as",
                $"description: {Description}",
                After: new JsonObject { ["email"] = email, ["description"] = Description }),
            async token =>
            {
                try
                {
                    await cloud.CreateAccountAsync(
                        name.Project,
                        name.Id,
                        $"CMEK of {cluster.Name}",
                        Description,
                        token).ConfigureAwait(false);
                }
                catch (CmekServiceException e) when (e.StatusCode == 409)
                {
                    // Another run was quicker, or it was there and could not be seen.
                }

                JsonObject? account = await AppearsAsync(cloud, email, op).ConfigureAwait(false);
                state = IsDisabled(account) ? AccountState.Disabled : AccountState.New;
            },
            async _ => (await FindAsync(email, op).ConfigureAwait(false)).Value is not null).ConfigureAwait(false);
        return made ? state : AccountState.Planned;
    }

    /// <summary>Enables a disabled account.</summary>
    public async Task EnableAsync(string email, Operation op)
    {
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        await op.ChangeAsync(
            new PlannedChange(
                "iam:serviceAccounts.enable",
                email,
                "enable the service account",
                Before: new JsonObject { ["disabled"] = true },
                After: new JsonObject { ["disabled"] = false }),
            token => cloud.EnableAccountAsync(email, token),
            async token => !IsDisabled(await cloud.GetAccountAsync(email, token).ConfigureAwait(false))).ConfigureAwait(false);
    }

    /// <summary>Disables an account: its tokens end with it.</summary>
    public async Task DisableAsync(string email, Operation op)
    {
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        await op.ChangeAsync(
            new PlannedChange(
                "iam:serviceAccounts.disable",
                email,
                "disable the service account",
                Before: new JsonObject { ["disabled"] = false },
                After: new JsonObject { ["disabled"] = true }),
            token => cloud.DisableAccountAsync(email, token),
            async token => IsDisabled(await cloud.GetAccountAsync(email, token).ConfigureAwait(false))).ConfigureAwait(false);
    }

    /// <summary>Makes sure that an account is there and enabled: brought back as the principal that it was, or made anew.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="email">The account.</param>
    /// <param name="uniqueId">Its id when the receipt was written; null where that is not known.</param>
    /// <param name="op">The run.</param>
    /// <returns>True where it is there at the end.</returns>
    public async Task<AccountState> RestoreAsync(CmekCluster cluster, string email, string? uniqueId, Operation op)
    {
        Evidence<JsonObject> seen = await FindAsync(email, op).ConfigureAwait(false);
        bool renewed = seen.Value is null;
        if (renewed && !seen.Missing)
        {
            // It may be there, and only the look is refused: what it is to be given says more.
            await op.Host.WarningAsync($"{email} {seen.Why}. It is taken to be there.").ConfigureAwait(false);
            return AccountState.There;
        }

        if (renewed && !await MakeAgainAsync(cluster, email, uniqueId, op).ConfigureAwait(false))
        {
            return AccountState.Planned;
        }

        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        JsonObject? account = seen.Value ?? await AppearsAsync(cloud, email, op).ConfigureAwait(false);
        if (uniqueId is not null && account?["uniqueId"]?.ToString() is { } now && now != uniqueId)
        {
            await op.Host.WarningAsync(
                $"{email} was deleted and made anew since ({uniqueId} is now {now}): the bindings are written for the new one.")
                    .ConfigureAwait(false);
        }

        // A snapshot that was taken of a disabled account is no reason to leave the cluster without its key.
        if (IsDisabled(account))
        {
            await EnableAsync(email, op).ConfigureAwait(false);
        }

        return renewed ? AccountState.New : AccountState.There;
    }

    // Undeleting gives the same principal back, with its policy and its bindings elsewhere; a new one is only second best.
    private async Task<bool> MakeAgainAsync(CmekCluster cluster, string email, string? uniqueId, Operation op)
    {
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        if (uniqueId is not null)
        {
            try
            {
                return await op.ChangeAsync(
                    new PlannedChange("iam:serviceAccounts.undelete", email, $"bring the deleted service account {uniqueId} back"),
                    token => cloud.UndeleteAccountAsync(GcpNames.ParseAccount(email).Project, uniqueId, token),
                    async token =>
                        (
                            await cloud.GetAccountAsync(email, token)
                                .ConfigureAwait(false))["uniqueId"]?
                                .ToString() == uniqueId)
                                .ConfigureAwait(false);
            }
            catch (CmekServiceException e) when (e.StatusCode is 400 or 404 || GcpErrors.MayBeMissing(e))
            {
                await op.Host.WarningAsync(
                    $"{email} cannot be brought back ({e.Message}); another account is made under its name.").ConfigureAwait(false);
            }
        }

        return await MakeAsync(cluster, email, op).ConfigureAwait(false) != AccountState.Planned;
    }

    // IAM answers "not found" or "denied (or it may not exist)" for a moment after it has made an account.
    private static async Task<JsonObject?> AppearsAsync(IGoogleCloud cloud, string email, Operation op)
    {
        long start = op.Session.Time.GetTimestamp();
        while (true)
        {
            try
            {
                return await cloud.GetAccountAsync(email, op.Cancellation).ConfigureAwait(false);
            }
            catch (CmekServiceException e) when (e.StatusCode == 404 || GcpErrors.MayBeMissing(e))
            {
                if (op.Session.Time.GetElapsedTime(start) >= op.Timings.PropagationLimit)
                {
                    // Whoever may make accounts need not be allowed to see them.
                    return null;
                }
            }

            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
        }
    }
}
