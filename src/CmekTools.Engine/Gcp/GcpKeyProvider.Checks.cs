using System.Text.Json.Nodes;
using CmekTools.Engine.Providers;

namespace CmekTools.Engine.Gcp;

/// <summary>Every reason why a cluster could not use a key, found before it does.</summary>
internal sealed partial class GcpKeyProvider
{
    /// <inheritdoc/>
    public async IAsyncEnumerable<CmekCheck> CheckAsync(AccessTarget target, Operation op)
    {
        Sight sight = await SeeAsync(target, op).ConfigureAwait(false);
        foreach (CmekCheck check in KeyChecks(target, sight).Concat(AccessChecks(target, sight, op.Session.Time.GetUtcNow())))
        {
            yield return check;
        }
    }

    // What can be read without waiting for anything else, read side by side.
    private async Task<Sight> SeeAsync(AccessTarget target, Operation op)
    {
        GcpKeyName name = GcpNames.ParseKey(target.KeyUri);
        GcpNames.ParseAccount(target.AuthPrincipal);
        IGoogleCloud cloud = await CloudAsync(op).ConfigureAwait(false);
        Task<Seen> key = LookAsync(cloud.GetKeyAsync(target.KeyUri, op.Cancellation), "cloudkms.cryptoKeys.get");
        Task<Seen> keyPolicy = LookAsync(cloud.GetKmsPolicyAsync(target.KeyUri, op.Cancellation), "cloudkms.cryptoKeys.getIamPolicy");
        Task<Seen> ringPolicy = LookAsync(cloud.GetKmsPolicyAsync(name.RingName, op.Cancellation), "cloudkms.keyRings.getIamPolicy");
        Task<Seen> projectPolicy = LookAsync(cloud.GetProjectPolicyAsync(name.Project, op.Cancellation), "resourcemanager.projects.getIamPolicy");
        Task<Seen> account = LookAsync(cloud.GetAccountAsync(target.AuthPrincipal, op.Cancellation), "iam.serviceAccounts.get");
        Task<Seen> accountPolicy = LookAsync(cloud.GetAccountPolicyAsync(target.AuthPrincipal, op.Cancellation), "iam.serviceAccounts.getIamPolicy");
        await Task.WhenAll(key, keyPolicy, ringPolicy, projectPolicy, account, accountPolicy).ConfigureAwait(false);
        return new Sight(
            await key.ConfigureAwait(false),
            await keyPolicy.ConfigureAwait(false),
            await ringPolicy.ConfigureAwait(false),
            await projectPolicy.ConfigureAwait(false),
            await account.ConfigureAwait(false),
            await accountPolicy.ConfigureAwait(false));
    }

    private static async Task<Seen> LookAsync(Task<JsonObject> read, string permission)
    {
        try
        {
            return new Seen(await read.ConfigureAwait(false), false, null, permission);
        }
        catch (CmekServiceException e) when (e.StatusCode is 403 or 404)
        {
            return new Seen(null, e.StatusCode == 404, e.StatusCode == 404 ? e.Message : $"not visible: {permission} is missing ({e.Message})", permission);
        }
    }

    private static CmekCheck Make(AccessTarget target, string on, string name, CmekCheckResult result, string seen, string? remedy = null) => new()
    {
        Name = name,
        Result = result,
        ClusterId = target.Cluster.Id,
        ClusterName = target.Cluster.Name,
        Region = target.Region,
        Target = on,
        Seen = seen,
        Remedy = remedy,
    };

    private static CmekCheck Hidden(AccessTarget target, string on, string name, Seen what) =>
        Make(target, on, name, CmekCheckResult.Unknown, what.Why!, $"Have {what.Permission} granted to whoever runs this.");

