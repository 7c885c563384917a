namespace CmekTools.Engine.Access;

/// <summary>Which key a URI names, whatever way it is spelt.</summary>
/// <param name="Uri">The URI in the provider's own spelling (Google Cloud: with the project's id where it is known).</param>
/// <param name="Material">The same text for keys that share their material: an AWS multi-region key's primary and replicas, a Google key
/// by project id or number.</param>
internal sealed record KeyIdentity(string Uri, string Material);

/// <summary>A copy of a multi-region key in another region: the same material under a policy, grants and a state of its own.</summary>
/// <param name="KeyUri">The copy.</param>
/// <param name="IsPrimary">True for the primary.</param>
internal sealed record KeyReplica(string KeyUri, bool IsPrimary);

/// <summary>A grant on a key: it lets its grantee in whatever the key policy says, short of an explicit Deny.</summary>
internal sealed record KeyGrant(string KeyUri, string GrantId, string Grantee, IReadOnlyList<string> Operations)
{
    /// <summary>Who may retire it, or null.</summary>
    public string? RetiringPrincipal { get; init; }

    /// <summary>Its name, or null.</summary>
    public string? Name { get; init; }

    /// <summary>The account that made it, or null.</summary>
    public string? IssuedBy { get; init; }

    /// <summary>The encryption context that it asks for, as JSON; null where it asks for none.</summary>
    public string? Constraints { get; init; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>True where it lets somebody read what was encrypted, or make such a grant.</summary>
    public bool Opens =>
        Operations.Any(o => o is "Decrypt" or "ReEncryptFrom" or "GenerateDataKey" or "GenerateDataKeyPair" or "CreateGrant");

    /// <summary>Does another grant give the same to the same?</summary>
    public bool GivesTheSameAs(KeyGrant other) =>
        Grantee == other.Grantee && RetiringPrincipal == other.RetiringPrincipal && Name == other.Name
        && Constraints == other.Constraints && Operations.ToHashSet().SetEquals(other.Operations);

    /// <summary>True for a grant to the cluster's principal, or to anybody in the cluster's own account.</summary>
    public bool IsClusters(AccessTarget target) =>
        Grantee == target.AuthPrincipal
        || Grantee == target.Cluster.AccountId
        || (target.Cluster.AccountId is { } account && Grantee.Contains($"::{account}:", StringComparison.Ordinal))
        || IsSessionOf(Grantee, target.AuthPrincipal);

    // arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION is arn:aws:iam::ACCOUNT:role/…NAME at work.
    private static bool IsSessionOf(string grantee, string role)
    {
        string[] session = grantee.Split(':');
        string[] parts = role.Split(':');
        return session.Length == 6 && parts.Length == 6 && session[2] == "sts" && session[4] == parts[4]
            && session[5].Split('/') is ["assumed-role", { } name, ..] && parts[5].EndsWith("/" + name, StringComparison.Ordinal);
    }
}

/// <summary>Everything beside a key's policy that opens it, as far as it could be read.</summary>
/// <param name="Replicas">Every copy, the key itself among them; empty for a single-region key and on Google Cloud.</param>
/// <param name="Grants">Every grant on the key itself.</param>
/// <param name="Unread">What could not be read, and why, a line each; empty where all was.</param>
internal sealed record OtherAccess(IReadOnlyList<KeyReplica> Replicas, IReadOnlyList<KeyGrant> Grants, IReadOnlyList<string> Unread)
{
    /// <summary>The key's state, as last read; Unknown where it was not.</summary>
    public CmekKeyState State { get; init; } = CmekKeyState.Unknown;

    /// <summary>
    /// Who else gets in by what was read, a line each: keys of an account that people hold, identities of other providers.
    /// </summary>
    public IReadOnlyList<string> Others { get; init; } = [];
}
