using CmekTools.Engine.Gcp.Policies;
using System.Globalization;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp;

/// <summary>Every reason why a cluster could not use a key, found before it does.</summary>
internal sealed partial class GcpKeyProvider
{
    /// <inheritdoc/>
    public async IAsyncEnumerable<CmekCheck> CheckAsync(AccessTarget target, Operation op)
    {
        Sight sight = await SeeAsync(target, op).ConfigureAwait(false);
        DateTimeOffset now = op.Session.Time.GetUtcNow();
        foreach (CmekCheck check in KeyChecks(target, sight, now).Concat(AccountChecks(target, sight)).Concat(BindingChecks(target, sight, now)).Concat(TokenChecks(target, sight, now)))
        {
            yield return check;
        }
    }

    private static CmekCheck Hidden(AccessTarget target, string on, string name, Seen what) =>
        target.Check(name, CmekCheckResult.Unknown, on, $"It {what.Why}.", $"Have {what.Permission} on {what.On} granted to whoever runs this.");

    private static string Grant(AccessTarget target) =>
        $"Grant-CmekAccess -ClusterName {target.Cluster.Name} -Region {target.Region} -KeyUri {target.KeyUri} -ServiceAccount {target.AuthPrincipal}";

    private static IEnumerable<CmekCheck> KeyChecks(AccessTarget target, Sight sight, DateTimeOffset now)
    {
        string uri = target.KeyUri;
        GcpKeyName name = GcpNames.ParseKey(uri);
        // A key alone is of no use to the cluster: what is printed ends with an access that can be enabled.
        string another = $"New-CmekKey -ClusterName {target.Cluster.Name} -Region {target.Region} -Project {name.Project} -EnableRotation";
        if (sight.Key.Value is not { } key)
        {
            yield return sight.Key.Missing
                ? target.Check("GcpKeyExists", CmekCheckResult.Fail, uri, "There is no such key.", another + " | Grant-CmekAccess")
                : Hidden(target, uri, "GcpKeyExists", sight.Key);
            yield break;
        }

        yield return target.Check("GcpKeyExists", CmekCheckResult.Pass, uri, "The key is there.");
        string purpose = key["purpose"]?.ToString() ?? "not known";
        bool symmetric = purpose == "ENCRYPT_DECRYPT";
        yield return symmetric
            ? target.Check("GcpKeyPurpose", CmekCheckResult.Pass, uri, "The purpose is ENCRYPT_DECRYPT.")
            : target.Check("GcpKeyPurpose", CmekCheckResult.Fail, uri, $"The purpose is {purpose}; CMEK needs ENCRYPT_DECRYPT, and a key's purpose cannot be changed.", another + " -KeyName ANOTHER_NAME | Grant-CmekAccess");
        if (symmetric)
        {
            string on = $"--key {name.Key} --keyring {name.Ring} --location {name.Location} --project {name.Project}";
            yield return VersionCheck(target, key["primary"] as JsonObject, on);
            yield return key["rotationPeriod"] is { } period
                ? target.Check("GcpKeyRotation", CmekCheckResult.Pass, uri, $"A new version is made every {period}, next at {key["nextRotationTime"]?.ToString() ?? "a time that is not said"}.")
                : target.Check(
                    "GcpKeyRotation",
                    CmekCheckResult.Warn,
                    uri,
                    "Automatic rotation is off.",
                    $"gcloud kms keys update {name.Key} --keyring {name.Ring} --location {name.Location} --project {name.Project} --rotation-period {DefaultRotationDays}d --next-rotation-time {now.UtcDateTime.AddDays(DefaultRotationDays).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)}");
        }

        yield return GcpNames.Distance(name.Location, target.Region) < 2
            ? target.Check("GcpKeyLocation", CmekCheckResult.Pass, uri, $"{name.Location} serves {target.Region}.")
            : target.Check("GcpKeyLocation", CmekCheckResult.Warn, uri, $"{name.Location} is far from {target.Region}: every start of a node there depends on the way to it.", $"{another} | Grant-CmekAccess | Update-CmekCluster");
    }

