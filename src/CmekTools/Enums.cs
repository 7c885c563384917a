namespace CmekTools;

/// <summary>The forms of a manifest.</summary>
public enum CmekManifestForm
{
    /// <summary>The vendor's <c>cmek_config.json</c>.</summary>
    Json,
    /// <summary>The vendor's Terraform resource with its import block.</summary>
    Terraform,
}

/// <summary>The cloud that a cluster runs on, in CockroachDB Cloud's spelling.</summary>
public enum CmekProvider : long
{
    /// <summary>A provider that this version does not know.</summary>
    UNKNOWN,
    /// <summary>Amazon Web Services; keys live in AWS KMS.</summary>
    AWS,
    /// <summary>Google Cloud; keys live in Cloud KMS.</summary>
    GCP,
    /// <summary>Microsoft Azure; keys live in Key Vault. Status, manifests and drift only.</summary>
    AZURE,
}

/// <summary>The state of CMEK on a cluster, a region or a key, in the Cloud API's spelling (schema CMEKStatus).</summary>
public enum CmekState : long
{
    /// <summary>A state that this version does not know, or none given.</summary>
    UNKNOWN,
    /// <summary>No customer key is in use.</summary>
    DISABLED,
    /// <summary>On the way to <see cref="DISABLED"/>.</summary>
    DISABLING,
    /// <summary>Disabling ended in an error.</summary>
    DISABLE_FAILED,
    /// <summary>The customer's key is in use.</summary>
    ENABLED,
    /// <summary>On the way to <see cref="ENABLED"/>.</summary>
    ENABLING,
    /// <summary>Enabling ended in an error.</summary>
    ENABLE_FAILED,
    /// <summary>Moving to another key, or to the newest version of the same key.</summary>
    ROTATING,
    /// <summary>Rotation ended in an error.</summary>
    ROTATE_FAILED,
    /// <summary>The cluster has given up the key; its data cannot be read.</summary>
    REVOKED,
    /// <summary>On the way to <see cref="REVOKED"/>.</summary>
    REVOKING,
    /// <summary>Revoking ended in an error.</summary>
    REVOKE_FAILED,
}

/// <summary>What a key is good for at this moment.</summary>
public enum CmekKeyState : long
{
    /// <summary>The provider's answer is not known to this version.</summary>
    Unknown,
    /// <summary>Would be created: the output of a <c>-WhatIf</c> run.</summary>
    Planned,
    /// <summary>Can encrypt and decrypt.</summary>
    Enabled,
    /// <summary>Exists, but is switched off; can be switched on again.</summary>
    Disabled,
    /// <summary>Is scheduled for deletion; can still be rescued.</summary>
    PendingDeletion,
    /// <summary>Its material is gone for good.</summary>
    Destroyed,
    /// <summary>Is being made; not yet usable.</summary>
    Creating,
}

/// <summary>The verdict of one check.</summary>
public enum CmekCheckResult : long
{
    /// <summary>Seen to be right.</summary>
    Pass,
    /// <summary>Works, but is not as it should be.</summary>
    Warn,
    /// <summary>Enabling, or a restart of a node, would fail.</summary>
    Fail,
    /// <summary>Could not be seen; never counts as a pass.</summary>
    Unknown,
}

/// <summary>Whether a principal is cut off from a key, by what was read.</summary>
public enum CmekCutState : long
{
    /// <summary>Could not be read: proof of nothing.</summary>
    Unread,
    /// <summary>The key, or what decides about it, was not found: proof of nothing, it may be looked for in the wrong place.</summary>
    Missing,
    /// <summary>Was read, and cannot be judged from here: a group, a condition, another account's policies.</summary>
    Perhaps,
    /// <summary>Certainly open.</summary>
    Open,
    /// <summary>Certainly cut: every call that reads is stopped.</summary>
    Cut,
}

/// <summary>What the seal of a receipt says.</summary>
public enum CmekSealState : long
{
    /// <summary>There is no seal: an older version wrote the receipt, or anybody did.</summary>
    Unsealed,
    /// <summary>Sealed with this user's secret, and unchanged since.</summary>
    Verified,
    /// <summary>Sealed with another secret (another user's or machine's): whether it was changed cannot be told here.</summary>
    Elsewhere,
    /// <summary>
    /// Sealed with this user's secret and changed since, or an earlier copy of a receipt that was closed; or a seal that is none.
    /// </summary>
    Broken,
}
