using CmekTools.Engine.Gcp.Policies;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp;

/// <summary>Reads everything that decides about an access, and decides.</summary>
internal sealed partial class GcpKeyProvider
{
    /// <inheritdoc/>
    public async Task<AccessDecision> EvaluateAsync(AccessTarget target, Operation op)
    {
        Sight sight = await SeeAsync(target, op).ConfigureAwait(false);
        DateTimeOffset now = op.Session.Time.GetUtcNow();
        string member = "serviceAccount:" + target.AuthPrincipal;
        if (sight.Key.Missing)
        {
            return AccessDecision.Of(Decision.Missing, $"{target.KeyUri} does not exist");
        }

        if (sight.Account.Missing || IsDisabled(sight.Account.Value))
        {
            return AccessDecision.Of(Decision.Denied, $"the service account {target.AuthPrincipal} {(sight.Account.Missing ? "does not exist" : "is disabled")}") with { ExplicitlyStopped = !sight.Account.Missing };
        }

        Placed crypto = CryptoOf(sight, member, target.KeyUri, now);
        Placed decrypt = DecryptOf(sight, member, target.KeyUri, now);
        string[] unseen = [.. new[] { sight.KeyPolicy, sight.RingPolicy, sight.ProjectPolicy }.Where(p => p.Hidden).Select(p => p.Why!)];
        if (crypto.Standing == Standing.No)
        {
            return decrypt.Standing != Standing.No
                ? new AccessDecision(Decision.Denied, decrypt.Standing == Standing.Yes ? Decision.Allowed : Decision.Perhaps, [$"{member} cannot encrypt, but {decrypt.Why("decrypt with")}"])
                : unseen.Length > 0
                    ? AccessDecision.Of(Decision.Unread, unseen)
                    : AccessDecision.Of(Decision.Denied, $"no binding on key, ring or project lets {member} use the key");
        }

        if (await WhyNoVersionAsync(target, sight, op).ConfigureAwait(false) is { } off)
        {
            return off;
        }

        if (crypto.Standing == Standing.Maybe)
        {
            return AccessDecision.Of(Decision.Perhaps, crypto.Why("use"));
        }

        string own = "serviceAccount:" + GcpNames.ClusterPrincipal(target.Cluster);
        return TokenOf(sight, own, target, now).Standing switch
        {
            Standing.Yes when sight.Account.Value is not null => AccessDecision.Of(Decision.Allowed, crypto.Why("use"), $"{own} may take its tokens"),
            Standing.Yes => AccessDecision.Of(Decision.Unread, crypto.Why("use"), sight.Account.Why!),
            Standing.Maybe => AccessDecision.Of(Decision.Perhaps, crypto.Why("use"), $"a condition, a group or a custom role may let {own} take tokens of {target.AuthPrincipal}; that cannot be judged from here"),
            _ when sight.AccountPolicy.Hidden || sight.AccountProjectPolicy.Hidden => AccessDecision.Of(Decision.Unread, [crypto.Why("use"), .. new[] { sight.AccountPolicy, sight.AccountProjectPolicy }.Where(p => p.Hidden).Select(p => p.Why!)]),
            _ => new AccessDecision(Decision.Denied, Decision.Perhaps, [crypto.Why("use"), $"{own} may not take new tokens of {target.AuthPrincipal}, but tokens that it has work for up to an hour"]),
        };
    }

    // The primary version encrypts; any enabled version decrypts what was encrypted under it.
    private async Task<AccessDecision?> WhyNoVersionAsync(AccessTarget target, Sight sight, Operation op)
    {
        if (sight.Key.Value is not { } key)
        {
            return AccessDecision.Of(Decision.Unread, sight.Key.Why!);
        }

        string state = State(key["primary"] as JsonObject);
        if (state == "ENABLED")
        {
            return null;
        }

        string primary = $"the key's primary version is {(state.Length == 0 ? "missing" : state)}";
        IGoogleCloud cloud = await CloudAsync(op).ConfigureAwait(false);
        JsonObject? open = (await cloud.ListVersionsAsync(target.KeyUri, op.Cancellation).ConfigureAwait(false)).LastOrDefault(v => State(v) == "ENABLED");
        return open is null
            ? AccessDecision.Of(Decision.Denied, primary) with { ExplicitlyStopped = true }
            : new AccessDecision(Decision.Denied, Decision.Perhaps, [primary, $"version {Version(open)} is enabled and decrypts what was encrypted under it"]);
    }

