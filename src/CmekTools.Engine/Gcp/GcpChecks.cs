using System.Globalization;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Gcp;

/// <summary>Every reason why a cluster could not use a key, found before it does.</summary>
internal sealed class GcpChecks(GcpEvidenceReader reader, GcpOpinion opinion)
{
    /// <summary>The checks of one access; reads only.</summary>
    public async IAsyncEnumerable<CmekCheck> CheckAsync(AccessTarget target, Operation op, CheckDepth depth)
    {
        GcpAccessEvidence evidence = await reader.ReadAsync(target, op).ConfigureAwait(false);
        DateTimeOffset now = op.Session.Time.GetUtcNow();
        foreach (CmekCheck check in KeyChecks(target, evidence, now)
            .Concat(AccountChecks(target, evidence)).Concat(
                BindingChecks(target, evidence, now)).Concat(TokenChecks(target, evidence)).Concat(DenyChecks(target, evidence)))
        {
            yield return check;
        }

        if (depth == CheckDepth.Deep && await opinion.AskAsync(target, evidence, op).ConfigureAwait(false) is { } second)
        {
            yield return second;
        }
    }

    private static CmekCheck Hidden(AccessTarget target, string on, string name, Evidence<JsonObject> what) =>
        target.Check(
            name,
            CmekCheckResult.Unknown,
            on,
            $"It {what.Why}.",
            $"Have {what.Permission} on {what.On} granted to whoever runs this.");

    private static string Grant(AccessTarget target) =>
        $"Grant-CmekAccess -ClusterName {PowerShellText.Quote(target.Cluster.Name)} -Region {PowerShellText.Quote(target.Region)} "
            + $"-KeyUri {target.KeyUri} -ServiceAccount {target.AuthPrincipal}";

