using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;

namespace CmekTools.Engine.Gcp;

/// <summary>Everything that decides about one access, as it was read.</summary>
/// <param name="Key">The key.</param>
/// <param name="Account">The service account.</param>
/// <param name="KeyChain">The key, its ring, its project and what is above.</param>
/// <param name="AccountChain">The account, its project and what is above.</param>
/// <param name="Judge">Decides by the roles and names that were read with them.</param>
internal sealed record AccessEvidence(
    Evidence Key,
    Evidence Account,
    IReadOnlyList<PolicyLevel> KeyChain,
    IReadOnlyList<PolicyLevel> AccountChain,
    IamJudge Judge)
{
    /// <summary>The key's own policy.</summary>
    public Evidence KeyPolicy => KeyChain[0].Policy;

    /// <summary>The account's own policy.</summary>
    public Evidence AccountPolicy => AccountChain[0].Policy;

    /// <summary>What the bindings alone give.</summary>
    public AccessEvidence WithoutDenies() => this with
    {
        KeyChain = [.. KeyChain.Select(l => l with { Denies = null })],
        AccountChain = [.. AccountChain.Select(l => l with { Denies = null })],
    };

    /// <summary>May a member take the account's tokens now?</summary>
    public Judgement Decide(string member) => Judge.Decide(AccountChain, 0, member, Permissions.GetAccessToken, Horizon.Now);
}

/// <summary>
/// Reads what decides about an access: what does not wait for anything goes out at once, then what is above the projects, then the
/// roles.
/// </summary>
internal sealed class GcpEvidenceReader(GcpClients clients, GcpPrincipals principals)
{
    /// <summary>Reads everything. What may not be seen is evidence of nothing, and no error.</summary>
    public async Task<AccessEvidence> ReadAsync(AccessTarget target, Operation op)
    {
        GcpKeyName name = GcpNames.ParseKey(target.KeyUri);
        string home = GcpNames.ParseAccount(target.AuthPrincipal).Project;
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        Task<Evidence> key = Evidence.OfAsync(cloud.GetKeyAsync(target.KeyUri, op.Cancellation), "cloudkms.cryptoKeys.get", target.KeyUri);
        Task<Evidence> account = principals.FindAsync(target.AuthPrincipal, op);
        Task<PolicyLevel> ofKey = LevelAsync(
            target.KeyUri,
            LevelKind.Key,
            cloud.GetKmsPolicyAsync(target.KeyUri, op.Cancellation),
            "cloudkms.cryptoKeys.getIamPolicy",
            target.KeyUri);
        Task<PolicyLevel> ofRing = LevelAsync(
            name.RingName,
            LevelKind.KeyRing,
            cloud.GetKmsPolicyAsync(name.RingName, op.Cancellation),
            "cloudkms.keyRings.getIamPolicy",
            name.RingName);
        Task<PolicyLevel> ofAccount = LevelAsync(
            GcpNames.AccountName(target.AuthPrincipal),
            LevelKind.Account,
            cloud.GetAccountPolicyAsync(target.AuthPrincipal, op.Cancellation),
            "iam.serviceAccounts.getIamPolicy",
            target.AuthPrincipal);
        Task<IReadOnlyList<PolicyLevel>> aboveKey = AboveAsync(cloud, name.Project, op);
        Task<IReadOnlyList<PolicyLevel>> aboveAccount = home == name.Project ? aboveKey : AboveAsync(cloud, home, op);
        await Task.WhenAll(key, account, ofKey, ofRing, ofAccount, aboveKey, aboveAccount).ConfigureAwait(false);
        IReadOnlyList<PolicyLevel> keyChain =
        [
            await ofKey.ConfigureAwait(false),
            await ofRing.ConfigureAwait(false),
            .. await aboveKey.ConfigureAwait(false),
        ];
        IReadOnlyList<PolicyLevel> accountChain = [await ofAccount.ConfigureAwait(false), .. await aboveAccount.ConfigureAwait(false)];
        IamJudge judge = await JudgeAsync(keyChain, accountChain, [name.Project, home], target, op).ConfigureAwait(false);
        return new AccessEvidence(await key.ConfigureAwait(false), await account.ConfigureAwait(false), keyChain, accountChain, judge);
    }

    /// <summary>A key's policy and what is above it.</summary>
    public async Task<IReadOnlyList<PolicyLevel>> ReadChainAsync(string keyUri, Operation op)
    {
        GcpKeyName name = GcpNames.ParseKey(keyUri);
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        Task<PolicyLevel> ofKey = LevelAsync(
            keyUri,
            LevelKind.Key,
            cloud.GetKmsPolicyAsync(keyUri, op.Cancellation),
            "cloudkms.cryptoKeys.getIamPolicy",
            keyUri);
        Task<PolicyLevel> ofRing = LevelAsync(
            name.RingName,
            LevelKind.KeyRing,
            cloud.GetKmsPolicyAsync(name.RingName, op.Cancellation),
            "cloudkms.keyRings.getIamPolicy",
            name.RingName);
        Task<IReadOnlyList<PolicyLevel>> above = AboveAsync(cloud, name.Project, op);
        await Task.WhenAll(ofKey, ofRing, above).ConfigureAwait(false);
        return [await ofKey.ConfigureAwait(false), await ofRing.ConfigureAwait(false), .. await above.ConfigureAwait(false)];
    }

