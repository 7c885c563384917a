namespace CmekTools.Engine.State;

/// <summary>What this machine's journal says of who switched a key or a version off.</summary>
internal static class SwitchedOff
{
    private static readonly string[] s_off =
    [
        "kms:ScheduleKeyDeletion",
        "kms:DisableKey",
        "cloudkms:cryptoKeyVersions.destroy",
        "cloudkms:cryptoKeyVersions.patch",
    ];

    private static readonly string[] s_on = ["kms:CancelKeyDeletion", "kms:EnableKey", "cloudkms:cryptoKeyVersions.restore"];

    /// <summary>
    /// The keys and versions of which the last that was done from here is that a revocation switched them off. None where the journal
    /// cannot be read.
    /// </summary>
    public static IReadOnlySet<string> ByRevocation(Operation op)
    {
        Dictionary<string, bool> last = new(StringComparer.Ordinal);
        try
        {
            foreach (CmekJournalEntry entry in JournalReader.Read(op.Session.Journal.FilePath))
            {
                if (entry is not { Outcome: not "failed", Target: { } target, Kind: { } kind })
                {
                    continue;
                }

                if (s_on.Contains(kind) || entry.After?.Trim('"') == "ENABLED")
                {
                    last[target] = false;
                }
                else if (s_off.Contains(kind))
                {
                    last[target] = entry.Command == "Revoke-CmekAccess";
                }
            }
        }
        catch (CmekException)
        {
            // What is not known here counts as somebody else's.
        }

        return last.Where(l => l.Value).Select(l => l.Key).ToHashSet(StringComparer.Ordinal);
    }
}
