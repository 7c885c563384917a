using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;

namespace CmekTools.Engine.Gcp;

/// <summary>Everything that decides about one access, as it was read.</summary>
/// <param name="Key">The key.</param>
/// <param name="Account">The service account.</param>
/// <param name="KeyChain">The key, its ring, its project and what is above.</param>
/// <param name="AccountChain">The account, its project and what is above.</param>
/// <param name="Evaluator">Decides by the roles and names that were read with them.</param>
internal sealed record GcpAccessEvidence(
    Evidence<JsonObject> Key,
    Evidence<JsonObject> Account,
    IReadOnlyList<ResourcePolicy> KeyChain,
    IReadOnlyList<ResourcePolicy> AccountChain,
    IamEvaluator Evaluator)
{
    /// <summary>The key's own policy.</summary>
    public Evidence<JsonObject> KeyPolicy => KeyChain[0].Policy;

    /// <summary>The account's own policy.</summary>
    public Evidence<JsonObject> AccountPolicy => AccountChain[0].Policy;

    /// <summary>What the bindings alone give.</summary>
    public GcpAccessEvidence WithoutDenies() => this with
    {
        KeyChain = [.. KeyChain.Select(l => l with { Denies = null })],
        AccountChain = [.. AccountChain.Select(l => l with { Denies = null })],
    };

    /// <summary>May a member take the account's tokens now?</summary>
    public PermissionDecision Decide(string member) => Evaluator.Decide(AccountChain, 0, member, Permissions.GetAccessToken, Horizon.Now);
}
