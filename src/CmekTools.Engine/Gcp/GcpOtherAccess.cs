using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;

namespace CmekTools.Engine.Gcp;

/// <summary>What opens a key beside the binding of the cluster's account. Cloud KMS has no replicas and no grants.</summary>
internal sealed class GcpOtherAccess(GcpClients clients, GcpEvidenceReader evidence)
{
    /// <summary>The same key by the project's id or number.</summary>
    public async Task<KeyIdentity> IdentifyAsync(string keyUri, Operation op)
    {
        GcpKeyName name = GcpNames.ParseKey(keyUri);
        ProjectNames names = await clients.NamesOfAsync(name.Project, op).ConfigureAwait(false);
        string uri = (name with { Project = names.Id ?? name.Project }).ToString();
        // The number stays when a project is deleted and another one takes its id.
        return new KeyIdentity(uri, (name with { Project = names.Number ?? names.Id ?? name.Project }).ToString());
    }

    /// <summary>The key's state, and what was not seen or lies outside of what a cut touches.</summary>
    public async Task<OtherAccess> ReadAsync(string keyUri, Operation op)
    {
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        Task<Evidence<JsonObject>> key = GcpEvidence.ReadAsync(
            cloud.GetKeyAsync(keyUri, op.Cancellation),
            "cloudkms.cryptoKeys.get",
            keyUri);
        IReadOnlyList<ResourcePolicy> chain = await evidence.ReadChainAsync(keyUri, op).ConfigureAwait(false);
        List<string> unread = [.. chain.Where(l => l.Policy.Value is null).Select(l => $"the policy of the {l.Place} {l.Policy.Why}")];
        string[] accounts = [.. chain.Take(2)
            .Select(l => l.Policy.Value).OfType<JsonObject>()
            .SelectMany(IamBindings.Bindings).SelectMany(IamBindings.Members)
            .Select(IamMembers.EmailOf).OfType<string>()
            .Where(GcpNames.IsAccount).Distinct(StringComparer.OrdinalIgnoreCase)];
        List<string> others = [];
        foreach (Doors doors in await Task.WhenAll(accounts.Select(a => DoorsAsync(cloud, a, op))).ConfigureAwait(false))
        {
            others.AddRange(doors.Open);
            unread.AddRange(doors.Unread);
        }

        Evidence<JsonObject> seen = await key.ConfigureAwait(false);
        return new OtherAccess([], [], unread)
        {
            Others = others,
            State = seen.Value is { } value ? GcpKeyReader.StateOf(value) : CmekKeyState.Unknown,
        };
    }

    // By what else somebody becomes an account: keys that people hold, and identities of other providers. A cut of the key does not
    // need them gone; they say who else reads as this account as long as it is let in.
    private static async Task<Doors> DoorsAsync(IGoogleCloud cloud, string email, Operation op)
    {
        List<string> doors = [];
        List<string> unread = [];
        Task<Evidence<JsonObject>> keys = GcpEvidence.ReadAsync(
            cloud.ListAccountKeysAsync(email, op.Cancellation),
            "iam.serviceAccountKeys.list",
            email);
        Evidence<JsonObject> policy = await GcpEvidence.ReadAsync(
            cloud.GetAccountPolicyAsync(email, op.Cancellation),
            "iam.serviceAccounts.getIamPolicy",
            email).ConfigureAwait(false);
        Evidence<JsonObject> held = await keys.ConfigureAwait(false);
        if (held.Value is { } list)
        {
            string[] ids = [.. (list["keys"] as JsonArray ?? []).OfType<JsonObject>()
                .Where(k => k["keyType"]?.ToString() is null or "USER_MANAGED" && k["disabled"]?.ToString() != "true")
                .Select(k => k["name"]?.ToString().Split('/')[^1] ?? string.Empty)];
            if (ids.Length > 0)
            {
                doors.Add($"whoever holds a key of {email} ({string.Join(", ", ids)}) acts as it");
            }
        }
        else if (held.Hidden)
        {
            unread.Add($"the list of the keys of {email} {held.Why}");
        }

        if (policy.Value is { } bindings)
        {
            doors.AddRange(IamBindings.Bindings(bindings)
                .SelectMany(b => IamBindings.Members(b).Select(m => new { Role = IamBindings.Role(b), Member = m }))
                .Where(
                    b => b.Member.Contains("/workloadIdentityPools/", StringComparison.Ordinal)
                        || b.Member.Contains(".svc.id.goog[", StringComparison.Ordinal))
                .Select(b => $"{b.Member} acts as {email} by workload identity ({b.Role})").Distinct());
        }
        else if (policy.Hidden)
        {
            unread.Add($"the policy of {email} {policy.Why}");
        }

        return new Doors(doors, unread);
    }

    private sealed record Doors(IReadOnlyList<string> Open, IReadOnlyList<string> Unread);
}