    private static CmekCheck VersionCheck(AccessTarget target, JsonObject? primary, string on)
    {
        string state = State(primary);
        string version = primary is null ? string.Empty : Version(primary);
        CmekCheck Fails(string seen, string remedy) => target.Check("GcpKeyVersion", CmekCheckResult.Fail, target.KeyUri, seen, remedy);
        return state switch
        {
            "ENABLED" => target.Check("GcpKeyVersion", CmekCheckResult.Pass, target.KeyUri, $"The primary version {version} is ENABLED."),
            "DISABLED" => Fails($"The primary version {version} is DISABLED.", $"gcloud kms keys versions enable {version} {on}"),
            "DESTROY_SCHEDULED" => Fails($"The primary version {version} will be destroyed at {primary!["destroyTime"]}.", $"gcloud kms keys versions restore {version} {on}; gcloud kms keys versions enable {version} {on}"),
            "PENDING_GENERATION" => Fails($"The primary version {version} is still being made.", "Wait a minute, and look again."),
            "" => Fails("There is no primary version.", $"gcloud kms keys versions create --primary {on}"),
            _ => Fails($"The primary version {version} is {state}; what was encrypted under it is lost if it is destroyed.", $"gcloud kms keys versions create --primary {on}"),
        };
    }

    private static IEnumerable<CmekCheck> AccountChecks(AccessTarget target, Sight sight)
    {
        string email = target.AuthPrincipal;
        yield return sight.Account switch
        {
            { Missing: true } => target.Check("GcpServiceAccount", CmekCheckResult.Fail, email, "The service account does not exist.", Grant(target)),
            { Value: null } => Hidden(target, email, "GcpServiceAccount", sight.Account),
            _ when IsDisabled(sight.Account.Value) => target.Check("GcpServiceAccount", CmekCheckResult.Fail, email, "The service account is disabled.", $"gcloud iam service-accounts enable {email}"),
            _ => target.Check("GcpServiceAccount", CmekCheckResult.Pass, email, "The service account is there and enabled."),
        };
    }

    // One defect, one check that fails: what an account or key that is not there brings with it is not told again.
    private static IEnumerable<CmekCheck> BindingChecks(AccessTarget target, Sight sight, DateTimeOffset now)
    {
        if (sight.Key.Value is null || sight.KeyPolicy.Missing)
        {
            yield break;
        }

        if (!sight.Account.Missing)
        {
            foreach (CmekCheck check in UseChecks(target, sight, "serviceAccount:" + target.AuthPrincipal, now))
            {
                yield return check;
            }
        }

        if (sight.KeyPolicy.Value is { } policy)
        {
            yield return ScopeCheck(target, policy);
        }
    }

    private static IEnumerable<CmekCheck> UseChecks(AccessTarget target, Sight sight, string member, DateTimeOffset now)
    {
        string uri = target.KeyUri;
        string grant = Grant(target);
        CmekCheck Says(string name, CmekCheckResult result, string seen) => target.Check(name, result, uri, seen, result == CmekCheckResult.Pass ? null : grant);
        JsonObject policy = sight.KeyPolicy.Value ?? [];
        Judged onKey = IamJudge.Crypto(policy, member, uri, now, onKey: true);
        Placed best = CryptoOf(sight, member, uri, now);
        string? dead = IamTree.Bindings(policy).Where(b => IamJudge.IsForKey(IamTree.Role(b))).SelectMany(IamTree.Members).FirstOrDefault(m => IamTree.IsDead(m, member));
        string[] conditions = [.. IamTree.Bindings(policy)
            .Where(b => IamJudge.IsForKey(IamTree.Role(b)) && IamTree.Members(b).Contains(member))
            .Select(b => b["condition"]?["expression"]?.ToString())
            .OfType<string>()];
        Seen? hidden = new[] { sight.KeyPolicy, sight.RingPolicy, sight.ProjectPolicy }.FirstOrDefault(p => p.Hidden);
        if (onKey.Standing == Standing.Yes)
        {
            yield return Says("GcpKeyBinding", CmekCheckResult.Pass, Sentence(best.Why("use")));
            if (onKey.Condition is { } limited && IamCondition.Ends(limited, now) is { } end)
            {
                yield return Says("GcpConditions", CmekCheckResult.Warn, $"The access ends by itself at {end:u}: {limited}");
            }
        }
        else if (best.Standing == Standing.Yes)
        {
            yield return Says("GcpKeyBindingInherited", CmekCheckResult.Warn, Sentence(best.Why("use")) + " More keys than this one are open to it.");
        }
        else if (dead is not null && hidden is null)
        {
            yield return Says("GcpDeletedMembers", CmekCheckResult.Fail, $"The binding names {dead}, which is gone; an account of the same name is another principal.");
            yield break;
        }
        else if (conditions.Length > 0)
        {
            yield return IamCondition.Holds(conditions[0], uri, now) == false && best.Standing == Standing.No && hidden is null
                ? Says("GcpConditions", CmekCheckResult.Fail, $"The binding's condition does not hold: {conditions[0]}")
                : Says("GcpConditions", CmekCheckResult.Unknown, $"The binding's condition cannot be judged from here: {conditions[0]}");
        }
        else if (best.Standing == Standing.Maybe)
        {
            yield return Says("GcpKeyBinding", CmekCheckResult.Unknown, Sentence(best.Why("use")));
        }
        else
        {
            yield return hidden is not null
                ? Hidden(target, uri, "GcpKeyBinding", hidden)
                : Says("GcpKeyBinding", CmekCheckResult.Fail, $"No binding on key, key ring or project lets {member} encrypt and decrypt with the key.");
        }

        if (dead is not null)
        {
            yield return Says("GcpDeletedMembers", CmekCheckResult.Warn, $"A binding names {dead}, which is gone.");
        }
    }

