namespace CmekTools.Engine.Gcp;

/// <summary>How it stands with a service account.</summary>
internal enum AccountState
{
    /// <summary>It is to be made: a -WhatIf run, or the change was declined.</summary>
    Planned,

    /// <summary>It was there.</summary>
    There,

    /// <summary>It was made or brought back now: IAM may not know it everywhere yet.</summary>
    New,

    /// <summary>It is there, and disabled.</summary>
    Disabled,
}