    private async Task<IamJudge> JudgeAsync(
        IReadOnlyList<PolicyLevel> keyChain,
        IReadOnlyList<PolicyLevel> accountChain,
        string[] projects,
        AccessTarget target,
        Operation op)
    {
        string[] members = ["serviceAccount:" + target.AuthPrincipal, "serviceAccount:" + GcpNames.ClusterPrincipal(target.Cluster)];
        // Those of everybody on the key and the account too: who else is let in is told by what the roles give.
        string[] roles = [.. IamJudge.RolesFor(keyChain.Concat(accountChain), members)
            .Concat(
                new[] { keyChain[0], accountChain[0] }
                    .Select(l => l.Policy.Value).OfType<JsonObject>()
                    .SelectMany(IamTree.Bindings)
                    .Select(IamTree.Role))
            .Distinct(StringComparer.Ordinal)];
        // Only a condition makes a difference between a project's id and its number.
        bool conditions = keyChain.Concat(accountChain).Any(
            l => l.Policy.Value is { } policy && IamTree.Bindings(policy).Any(b => b["condition"] is not null));
        Task<IReadOnlyDictionary<string, RoleContents>> contents = clients.ReadRolesAsync(roles, op);
        Task<ProjectNames[]> names = conditions
            ? Task.WhenAll(projects.Distinct().Select(p => clients.NamesOfAsync(p, op)))
            : Task.FromResult<ProjectNames[]>([]);
        await Task.WhenAll(contents, names).ConfigureAwait(false);
        return new IamJudge(await contents.ConfigureAwait(false), await names.ConfigureAwait(false), op.Session.Time.GetUtcNow());
    }

    // A project, and what it is in, from below.
    private async Task<IReadOnlyList<PolicyLevel>> AboveAsync(IGoogleCloud cloud, string project, Operation op)
    {
        Task<PolicyLevel> own = AboveLevelAsync(cloud, "projects/" + project, LevelKind.Project, op);
        Evidence ancestry = await Evidence.OfAsync(
            cloud.GetAncestryAsync(project, op.Cancellation),
            "resourcemanager.projects.get",
            "the project " + project).ConfigureAwait(false);
        if (ancestry.Value is not { } found)
        {
            // Whether it is in an organization is not known: a level that nobody could look at stands for all of them.
            Evidence unknown = Evidence.Unread(
                $"cannot be seen: what the project {project} is in is not known, for {ancestry.Permission} on {ancestry.On} is missing",
                ancestry.Permission,
                ancestry.On);
            return [await own.ConfigureAwait(false), new PolicyLevel("organizations/unknown", LevelKind.Organization, unknown, unknown)];
        }

        PolicyLevel[] above = await Task.WhenAll((found["ancestor"] as JsonArray ?? [])
            .Select(a => (Type: a?["resourceId"]?["type"]?.ToString(), Id: a?["resourceId"]?["id"]?.ToString()))
            .Where(a => a.Type is "folder" or "organization" && a.Id is not null)
            .Select(
                a => AboveLevelAsync(
                    cloud,
                    $"{a.Type}s/{a.Id}",
                    a.Type == "folder" ? LevelKind.Folder : LevelKind.Organization,
                    op))).ConfigureAwait(false);
        return [await own.ConfigureAwait(false), .. above];
    }

    private async Task<PolicyLevel> AboveLevelAsync(IGoogleCloud cloud, string resource, LevelKind kind, Operation op)
    {
        string word = resource.Replace("/", " ", StringComparison.Ordinal).Replace("projects ", "the project ", StringComparison.Ordinal);
        Task<Evidence> denies = Evidence.OfAsync(cloud.ListDenyPoliciesAsync(resource, op.Cancellation), "iam.denypolicies.list", word);
        PolicyLevel level = await LevelAsync(
            resource,
            kind,
            cloud.GetPolicyAboveAsync(resource, op.Cancellation),
            $"resourcemanager.{kind.ToString().ToLowerInvariant()}s.getIamPolicy",
            word).ConfigureAwait(false);
        return level with { Denies = await denies.ConfigureAwait(false) };
    }

    private async Task<PolicyLevel> LevelAsync(string resource, LevelKind kind, Task<JsonObject> read, string permission, string on)
    {
        Evidence policy = await Evidence.OfAsync(read, permission, on).ConfigureAwait(false);
        return new PolicyLevel(
            resource,
            kind,
            policy.Value is { } value ? policy with { Value = clients.Written.Newer(on, value) } : policy);
    }
}
