using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;

namespace CmekTools.Engine.Gcp;

/// <summary>
/// Decides whether a cluster can use a key, and whether it can still read. A cluster has two ways to a key: as the service account,
/// whose tokens its own principal takes, and as that principal itself, where somebody has bound it to the key. A cut closes both.
/// </summary>
internal sealed class GcpDecisions(GcpClients clients, GcpEvidenceReader reader)
{
    /// <summary>Reads the policies anew and decides.</summary>
    public async Task<AccessDecision> EvaluateAsync(AccessTarget target, Operation op)
    {
        GcpAccessEvidence evidence = await reader.ReadAsync(target, op).ConfigureAwait(false);
        if (evidence.Key.Missing)
        {
            return AccessDecision.Of(Decision.Missing, $"{target.KeyUri} does not exist");
        }

        AccessDecision byPolicy = Decide(target, evidence);
        KeyVersions versions = await VersionsAsync(target, evidence.Key, op).ConfigureAwait(false);
        return Limit(byPolicy, versions, target, evidence);
    }

    /// <summary>What the policies alone decide.</summary>
    public static AccessDecision Decide(AccessTarget target, GcpAccessEvidence evidence) => OwnPrincipals.Of(target, evidence)
        .Select(own => Decide(target, evidence, IamMembers.ServiceAccount(own)))
        .Aggregate((one, other) => AccessDecision.Either(one.Read, other.Read) == one.Read ? one : other);

    private static AccessDecision Decide(AccessTarget target, GcpAccessEvidence evidence, string own)
    {
        string member = IamMembers.ServiceAccount(target.AuthPrincipal);
        IamEvaluator evaluator = evidence.Evaluator;
        PermissionDecision use = UseOf(evidence, member);
        PermissionDecision token = evaluator.Decide(evidence.AccountChain, 0, own, Permissions.GetAccessToken, Horizon.Now);
        PermissionDecision read = evaluator.Read(evidence.KeyChain, member, own);
        PermissionDecision direct = evaluator.Read(evidence.KeyChain, own, member);
        PermissionDecision become = evaluator.Become(evidence.AccountChain, own);
        bool off = evidence.Account.Missing || GcpPrincipals.IsDisabled(evidence.Account.Value);

        List<string> reasons = [];
        Decision using_ = off ? Decision.Denied : AccessDecision.Both(use.Decision, token.Decision);
        using_ = evidence.Account.Hidden ? AccessDecision.Both(using_, Decision.Unread) : using_;
        Decision via = Via(evidence, member, own, read, become);
        if (off)
        {
            reasons.Add($"the service account {target.AuthPrincipal} {(evidence.Account.Missing ? "does not exist" : "is disabled")}");
            AddUnless(reasons, via == Decision.Denied, $"{own} may be able to bring it back");
        }
        else
        {
            reasons.Add(use.Say(member, "use the key"));
            AddUnless(
                reasons,
                read.Decision == Decision.Denied || use.Decision == Decision.Allowed,
                read.Say(member, "decrypt with the key"));
            reasons.Add(token.Decision switch
            {
                Decision.Allowed => $"{own} may take its tokens",
                Decision.Denied when read.Decision != Decision.Denied => $"{own} may not take new tokens of {target.AuthPrincipal}, but "
                    + "tokens that it has work for up to an hour",
                Decision.Denied => $"{own} may not take tokens of {target.AuthPrincipal}",
                _ => token.Say(own, $"take tokens of {target.AuthPrincipal}"),
            });
            AddUnless(reasons, !evidence.Account.Hidden, evidence.Account.Why!);
        }

        AddUnless(reasons, direct.Decision == Decision.Denied, direct.Say(own, "decrypt with the key"));
        PermissionDecision around = Around(evidence, own);
        AddUnless(
            reasons,
            around.Decision == Decision.Denied,
            around.Say(own, $"act as other accounts of the project of {target.AuthPrincipal}, of which one may use the key"));
        Decision reading = new[] { via, direct.Decision, around.Decision }.Max();
        return new AccessDecision(using_, reading, reasons)
        {
            ExplicitlyStopped = reading == Decision.Denied && (direct.ByDenyPolicy || off)
                && (read.ByDenyPolicy || (off && !evidence.Account.Missing)),
        };
    }

    /// <summary>What a cluster needs of a key: to encrypt and to decrypt, now.</summary>
    public static PermissionDecision UseOf(GcpAccessEvidence evidence, string member) => PermissionDecision.Weaker(
        evidence.Evaluator.Decide(evidence.KeyChain, 0, member, Permissions.Decrypt, Horizon.Now),
        evidence.Evaluator.Decide(evidence.KeyChain, 0, member, Permissions.Encrypt, Horizon.Now));

    private static void AddUnless(List<string> reasons, bool not, string reason)
    {
        if (!not && !reasons.Contains(reason))
        {
            reasons.Add(reason);
        }
    }

    // As another account of the account's own project, where that is not the key's: which accounts there may use the key is not looked at.
    private static PermissionDecision Around(GcpAccessEvidence evidence, string own) =>
        evidence.KeyChain.Any(k => k.Kind == ResourceKind.Project && evidence.AccountChain.Any(a => a.Resource == k.Resource))
            ? PermissionDecision.None
            : evidence.AccountChain
                .SelectMany((l, i) => l.Kind < ResourceKind.Project
                    ? []
                    : Permissions.BecomeAccount.Concat(Permissions.MayBecomeAccount).Select(
                        p => evidence.Evaluator.Decide(evidence.AccountChain, i, own, p, Horizon.Ever).AtMost(Decision.Perhaps)))
                .Aggregate(PermissionDecision.None, PermissionDecision.Stronger);