    // What can be read without waiting for anything else, read side by side.
    private async Task<Sight> SeeAsync(AccessTarget target, Operation op)
    {
        GcpKeyName name = GcpNames.ParseKey(target.KeyUri);
        GcpNames.ParseAccount(target.AuthPrincipal);
        IGoogleCloud cloud = await CloudAsync(op).ConfigureAwait(false);
        string home = GcpNames.ParseAccount(target.AuthPrincipal).Project;
        Task<Seen> Project(string id) => LookAsync(cloud.GetProjectPolicyAsync(id, op.Cancellation), "resourcemanager.projects.getIamPolicy", "the project " + id);
        Task<Seen> project = Project(name.Project);
        Seen[] seen = await Task.WhenAll(
            LookAsync(cloud.GetKeyAsync(target.KeyUri, op.Cancellation), "cloudkms.cryptoKeys.get", target.KeyUri),
            LookAsync(cloud.GetKmsPolicyAsync(target.KeyUri, op.Cancellation), "cloudkms.cryptoKeys.getIamPolicy", target.KeyUri),
            LookAsync(cloud.GetKmsPolicyAsync(name.RingName, op.Cancellation), "cloudkms.keyRings.getIamPolicy", name.RingName),
            project,
            LookAsync(cloud.GetAccountAsync(target.AuthPrincipal, op.Cancellation), "iam.serviceAccounts.get", target.AuthPrincipal),
            LookAsync(cloud.GetAccountPolicyAsync(target.AuthPrincipal, op.Cancellation), "iam.serviceAccounts.getIamPolicy", target.AuthPrincipal),
            home == name.Project ? project : Project(home)).ConfigureAwait(false);
        return new Sight(seen[0], seen[1], seen[2], seen[3], seen[4], seen[5], seen[6]);
    }

    private static async Task<Seen> LookAsync(Task<JsonObject> read, string permission, string on)
    {
        try
        {
            return new Seen(await read.ConfigureAwait(false), false, null, permission, on);
        }
        catch (CmekServiceException e) when (e.StatusCode is 403 or 404)
        {
            return e.StatusCode == 404
                ? new Seen(null, true, e.Message, permission, on)
                : new Seen(null, false, e.ErrorId == "AccessDenied" ? $"cannot be seen: {permission} on {on} is missing" : $"cannot be seen: {e.Message}", permission, on);
        }
    }

    private static Placed CryptoOf(Sight sight, string member, string key, DateTimeOffset now) => Strongest(sight, member, (policy, onKey) => IamJudge.Crypto(policy, member, key, now, onKey));

    private static Placed DecryptOf(Sight sight, string member, string key, DateTimeOffset now) => Strongest(sight, member, (policy, onKey) => IamJudge.Decrypt(policy, member, key, now, onKey));

    private static Placed Strongest(Sight sight, string member, Func<JsonObject, bool, Judged> judge)
    {
        Placed best = new("key", member, default);
        foreach ((string place, JsonObject? policy) in Levels(sight))
        {
            Judged one = policy is null ? default : judge(policy, place == "key");
            best = one.Standing > best.Standing ? new Placed(place, member, one) : best;
        }

        return best;
    }

    private static (string Place, JsonObject? Policy)[] Levels(Sight sight) => [("key", sight.KeyPolicy.Value), ("key ring", sight.RingPolicy.Value), ("project", sight.ProjectPolicy.Value)];

    // An account inherits from its own project, which is mostly the key's, but need not be.
    private static Judged TokenOf(Sight sight, string own, AccessTarget target, DateTimeOffset now)
    {
        string resource = $"projects/{GcpNames.ParseAccount(target.AuthPrincipal).Project}/serviceAccounts/{target.AuthPrincipal}";
        Judged direct = sight.AccountPolicy.Value is { } policy ? IamJudge.Token(policy, own, resource, now, onAccount: true) : default;
        Judged inherited = sight.AccountProjectPolicy.Value is { } project ? IamJudge.Token(project, own, resource, now, onAccount: false) : default;
        return Judged.Stronger(direct, inherited);
    }

    /// <summary>A thing that was looked at: there, missing, or hidden.</summary>
    private sealed record Seen(JsonObject? Value, bool Missing, string? Why, string Permission, string On)
    {
        public bool Hidden => Value is null && !Missing;
    }

    private sealed record Sight(Seen Key, Seen KeyPolicy, Seen RingPolicy, Seen ProjectPolicy, Seen Account, Seen AccountPolicy, Seen AccountProjectPolicy);

    /// <summary>What a member has, and where it has it.</summary>
    private sealed record Placed(string Place, string Wanted, Judged Judged)
    {
        public Standing Standing => Judged.Standing;

        public string Why(string verb) => Standing == Standing.Yes
            ? $"a binding on the {Place} lets {Wanted} {verb} the key{(Judged.Member == Wanted ? string.Empty : $" (as {Judged.Member})")}"
            : $"a binding on the {Place} ({Judged.Role}, {Judged.Member}{(Judged.Condition is null ? string.Empty : ", if " + Judged.Condition)}) may let {Wanted} {verb} the key; that cannot be judged from here";
    }
}