    private static IEnumerable<CmekCheck> KeyChecks(AccessTarget target, Sight sight)
    {
        string uri = target.KeyUri;
        GcpKeyName name = GcpNames.ParseKey(uri);
        if (sight.Key.Value is not { } key)
        {
            yield return sight.Key.Missing
                ? Make(target, uri, "GcpKeyExists", CmekCheckResult.Fail, "There is no such key.", $"New-CmekKey -ClusterName {target.Cluster.Name} -Region {target.Region} -Project {name.Project}")
                : Hidden(target, uri, "GcpKeyExists", sight.Key);
            yield break;
        }

        yield return Make(target, uri, "GcpKeyExists", CmekCheckResult.Pass, "The key is there.");
        string purpose = key["purpose"]?.ToString() ?? "?";
        bool symmetric = purpose == "ENCRYPT_DECRYPT";
        yield return symmetric
            ? Make(target, uri, "GcpKeyPurpose", CmekCheckResult.Pass, "The purpose is ENCRYPT_DECRYPT.")
            : Make(target, uri, "GcpKeyPurpose", CmekCheckResult.Fail, $"The purpose is {purpose}; CMEK needs ENCRYPT_DECRYPT, and a key's purpose cannot be changed.", $"New-CmekKey -ClusterName {target.Cluster.Name} -Region {target.Region} -Project {name.Project}");
        if (symmetric)
        {
            JsonObject? primary = key["primary"] as JsonObject;
            string state = State(primary);
            string version = primary is null ? "VERSION" : Version(primary);
            string on = $"--key {name.Key} --keyring {name.Ring} --location {name.Location} --project {name.Project}";
            yield return state switch
            {
                "ENABLED" => Make(target, uri, "GcpKeyVersion", CmekCheckResult.Pass, $"The primary version {version} is ENABLED."),
                "DISABLED" => Make(target, uri, "GcpKeyVersion", CmekCheckResult.Fail, $"The primary version {version} is DISABLED.", $"gcloud kms keys versions enable {version} {on}"),
                "DESTROY_SCHEDULED" => Make(target, uri, "GcpKeyVersion", CmekCheckResult.Fail, $"The primary version {version} is scheduled for destruction ({primary!["destroyTime"]}).", $"gcloud kms keys versions restore {version} {on}; gcloud kms keys versions enable {version} {on}"),
                _ => Make(target, uri, "GcpKeyVersion", CmekCheckResult.Fail, $"The primary version is {(state.Length == 0 ? "missing" : state)}.", $"gcloud kms keys versions create --primary {on}"),
            };
            yield return key["rotationPeriod"] is { } period
                ? Make(target, uri, "GcpKeyRotation", CmekCheckResult.Pass, $"It rotates every {period}.")
                : Make(target, uri, "GcpKeyRotation", CmekCheckResult.Warn, "Automatic rotation is off.", $"gcloud kms keys update {name.Key} --keyring {name.Ring} --location {name.Location} --project {name.Project} --rotation-period 90d --next-rotation-time {DateTime.UtcNow.AddDays(90):yyyy-MM-dd'T'HH:mm:ss'Z'}");
        }

        int distance = GcpNames.Distance(name.Location, target.Region);
        yield return distance < 2
            ? Make(target, uri, "GcpKeyLocation", CmekCheckResult.Pass, $"{name.Location} serves {target.Region}.")
            : Make(target, uri, "GcpKeyLocation", CmekCheckResult.Warn, $"{name.Location} is far from {target.Region}.", $"New-CmekKey -ClusterName {target.Cluster.Name} -Region {target.Region} makes one beside the nodes; Update-CmekCluster moves the region to it.");
    }

    private static IEnumerable<CmekCheck> AccessChecks(AccessTarget target, Sight sight, DateTimeOffset now)
    {
        string email = target.AuthPrincipal;
        string member = "serviceAccount:" + email;
        string grant = $"Grant-CmekAccess -ClusterName {target.Cluster.Name} -Region {target.Region} -KeyUri {target.KeyUri} -ServiceAccount {email}";
        bool there = true;
        if (sight.Account.Value is { } account)
        {
            there = account["disabled"]?.ToString() != "true";
            yield return there
                ? Make(target, email, "GcpServiceAccount", CmekCheckResult.Pass, "The service account is there and enabled.")
                : Make(target, email, "GcpServiceAccount", CmekCheckResult.Fail, "The service account is disabled.", $"gcloud iam service-accounts enable {email}");
        }
        else
        {
            there = !sight.Account.Missing;
            yield return sight.Account.Missing
                ? Make(target, email, "GcpServiceAccount", CmekCheckResult.Fail, "The service account does not exist.", grant)
                : Hidden(target, email, "GcpServiceAccount", sight.Account);
        }

        if (sight.Key.Value is not null)
        {
            foreach (CmekCheck check in BindingChecks(target, sight, member, grant, now))
            {
                yield return check;
            }
        }

        if (!sight.Account.Missing)
        {
            foreach (CmekCheck check in TokenChecks(target, sight, grant, now))
            {
                yield return check;
            }
        }
    }