    // As the account. Whoever cannot take its tokens any more may hold some that work for an hour, and others may hold its keys.
    private static Decision Via(GcpAccessEvidence evidence, string member, string own, PermissionDecision read, PermissionDecision become)
    {
        if (read.Decision == Decision.Denied)
        {
            return Decision.Denied;
        }

        if (evidence.Account.Missing || GcpPrincipals.IsDisabled(evidence.Account.Value))
        {
            // A deleted account has no policy of its own any more; it can be brought back for 30 days.
            Decision back = evidence.Account.Missing
                ? Undo(evidence.Evaluator, [.. evidence.AccountChain.Skip(1)], [own], [Permissions.UndeleteAccounts])
                : Undo(evidence.Evaluator, evidence.AccountChain, [own], [Permissions.EnableAccounts]);
            return back == Decision.Denied ? Decision.Denied : Decision.Perhaps;
        }

        return become.Decision == Decision.Denied
            ? AccessDecision.Both(read.Decision, Decision.Perhaps)
            : AccessDecision.Both(read.Decision, become.Decision);
    }

    // The primary version encrypts; any enabled version decrypts what was encrypted under it.
    private async Task<KeyVersions> VersionsAsync(AccessTarget target, Evidence<JsonObject> key, Operation op)
    {
        if (key.Value is null)
        {
            return new KeyVersions(VersionState.Unread, [key.Why!]);
        }

        string state = GcpKeyReader.State(key.Value["primary"] as JsonObject);
        if (state == "ENABLED")
        {
            return new KeyVersions(VersionState.PrimaryEnabled, []);
        }

        string primary = $"the key's primary version is {(state.Length == 0 ? "missing" : state)}";
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        try
        {
            IReadOnlyList<JsonObject> versions = await cloud.ListVersionsAsync(target.KeyUri, op.Cancellation).ConfigureAwait(false);
            return versions.LastOrDefault(v => GcpKeyReader.State(v) == "ENABLED") is { } open
                ? new KeyVersions(
                    VersionState.OthersEnabled,
                    [primary, $"version {GcpKeyReader.Version(open)} is enabled and decrypts what was encrypted under it"])
                : new KeyVersions(
                    VersionState.NoneEnabled,
                    [$"{primary} (Google: in force within a minute as a rule, and within 3 hours at most)"]);
        }
        catch (CmekServiceException e) when (e.StatusCode == 403)
        {
            return new KeyVersions(VersionState.OthersUnread, [primary, e.Message]);
        }
    }

    private static AccessDecision Limit(AccessDecision byPolicy, KeyVersions versions, AccessTarget target, GcpAccessEvidence evidence)
    {
        IReadOnlyList<string> reasons = [.. versions.Reasons, .. byPolicy.Reasons];
        switch (versions.State)
        {
            case VersionState.PrimaryEnabled:
                return byPolicy;
            case VersionState.Unread:
                return byPolicy with { Use = AccessDecision.Both(byPolicy.Use, Decision.Unread), Reasons = reasons };
            case VersionState.OthersEnabled or VersionState.OthersUnread:
                return byPolicy with { Use = Decision.Denied, Read = AccessDecision.Both(
                    byPolicy.Read,
                    Decision.Perhaps), Reasons = reasons };
            default:
                Decision back = BackOn(target, evidence);
                bool stays = byPolicy.Read == Decision.Denied || back == Decision.Denied;
                return new AccessDecision(
                    Decision.Denied,
                    stays ? Decision.Denied : AccessDecision.Both(AccessDecision.Either(byPolicy.Read, Decision.Unread), Decision.Perhaps),
                    reasons)
                {
                    ExplicitlyStopped = stays && back == Decision.Denied,
                };
        }
    }

    // Who may enable a version opens the key again.
    private static Decision BackOn(AccessTarget target, GcpAccessEvidence evidence) => Undo(
        evidence.Evaluator,
        evidence.KeyChain,
        [IamMembers.ServiceAccount(target.AuthPrincipal), .. OwnPrincipals.Of(target, evidence).Select(IamMembers.ServiceAccount)],
        [Permissions.UpdateVersions, Permissions.RestoreVersions]);

    // May one of several who act together switch something on again: by itself, by giving itself the right to, as another account of the
    // project, by a role that it fills up, or by taking a deny policy away first?
    private static Decision Undo(
        IamEvaluator evaluator,
        IReadOnlyList<ResourcePolicy> chain,
        IReadOnlyList<string> members,
        IReadOnlyList<string> permissions)
    {
        PermissionDecision[] ways =
        [
            .. members.SelectMany(m => permissions.Select(p => evaluator.Decide(chain, 0, m, p, Horizon.Ever))),
            .. members.SelectMany(
                m => chain.Select((l, i) => evaluator.Decide(chain, i, m, Permissions.SetPolicy(l.Kind), Horizon.Ever))),
            .. from member in members
               from at in Enumerable.Range(0, chain.Count)
               where chain[at].Kind >= ResourceKind.Project
               from permission in Permissions.Roundabout
               select evaluator.Decide(chain, at, member, permission, Horizon.Ever).AtMost(Decision.Perhaps),
        ];
        Decision lifts = ways.Any(w => w.ByDenyPolicy) ? evaluator.Lift(chain, members).Decision : Decision.Denied;
        return ways.Select(w => w.Decision).Append(lifts).Max();
    }

    private enum VersionState
    {
        PrimaryEnabled,
        OthersEnabled,
        OthersUnread,
        NoneEnabled,
        Unread,
    }

    private sealed record KeyVersions(VersionState State, IReadOnlyList<string> Reasons);
}