    private static IEnumerable<CmekCheck> KeyChecks(AccessTarget target, GcpAccessEvidence evidence, DateTimeOffset now)
    {
        string uri = target.KeyUri;
        GcpKeyName name = GcpNames.ParseKey(uri);
        // A key alone is of no use to the cluster: what is printed ends with an access that can be enabled.
        string another = $"New-CmekKey -ClusterName {PowerShellText.Quote(target.Cluster.Name)} -Region "
            + $"{PowerShellText.Quote(target.Region)} -Project {name.Project} -EnableRotation";
        if (evidence.Key.Value is not { } key)
        {
            yield return evidence.Key.Missing
                ? target.Check("GcpKeyExists", CmekCheckResult.Fail, uri, "There is no such key.", another + " | Grant-CmekAccess")
                : Hidden(target, uri, "GcpKeyExists", evidence.Key);
            yield break;
        }

        yield return target.Check("GcpKeyExists", CmekCheckResult.Pass, uri, "The key is there.");
        string purpose = key["purpose"]?.ToString() ?? "not known";
        bool symmetric = purpose == "ENCRYPT_DECRYPT";
        yield return symmetric
            ? target.Check("GcpKeyPurpose", CmekCheckResult.Pass, uri, "The purpose is ENCRYPT_DECRYPT.")
            : target.Check(
                "GcpKeyPurpose",
                CmekCheckResult.Fail,
                uri,
                $"The purpose is {purpose}; CMEK needs ENCRYPT_DECRYPT, and a key's purpose cannot be changed.",
                another + " -KeyName ANOTHER_NAME | Grant-CmekAccess");
        if (symmetric)
        {
            string on = $"--key {name.Key} --keyring {name.Ring} --location {name.Location} --project {name.Project}";
            yield return VersionCheck(target, key["primary"] as JsonObject, on);
            yield return key["rotationPeriod"] is { } period
                ? target.Check(
                    "GcpKeyRotation",
                    CmekCheckResult.Pass,
                    uri,
                    $"A new version is made every {GcpKeyReader.PeriodText(period)}, next at "
                        + $"{key["nextRotationTime"]?.ToString() ?? "a time that is not said"}.")
                : target.Check(
                    "GcpKeyRotation",
                    CmekCheckResult.Warn,
                    uri,
                    "Automatic rotation is off.",
                    $"gcloud kms keys update {name.Key} --keyring {name.Ring} --location {name.Location} --project {name.Project} "
                        + $"--rotation-period {GcpKeyMaker.DefaultRotationDays}d --next-rotation-time "
                            + now.UtcDateTime.AddDays(GcpKeyMaker.DefaultRotationDays)
                                .ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        }

        yield return GcpNames.Distance(name.Location, target.Region) < 2
            ? target.Check("GcpKeyLocation", CmekCheckResult.Pass, uri, $"{name.Location} serves {target.Region}.")
            : target.Check(
                "GcpKeyLocation",
                CmekCheckResult.Warn,
                uri,
                $"{name.Location} is far from {target.Region}: every start of a node there depends on the way to it.",
                $"{another} -NewGeneration | Grant-CmekAccess | Update-CmekCluster -Wait");
    }

    private static CmekCheck VersionCheck(AccessTarget target, JsonObject? primary, string on)
    {
        string state = GcpKeyReader.State(primary);
        string version = primary is null ? string.Empty : GcpKeyReader.Version(primary);
        CmekCheck Fails(string seen, string remedy) => target.Check("GcpKeyVersion", CmekCheckResult.Fail, target.KeyUri, seen, remedy);
        return state switch
        {
            "ENABLED" => target.Check("GcpKeyVersion", CmekCheckResult.Pass, target.KeyUri, $"The primary version {version} is ENABLED."),
            "DISABLED" => Fails($"The primary version {version} is DISABLED.", $"gcloud kms keys versions enable {version} {on}"),
            "DESTROY_SCHEDULED" => Fails(
                $"The primary version {version} will be destroyed at {primary!["destroyTime"]}.",
                $"gcloud kms keys versions restore {version} {on}; gcloud kms keys versions enable {version} {on}"),
            "PENDING_GENERATION" => Fails($"The primary version {version} is still being made.", "Wait a minute, and look again."),
            "" => Fails("There is no primary version.", $"gcloud kms keys versions create --primary {on}"),
            _ => Fails(
                $"The primary version {version} is {state}; what was encrypted under it is lost if it is destroyed.",
                $"gcloud kms keys versions create --primary {on}"),
        };
    }

    private static IEnumerable<CmekCheck> AccountChecks(AccessTarget target, GcpAccessEvidence evidence)
    {
        string email = target.AuthPrincipal;
        yield return evidence.Account switch
        {
            { Missing: true } => target.Check(
                "GcpServiceAccount",
                CmekCheckResult.Fail,
                email,
                "The service account does not exist.",
                Grant(target)),
            { Value: null } => Hidden(target, email, "GcpServiceAccount", evidence.Account),
            _ when GcpPrincipals.IsDisabled(evidence.Account.Value) => target.Check(
                "GcpServiceAccount",
                CmekCheckResult.Fail,
                email,
                "The service account is disabled.",
                $"gcloud iam service-accounts enable {email}"),
            _ => target.Check("GcpServiceAccount", CmekCheckResult.Pass, email, "The service account is there and enabled."),
        };
    }

    // Boundaries can be told by -Deep, and take away what bindings give: what lets it in here is not all that decides.
    private const string WithoutBoundaries = " (principal access boundaries are not read here)";

    // One defect, one check that fails: what an account or key that is not there brings with it is not told again.
    private static IEnumerable<CmekCheck> BindingChecks(AccessTarget target, GcpAccessEvidence evidence, DateTimeOffset now)
    {
        if (evidence.Key.Value is null || evidence.KeyPolicy.Missing)
        {
            yield break;
        }

        if (!evidence.Account.Missing)
        {
            foreach (CmekCheck check in UseChecks(target, evidence, IamMembers.ServiceAccount(target.AuthPrincipal), now))
            {
                yield return check;
            }
        }

        if (evidence.KeyPolicy.Value is { } policy)
        {
            yield return ScopeCheck(target, policy, evidence.Evaluator);
        }
    }

    private static IEnumerable<CmekCheck> UseChecks(AccessTarget target, GcpAccessEvidence evidence, string member, DateTimeOffset now)
    {
        string uri = target.KeyUri;
        string grant = Grant(target);
        CmekCheck Says(string name, CmekCheckResult result, string seen) => target.Check(
            name,
            result,
            uri,
            seen,
            result == CmekCheckResult.Pass ? null : grant);
        JsonObject policy = evidence.KeyPolicy.Value ?? [];
        PermissionDecision use = GcpDecisions.UseOf(evidence.WithoutDenies(), member);
        string? dead = IamBindings.Bindings(policy).SelectMany(IamBindings.Members).FirstOrDefault(m => IamBindings.IsDead(m, member));
        string? condition = IamBindings.Bindings(policy)
            .Where(b => IamBindings.Members(b).Contains(member))
            .Select(b => b["condition"]?["expression"]?.ToString())
            .FirstOrDefault(e => e is not null);
        switch (use.Decision)
        {
            case Decision.Allowed when use.Level!.Kind == ResourceKind.Key:
                yield return Says("GcpKeyBinding", CmekCheckResult.Pass, Sentence(use.Say(member, "use the key") + WithoutBoundaries));
                if (use.Condition is { } limited && IamConditions.Ends(limited, now) is { } end)
                {
                    yield return Says("GcpConditions", CmekCheckResult.Warn, $"The access ends by itself at {end:u}: {limited}");
                }

                break;
            case Decision.Allowed:
                yield return Says(
                    "GcpKeyBindingInherited",
                    CmekCheckResult.Warn,
                    Sentence(use.Say(member, "use the key")) + " More keys than this one are open to it.");
                break;
            case Decision.Denied when dead is not null:
                yield return Says(
                    "GcpDeletedMembers",
                    CmekCheckResult.Fail,
                    $"The binding names {dead}, which is gone; an account of the same name is another principal.");
                yield break;
            case Decision.Denied when condition is not null:
                yield return Says("GcpConditions", CmekCheckResult.Fail, $"The binding's condition does not hold: {condition}");
                break;
            case Decision.Perhaps when use.Condition is { } open:
                yield return Says("GcpConditions", CmekCheckResult.Unknown, $"The binding's condition cannot be judged from here: {open}");
                break;
            case Decision.Perhaps:
                yield return Says("GcpKeyBinding", CmekCheckResult.Unknown, Sentence(use.Say(member, "use the key")));
                break;
            case Decision.Denied:
                yield return Says(
                    "GcpKeyBinding",
                    CmekCheckResult.Fail,
                    $"No binding on key, key ring, project or above lets {member} encrypt and decrypt with the key.");
                break;
            default:
                Evidence<JsonObject> hidden = evidence.KeyChain.Select(l => l.Policy).First(p => p.Value is null);
                yield return Hidden(target, uri, "GcpKeyBinding", hidden);
                break;
        }

        if (dead is not null)
        {
            yield return Says("GcpDeletedMembers", CmekCheckResult.Warn, $"A binding names {dead}, which is gone.");
        }
    }

    private static CmekCheck ScopeCheck(AccessTarget target, JsonObject policy, IamEvaluator evaluator)
    {
        string member = IamMembers.ServiceAccount(target.AuthPrincipal);
        (string Role, string Member, bool Conditional)[] others = [.. IamBindings.Bindings(policy)
            .Where(b => evaluator.Gives(IamBindings.Role(b), Permissions.Decrypt) != Decision.Denied)
            .SelectMany(
                b => IamBindings.Members(b).Select(m => (Role: IamBindings.Role(b), Member: m, Conditional: b["condition"] is not null)))
            .Where(o => o.Member != member && !o.Member.StartsWith("deleted:", StringComparison.Ordinal))
            .Distinct()];
        if (others.Length == 0)
        {
            return target.Check("GcpKeyScope", CmekCheckResult.Pass, target.KeyUri, "Nobody else is bound on the key to decrypt with it.");
        }

        GcpKeyName name = GcpNames.ParseKey(target.KeyUri);
        string[] away =
        [
            .. others.Select(
                o => $"gcloud kms keys remove-iam-policy-binding {name.Key} --keyring {name.Ring} --location {name.Location} --project "
                    + $"{name.Project} --member {BashText.Quote(o.Member)} --role "
                        + $"{BashText.Quote(o.Role)}{(o.Conditional ? " --all" : string.Empty)}"),
        ];
        return target.Check(
            "GcpKeyScope",
            CmekCheckResult.Warn,
            target.KeyUri,
            $"Others can decrypt with the key: {string.Join(", ", others.Select(o => o.Member).Distinct())}.",
            string.Join("; ", away));
    }

    private static IEnumerable<CmekCheck> TokenChecks(AccessTarget target, GcpAccessEvidence evidence)
    {
        if (evidence.Account.Missing)
        {
            yield break;
        }

        string own = IamMembers.ServiceAccount(GcpNames.ClusterPrincipal(target.Cluster));
        string email = target.AuthPrincipal;
        PermissionDecision judged = evidence.WithoutDenies().Decide(own);
        yield return judged.Decision switch
        {
            Decision.Allowed => target.Check(
                "GcpTokenCreator",
                CmekCheckResult.Pass,
                email,
                $"{own}, the cluster's own principal, may take its tokens{WithoutBoundaries}."),
            Decision.Perhaps => target.Check(
                "GcpTokenCreator",
                CmekCheckResult.Unknown,
                email,
                $"A binding ({judged.Role}, {judged.Member}{(judged.Condition is null ? string.Empty : ", if " + judged.Condition)}) "
                    + $"may let {own} take its tokens; that cannot be judged from here.",
                Grant(target)),
            Decision.Denied => target.Check(
                "GcpTokenCreator",
                CmekCheckResult.Fail,
                email,
                $"{own}, the cluster's own principal, may not take tokens of the service account.",
                Grant(target)),
            _ => Hidden(target, email, "GcpTokenCreator", evidence.AccountChain.Select(l => l.Policy).First(p => p.Value is null)),
        };

        // Whoever takes tokens of the account decrypts as the account.
        string[] others = [.. IamBindings.Bindings(evidence.AccountPolicy.Value ?? [])
            .Where(b => evidence.Evaluator.Gives(IamBindings.Role(b), Permissions.GetAccessToken) != Decision.Denied)
            .SelectMany(IamBindings.Members)
            .Where(m => m != own && !m.StartsWith("deleted:", StringComparison.Ordinal))
            .Distinct()];
        if (others.Length > 0)
        {
            yield return target.Check(
                "GcpTokenCreatorOthers",
                CmekCheckResult.Warn,
                email,
                $"Others may take tokens of the service account, and decrypt as it: {string.Join(", ", others)}.",
                string.Join(
                    "; ",
                    others.Select(
                        m => $"gcloud iam service-accounts remove-iam-policy-binding {email} --member {BashText.Quote(m)} --role "
                            + $"{BashText.Quote(IamBindings.TokenRole)}")));
        }
    }

    // Deny policies win over what the bindings give. Nothing is said where none is in the way.
    private static IEnumerable<CmekCheck> DenyChecks(AccessTarget target, GcpAccessEvidence evidence)
    {
        if (evidence.Key.Value is null || evidence.Account.Missing)
        {
            yield break;
        }

        string member = IamMembers.ServiceAccount(target.AuthPrincipal);
        string own = IamMembers.ServiceAccount(GcpNames.ClusterPrincipal(target.Cluster));
        List<ResourcePolicy> unread = [];
        foreach (
            ResourcePolicy level in evidence.KeyChain
                .Concat(evidence.AccountChain)
                .DistinctBy(l => l.Resource)
                .Where(l => l.Denies is not null))
        {
            if (level.Denies!.Value is not { } denies)
            {
                unread.Add(level);
                continue;
            }

            Decision worst = new[]
            {
                DenyRules.Deny(denies, member, Permissions.Decrypt),
                DenyRules.Deny(denies, member, Permissions.Encrypt),
                DenyRules.Deny(denies, own, Permissions.GetAccessToken),
            }.Max();
            if (worst == Decision.Denied)
            {
                continue;
            }

            string list = "gcloud iam policies list --kind denypolicies --attachment-point "
                + $"{Uri.UnescapeDataString(DenyPolicy.Point(level.Resource))}";
            yield return worst == Decision.Allowed
                ? target.Check(
                    "GcpDenyPolicies",
                    CmekCheckResult.Fail,
                    level.Resource,
                    $"A deny policy on the {level.Place} stops the cluster, whatever lets it in.",
                    $"Restore-CmekAccess takes a cut's own away; for another one: {list}")
                : target.Check(
                    "GcpDenyPolicies",
                    CmekCheckResult.Unknown,
                    level.Resource,
                    $"A deny policy on the {level.Place} may stop the cluster; that cannot be judged from here.",
                    list);
        }

        if (unread.Count > 0)
        {
            Evidence<JsonObject> first = unread[0].Denies!;
            yield return target.Check(
                "GcpDenyPolicies",
                CmekCheckResult.Unknown,
                string.Join(", ", unread.Select(l => l.Resource)),
                $"Whether a deny policy stops the cluster {first.Why}.",
                $"Have {first.Permission} (roles/iam.denyReviewer has it) on {first.On} granted to whoever runs this.");
        }
    }

    private static string Sentence(string text) => char.ToUpperInvariant(text[0]) + text[1..] + ".";
}