    private static IEnumerable<CmekCheck> BindingChecks(AccessTarget target, Sight sight, string member, string grant, DateTimeOffset now)
    {
        if (sight.KeyPolicy.Value is not { } policy)
        {
            yield return Hidden(target, target.KeyUri, "GcpKeyBinding", sight.KeyPolicy);
            yield break;
        }

        string[] dead = [.. IamTree.Bindings(policy).SelectMany(IamTree.Members).Where(m => m.StartsWith("deleted:" + member + "?", StringComparison.Ordinal)).Distinct()];
        Standing onKey = IamTree.Crypto(policy, member, target.KeyUri, now, onKey: true);
        (Standing best, string why) = CryptoOf(sight, member, target.KeyUri, now);
        JsonObject[] conditional = [.. IamTree.Bindings(policy).Where(b => b["condition"] is not null && IamTree.Members(b).Contains(member))];
        bool byConditionOnly = best != Standing.Yes && conditional.Length > 0;
        if (byConditionOnly)
        {
            string expression = conditional[0]["condition"]?["expression"]?.ToString() ?? "?";
            yield return IamTree.Holds(expression, target.KeyUri, now) == false
                ? Make(target, target.KeyUri, "GcpConditions", CmekCheckResult.Fail, $"The binding's condition does not hold: {expression}", grant)
                : Make(target, target.KeyUri, "GcpConditions", CmekCheckResult.Unknown, $"The binding's condition cannot be judged from here: {expression}", grant);
        }
        else if (conditional.Any(b => b["condition"]?["expression"]?.ToString().Contains("request.time <", StringComparison.Ordinal) == true) && onKey == Standing.Yes && !IamTree.Has(policy, IamTree.CryptoRole, member))
        {
            yield return Make(target, target.KeyUri, "GcpConditions", CmekCheckResult.Warn, $"Access ends by itself: {conditional[0]["condition"]!["expression"]}", grant);
        }

        if (dead.Length > 0 && best != Standing.Yes)
        {
            yield return Make(target, target.KeyUri, "GcpDeletedMembers", CmekCheckResult.Fail, $"The binding names {dead[0]}, which is gone; an account of the same name is another principal.", grant);
        }
        else if (!byConditionOnly)
        {
            yield return (onKey, best) switch
            {
                (Standing.Yes, _) => Make(target, target.KeyUri, "GcpKeyBinding", CmekCheckResult.Pass, why + "."),
                (_, Standing.Yes) => Make(target, target.KeyUri, "GcpKeyBindingInherited", CmekCheckResult.Warn, why + ": more keys than this one are open to it.", grant),
                (_, Standing.Maybe) => Make(target, target.KeyUri, "GcpKeyBinding", CmekCheckResult.Unknown, why + ".", grant),
                _ when sight.RingPolicy.Value is null => Hidden(target, target.KeyUri, "GcpKeyBinding", sight.RingPolicy),
                _ when sight.ProjectPolicy.Value is null && !sight.ProjectPolicy.Missing => Hidden(target, target.KeyUri, "GcpKeyBinding", sight.ProjectPolicy),
                _ => Make(target, target.KeyUri, "GcpKeyBinding", CmekCheckResult.Fail, $"No binding lets {member} encrypt and decrypt with the key.", grant),
            };
        }

        string[] others = [.. IamTree.Bindings(policy).Where(b => IamTree.Role(b) is IamTree.CryptoRole or "roles/cloudkms.cryptoKeyDecrypter" or "roles/owner").SelectMany(IamTree.Members).Where(m => m != member && !m.StartsWith("deleted:", StringComparison.Ordinal)).Distinct()];
        yield return others.Length == 0
            ? Make(target, target.KeyUri, "GcpKeyScope", CmekCheckResult.Pass, "Nobody else is bound to decrypt with the key.")
            : Make(target, target.KeyUri, "GcpKeyScope", CmekCheckResult.Warn, $"Others can decrypt with the key: {string.Join(", ", others)}.", $"gcloud kms keys remove-iam-policy-binding {target.KeyUri} --member {others[0]} --role {IamTree.CryptoRole}");
    }

    private static IEnumerable<CmekCheck> TokenChecks(AccessTarget target, Sight sight, string grant, DateTimeOffset now)
    {
        string own = "serviceAccount:" + GcpNames.ClusterPrincipal(target.Cluster);
        if (sight.AccountPolicy.Value is null && !sight.AccountPolicy.Missing)
        {
            yield return Hidden(target, target.AuthPrincipal, "GcpTokenCreator", sight.AccountPolicy);
            yield break;
        }

        yield return TokenOf(sight, own, $"projects/-/serviceAccounts/{target.AuthPrincipal}", now) switch
        {
            Standing.Yes => Make(target, target.AuthPrincipal, "GcpTokenCreator", CmekCheckResult.Pass, $"{own} may take its tokens."),
            Standing.Maybe => Make(target, target.AuthPrincipal, "GcpTokenCreator", CmekCheckResult.Unknown, $"A condition or custom role may let {own} take its tokens; it cannot be judged from here.", grant),
            _ => Make(target, target.AuthPrincipal, "GcpTokenCreator", CmekCheckResult.Fail, $"{own}, the cluster's own principal, may not take tokens of the service account.", grant),
        };
    }

    private sealed record Seen(JsonObject? Value, bool Missing, string? Why, string Permission);

    private sealed record Sight(Seen Key, Seen KeyPolicy, Seen RingPolicy, Seen ProjectPolicy, Seen Account, Seen AccountPolicy);
}
