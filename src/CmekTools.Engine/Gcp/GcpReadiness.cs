using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Gcp;

/// <summary>Whether whoever runs this could cut a key off now. Reads only.</summary>
internal sealed class GcpReadiness(SessionContext session, GcpClients clients, GcpEvidenceReader reader)
{
    private static readonly string[] s_onKey =
        [
            "cloudkms.cryptoKeys.getIamPolicy",
            "cloudkms.cryptoKeys.setIamPolicy",
            Permissions.UpdateVersions,
            "cloudkms.cryptoKeyVersions.list",
        ];

    private static readonly string[] s_onAccount = [
        "iam.serviceAccounts.getIamPolicy",
        "iam.serviceAccounts.setIamPolicy",
        "iam.serviceAccounts.disable",
    ];

    /// <summary>Whether Google takes the credentials: by asking what they may do with the key, which everybody may ask.</summary>
    /// <exception cref="CmekException">There are none, or they are refused.</exception>
    public async Task<CallerStanding> CallerAsync(string keyUri, Operation op)
    {
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        await cloud.TestKeyPermissionsAsync(keyUri, [s_onKey[1]], op.Cancellation).ConfigureAwait(false);
        return session.ProviderOptions.GoogleAccessToken is null
            ? new CallerStanding(
                CmekCheckResult.Pass,
                "Google Cloud",
                "Google takes the Application Default Credentials, and the library renews their tokens by itself.")
            : new CallerStanding(
                CmekCheckResult.Warn,
                "Google Cloud",
                "Google takes the access token that the session was given; when it ends it does not say, and it is not renewed.",
                "Connect by Application Default Credentials (gcloud auth application-default login) instead.");
    }

    /// <summary>What a cut of a key needs, and what it would leave open.</summary>
    /// <param name="targets">The accesses to one key.</param>
    /// <param name="op">The run.</param>
    /// <exception cref="CmekException">Cloud KMS cannot be reached.</exception>
    public async Task<IReadOnlyList<CmekCheck>> CheckAsync(IReadOnlyList<AccessTarget> targets, Operation op)
    {
        AccessTarget first = targets[0];
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        long start = op.Session.Time.GetTimestamp();
        Evidence<JsonObject> key = await GcpEvidence.ReadAsync(
            cloud.GetKeyAsync(first.KeyUri, op.Cancellation),
            "cloudkms.cryptoKeys.get",
            first.KeyUri).ConfigureAwait(false);
        List<CmekCheck> checks =
        [
            CutChecks.Answered(first, "Cloud KMS", op.Session.Time.GetElapsedTime(start)),
        ];
        if (key.Missing)
        {
            checks.Add(CutChecks.KeyMissing(
                targets,
                $"There is no key {first.KeyUri}: a cut would prove nothing.",
                "Look whether the project and the endpoint are the right ones."));
            return checks;
        }

        bool deny = await GcpCut.MayDenyAsync(cloud, first, op).ConfigureAwait(false);
        checks.Add(await WriteAsync(cloud, first, op).ConfigureAwait(false));
        foreach (AccessTarget target in targets.DistinctBy(t => t.AuthPrincipal))
        {
            checks.Add(await AccountAsync(cloud, target, op).ConfigureAwait(false));
            checks.Add(await OutcomeAsync(target, deny, op).ConfigureAwait(false));
        }

        return checks;
    }

    private static async Task<CmekCheck> WriteAsync(IGoogleCloud cloud, AccessTarget target, Operation op)
    {
        IReadOnlyList<string> may;
        try
        {
            may = await cloud.TestKeyPermissionsAsync(target.KeyUri, s_onKey, op.Cancellation).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.StatusCode is 400 or 403 or 404)
        {
            return target.Check(
                "CutPolicyWrite",
                CmekCheckResult.Unknown,
                target.KeyUri,
                $"What the caller may do with the key cannot be seen: {e.Message}",
                "Mend what the message names.");
        }

        string[] missing = [.. s_onKey.Take(2).Where(p => !may.Contains(p))];
        string remedy = $"Have {string.Join(" and ", missing)} on {target.KeyUri} granted to whoever runs this (roles/cloudkms.admin "
            + "has them).";
        bool disables = s_onKey.Skip(2).All(may.Contains);
        string seen = missing.Length == 0
            ? "The caller may write the key's bindings."
            : $"The caller lacks {string.Join(" and ", missing)}, "
                + (disables
                    ? "but may disable the key's versions: a cut would do that, and stop everybody who uses the key."
                    : "and may not disable the key's versions.");
        CmekCheckResult result = CutChecks.PolicyWrite(
            missing.Length == 0 ? Decision.Allowed : Decision.Denied,
            disables ? Decision.Allowed : Decision.Denied);
        return target.Check("CutPolicyWrite", result, target.KeyUri, seen, missing.Length == 0 ? null : remedy);
    }

