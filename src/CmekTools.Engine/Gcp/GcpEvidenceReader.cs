using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;

namespace CmekTools.Engine.Gcp;

/// <summary>
/// Reads what decides about an access: what does not wait for anything goes out at once, then what is above the projects, then the
/// roles.
/// </summary>
internal sealed class GcpEvidenceReader(GcpClients clients, GcpPrincipals principals)
{
    /// <summary>Reads everything. What may not be seen is evidence of nothing, and no error.</summary>
    public async Task<GcpAccessEvidence> ReadAsync(AccessTarget target, Operation op)
    {
        GcpKeyName name = GcpNames.ParseKey(target.KeyUri);
        string home = GcpNames.ParseAccount(target.AuthPrincipal).Project;
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        Task<Evidence<JsonObject>> key = GcpEvidence.ReadAsync(
            cloud.GetKeyAsync(target.KeyUri, op.Cancellation),
            "cloudkms.cryptoKeys.get",
            target.KeyUri);
        Task<Evidence<JsonObject>> account = principals.FindAsync(target.AuthPrincipal, op);
        Task<ResourcePolicy> ofKey = ReadPolicyAsync(
            target.KeyUri,
            ResourceKind.Key,
            cloud.GetKmsPolicyAsync(target.KeyUri, op.Cancellation),
            "cloudkms.cryptoKeys.getIamPolicy",
            target.KeyUri);
        Task<ResourcePolicy> ofRing = ReadPolicyAsync(
            name.RingName,
            ResourceKind.KeyRing,
            cloud.GetKmsPolicyAsync(name.RingName, op.Cancellation),
            "cloudkms.keyRings.getIamPolicy",
            name.RingName);
        Task<ResourcePolicy> ofAccount = ReadPolicyAsync(
            GcpNames.AccountName(target.AuthPrincipal),
            ResourceKind.Account,
            cloud.GetAccountPolicyAsync(target.AuthPrincipal, op.Cancellation),
            "iam.serviceAccounts.getIamPolicy",
            target.AuthPrincipal);
        Task<IReadOnlyList<ResourcePolicy>> aboveKey = ReadAncestorsAsync(cloud, name.Project, op);
        Task<IReadOnlyList<ResourcePolicy>> aboveAccount = home == name.Project ? aboveKey : ReadAncestorsAsync(cloud, home, op);
        await Task.WhenAll(key, account, ofKey, ofRing, ofAccount, aboveKey, aboveAccount).ConfigureAwait(false);
        IReadOnlyList<ResourcePolicy> keyChain =
        [
            await ofKey.ConfigureAwait(false),
            await ofRing.ConfigureAwait(false),
            .. await aboveKey.ConfigureAwait(false),
        ];
        IReadOnlyList<ResourcePolicy> accountChain = [await ofAccount.ConfigureAwait(false), .. await aboveAccount.ConfigureAwait(false)];
        IamEvaluator evaluator = await EvaluatorAsync(keyChain, accountChain, [name.Project, home], target, op).ConfigureAwait(false);
        return new GcpAccessEvidence(
            await key.ConfigureAwait(false),
            await account.ConfigureAwait(false),
            keyChain,
            accountChain,
            evaluator);
    }

    /// <summary>A key's policy and what is above it.</summary>
    public async Task<IReadOnlyList<ResourcePolicy>> ReadChainAsync(string keyUri, Operation op)
    {
        GcpKeyName name = GcpNames.ParseKey(keyUri);
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        Task<ResourcePolicy> ofKey = ReadPolicyAsync(
            keyUri,
            ResourceKind.Key,
            cloud.GetKmsPolicyAsync(keyUri, op.Cancellation),
            "cloudkms.cryptoKeys.getIamPolicy",
            keyUri);
        Task<ResourcePolicy> ofRing = ReadPolicyAsync(
            name.RingName,
            ResourceKind.KeyRing,
            cloud.GetKmsPolicyAsync(name.RingName, op.Cancellation),
            "cloudkms.keyRings.getIamPolicy",
            name.RingName);
        Task<IReadOnlyList<ResourcePolicy>> above = ReadAncestorsAsync(cloud, name.Project, op);
        await Task.WhenAll(ofKey, ofRing, above).ConfigureAwait(false);
        return [await ofKey.ConfigureAwait(false), await ofRing.ConfigureAwait(false), .. await above.ConfigureAwait(false)];
    }

