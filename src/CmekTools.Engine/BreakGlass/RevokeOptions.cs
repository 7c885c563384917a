namespace CmekTools.Engine.BreakGlass;

/// <summary>Which halves of a revocation are wanted.</summary>
internal enum RevokeScope
{
    /// <summary>Cut at the provider, and tell the service.</summary>
    Both,

    /// <summary>Cut at the provider only.</summary>
    KeyOnly,

    /// <summary>Tell the service only.</summary>
    ServiceOnly,
}

/// <summary>How a revocation is to go.</summary>
internal sealed record RevokeOptions
{
    /// <summary>Which halves.</summary>
    public RevokeScope Scope { get; init; }

    /// <summary>Google Cloud: also disable the service account.</summary>
    public bool DisablePrincipal { get; init; }

    /// <summary>Also schedule the keys' deletion.</summary>
    public bool Permanent { get; init; }

    /// <summary>The cluster's name, given in place of the second question; null where it was not given.</summary>
    public string? ConfirmedName { get; init; }

    /// <summary>AWS: days until the deletion.</summary>
    public int DeletionDays { get; init; } = 30;

    /// <summary>How long a busy cluster is asked again, and how long REVOKED is waited for.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromHours(2);

    /// <summary>Do not wait for REVOKED.</summary>
    public bool NoWait { get; init; }

    /// <summary>Change nothing where journal or receipt cannot be written in the state folder.</summary>
    public bool RequireReceipt { get; init; }

    /// <summary>True where nobody is asked: who else is hit is told all the same.</summary>
    public bool Unasked { get; init; }

    /// <summary>Is the key cut?</summary>
    public bool Cuts => Scope != RevokeScope.ServiceOnly;

    /// <summary>Is the service told?</summary>
    public bool Tells => Scope != RevokeScope.KeyOnly;
}