    private static async Task<CmekCheck> AccountAsync(IGoogleCloud cloud, AccessTarget target, Operation op)
    {
        try
        {
            IReadOnlyList<string> may = await cloud.TestAccountPermissionsAsync(
                target.AuthPrincipal,
                s_onAccount,
                op.Cancellation).ConfigureAwait(false);
            string[] missing = [.. s_onAccount.Where(p => !may.Contains(p))];
            return missing.Length == 0
                ? target.Check(
                    "CutAccountWrite",
                    CmekCheckResult.Pass,
                    target.AuthPrincipal,
                    "The caller may take the account's tokens away and disable it.")
                : target.Check(
                    "CutAccountWrite",
                    CmekCheckResult.Warn,
                    target.AuthPrincipal,
                    $"The caller lacks {string.Join(" and ", missing)}: the cut of the key does not hang on it, but the account's "
                        + "tokens stay.",
                    $"Have roles/iam.serviceAccountAdmin on {target.AuthPrincipal} granted to whoever runs this.");
        }
        catch (CmekServiceException e) when (e.StatusCode is 400 or 403 or 404)
        {
            return target.Check(
                "CutAccountWrite",
                CmekCheckResult.Warn,
                target.AuthPrincipal,
                $"What the caller may do with the account cannot be seen: {e.Message} The cut of the key does not hang on it.",
                $"gcloud iam service-accounts describe {BashText.Quote(target.AuthPrincipal)} shows whether it is there.");
        }
    }

    // The bindings as they would be after the cut: who is let in by what lies above is not cut off by it.
    private async Task<CmekCheck> OutcomeAsync(AccessTarget target, bool deny, Operation op)
    {
        GcpAccessEvidence evidence = await reader.ReadAsync(target, op).ConfigureAwait(false);
        string member = IamMembers.ServiceAccount(target.AuthPrincipal);
        string own = IamMembers.ServiceAccount(GcpNames.ClusterPrincipal(target.Cluster));
        GcpAccessEvidence after = evidence with
        {
            KeyChain = [Without(evidence.KeyChain[0], member, own), .. evidence.KeyChain.Skip(1)],
            AccountChain = [Without(evidence.AccountChain[0], own), .. evidence.AccountChain.Skip(1)],
        };
        AccessDecision decision = GcpDecisions.Decide(target, after);
        string reasons = string.Join("; ", decision.Reasons);
        return decision.Cut switch
        {
            CmekCutState.Cut => target.Check(
                "CutOutcome",
                CmekCheckResult.Pass,
                target.AuthPrincipal,
                "Without the bindings that a cut takes away nothing lets it in, by what can be read."),
            _ when deny => target.Check(
                "CutOutcome",
                CmekCheckResult.Warn,
                target.AuthPrincipal,
                $"What a cut takes away is not all that lets it in: {reasons}. The caller may write a deny policy on the project, which "
                    + "stops that; it hits every key of the project.",
                "Take away what the message names."),
            CmekCutState.Open => target.Check(
                "CutOutcome",
                CmekCheckResult.Fail,
                target.AuthPrincipal,
                $"A cut would leave it open: {reasons}.",
                "Take away what the message names, or have iam.denypolicies.create on the project granted to whoever runs this."),
            _ => target.Check(
                "CutOutcome",
                CmekCheckResult.Unknown,
                target.AuthPrincipal,
                $"Whether a cut would be enough cannot be seen: {reasons}.",
                "Have roles/iam.securityReviewer on the project and what is above it granted to whoever runs this."),
        };
    }

    private static ResourcePolicy Without(ResourcePolicy level, params string[] members)
    {
        if (level.Policy.Value is not { } policy)
        {
            return level;
        }

        JsonObject copy = (JsonObject)policy.DeepClone();
        foreach (string member in members)
        {
            IamBindings.Remove(copy, member);
        }

        return level with { Policy = level.Policy with { Value = copy } };
    }
}