    private static CmekCheck ScopeCheck(AccessTarget target, JsonObject policy)
    {
        string member = "serviceAccount:" + target.AuthPrincipal;
        (string Role, string Member, bool Conditional)[] others = [.. IamTree.Bindings(policy)
            .Where(b => IamJudge.OpensKey(IamTree.Role(b)))
            .SelectMany(b => IamTree.Members(b).Select(m => (Role: IamTree.Role(b), Member: m, Conditional: b["condition"] is not null)))
            .Where(o => o.Member != member && !o.Member.StartsWith("deleted:", StringComparison.Ordinal))
            .Distinct()];
        if (others.Length == 0)
        {
            return target.Check("GcpKeyScope", CmekCheckResult.Pass, target.KeyUri, "Nobody else is bound to decrypt with the key.");
        }

        GcpKeyName name = GcpNames.ParseKey(target.KeyUri);
        string[] away = [.. others.Select(o => $"gcloud kms keys remove-iam-policy-binding {name.Key} --keyring {name.Ring} --location {name.Location} --project {name.Project} --member {o.Member} --role {o.Role}{(o.Conditional ? " --all" : string.Empty)}")];
        return target.Check("GcpKeyScope", CmekCheckResult.Warn, target.KeyUri, $"Others can decrypt with the key: {string.Join(", ", others.Select(o => o.Member).Distinct())}.", string.Join("; ", away));
    }

    private static IEnumerable<CmekCheck> TokenChecks(AccessTarget target, Sight sight, DateTimeOffset now)
    {
        if (sight.Account.Missing)
        {
            yield break;
        }

        string own = "serviceAccount:" + GcpNames.ClusterPrincipal(target.Cluster);
        Judged judged = TokenOf(sight, own, target, now);
        Seen? hidden = new[] { sight.AccountPolicy, sight.AccountProjectPolicy }.FirstOrDefault(p => p.Hidden);
        string email = target.AuthPrincipal;
        yield return judged.Standing switch
        {
            Standing.Yes => target.Check("GcpTokenCreator", CmekCheckResult.Pass, email, $"{own}, the cluster's own principal, may take its tokens."),
            Standing.Maybe => target.Check("GcpTokenCreator", CmekCheckResult.Unknown, email, $"A binding ({judged.Role}, {judged.Member}{(judged.Condition is null ? string.Empty : ", if " + judged.Condition)}) may let {own} take its tokens; that cannot be judged from here.", Grant(target)),
            _ when hidden is not null => Hidden(target, email, "GcpTokenCreator", hidden),
            _ => target.Check("GcpTokenCreator", CmekCheckResult.Fail, email, $"{own}, the cluster's own principal, may not take tokens of the service account.", Grant(target)),
        };

        // Whoever takes tokens of the account decrypts as the account.
        string[] others = [.. IamTree.Bindings(sight.AccountPolicy.Value ?? [])
            .Where(b => IamTree.Role(b) == IamTree.TokenRole)
            .SelectMany(IamTree.Members)
            .Where(m => m != own && !m.StartsWith("deleted:", StringComparison.Ordinal))
            .Distinct()];
        if (others.Length > 0)
        {
            yield return target.Check(
                "GcpTokenCreatorOthers",
                CmekCheckResult.Warn,
                email,
                $"Others may take tokens of the service account, and decrypt as it: {string.Join(", ", others)}.",
                string.Join("; ", others.Select(m => $"gcloud iam service-accounts remove-iam-policy-binding {email} --member {m} --role {IamTree.TokenRole}")));
        }
    }

    private static string Sentence(string text) => char.ToUpperInvariant(text[0]) + text[1..] + ".";
}