    private async Task<IamEvaluator> EvaluatorAsync(
        IReadOnlyList<ResourcePolicy> keyChain,
        IReadOnlyList<ResourcePolicy> accountChain,
        string[] projects,
        AccessTarget target,
        Operation op)
    {
        string[] members = IamMembers.Of(target);
        // Those of everybody on the key and the account too: who else is let in is told by what the roles give.
        string[] roles = [.. IamEvaluator.RolesFor(keyChain.Concat(accountChain), members)
            .Concat(
                new[] { keyChain[0], accountChain[0] }
                    .Select(l => l.Policy.Value).OfType<JsonObject>()
                    .SelectMany(IamBindings.Bindings)
                    .Select(IamBindings.Role))
            .Distinct(StringComparer.Ordinal)];
        // Only a condition makes a difference between a project's id and its number.
        bool conditions = keyChain.Concat(accountChain).Any(
            l => l.Policy.Value is { } policy && IamBindings.Bindings(policy).Any(b => b["condition"] is not null));
        Task<IReadOnlyDictionary<string, RoleContents>> contents = clients.ReadRolesAsync(roles, op);
        Task<ProjectNames[]> names = conditions
            ? Task.WhenAll(projects.Distinct().Select(p => clients.NamesOfAsync(p, op)))
            : Task.FromResult<ProjectNames[]>([]);
        await Task.WhenAll(contents, names).ConfigureAwait(false);
        return new IamEvaluator(await contents.ConfigureAwait(false), await names.ConfigureAwait(false), op.Session.Time.GetUtcNow());
    }

    // A project, and what it is in, from below.
    private async Task<IReadOnlyList<ResourcePolicy>> ReadAncestorsAsync(IGoogleCloud cloud, string project, Operation op)
    {
        Task<ResourcePolicy> own = ReadAncestorAsync(cloud, "projects/" + project, ResourceKind.Project, op);
        Evidence<JsonObject> ancestry = await GcpEvidence.ReadAsync(
            cloud.GetAncestryAsync(project, op.Cancellation),
            "resourcemanager.projects.get",
            "the project " + project).ConfigureAwait(false);
        if (ancestry.Value is not { } found)
        {
            // Whether it is in an organization is not known: a level that nobody could look at stands for all of them.
            Evidence<JsonObject> unknown = GcpEvidence.Unread(
                $"cannot be seen: what the project {project} is in is not known, for {ancestry.Permission} on {ancestry.On} is missing",
                ancestry.Permission,
                ancestry.On);
            return [await own.ConfigureAwait(false), new ResourcePolicy(
                "organizations/unknown",
                ResourceKind.Organization,
                unknown,
                unknown)];
        }

        ResourcePolicy[] above = await Task.WhenAll((found["ancestor"] as JsonArray ?? [])
            .Select(a => (Type: a?["resourceId"]?["type"]?.ToString(), Id: a?["resourceId"]?["id"]?.ToString()))
            .Where(a => a.Type is "folder" or "organization" && a.Id is not null)
            .Select(
                a => ReadAncestorAsync(
                    cloud,
                    $"{a.Type}s/{a.Id}",
                    a.Type == "folder" ? ResourceKind.Folder : ResourceKind.Organization,
                    op))).ConfigureAwait(false);
        return [await own.ConfigureAwait(false), .. above];
    }

    private async Task<ResourcePolicy> ReadAncestorAsync(IGoogleCloud cloud, string resource, ResourceKind kind, Operation op)
    {
        string word = resource.Replace("/", " ", StringComparison.Ordinal).Replace("projects ", "the project ", StringComparison.Ordinal);
        Task<Evidence<JsonObject>> denies = GcpEvidence.ReadAsync(
            cloud.ListDenyPoliciesAsync(resource, op.Cancellation),
            "iam.denypolicies.list",
            word);
        ResourcePolicy level = await ReadPolicyAsync(
            resource,
            kind,
            cloud.GetPolicyAboveAsync(resource, op.Cancellation),
            $"resourcemanager.{kind.ToString().ToLowerInvariant()}s.getIamPolicy",
            word).ConfigureAwait(false);
        return level with { Denies = await denies.ConfigureAwait(false) };
    }

    private async Task<ResourcePolicy> ReadPolicyAsync(
        string resource,
        ResourceKind kind,
        Task<JsonObject> read,
        string permission,
        string on)
    {
        Evidence<JsonObject> policy = await GcpEvidence.ReadAsync(read, permission, on).ConfigureAwait(false);
        return new ResourcePolicy(
            resource,
            kind,
            policy.Value is { } value ? policy with { Value = clients.Written.Newer(on, value) } : policy);
    }
}
