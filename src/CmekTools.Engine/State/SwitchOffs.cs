namespace CmekTools.Engine.State;

/// <summary>What this machine's journal says of who switched a key or a version off.</summary>
internal static class SwitchOffs
{
    private static readonly string[] s_off =
    [
        "kms:ScheduleKeyDeletion",
        "kms:DisableKey",
        "cloudkms:cryptoKeyVersions.destroy",
        "cloudkms:cryptoKeyVersions.patch",
    ];

    // After these a key is still disabled.
    private static readonly string[] s_rescued = ["kms:CancelKeyDeletion", "cloudkms:cryptoKeyVersions.restore"];

    private enum Change
    {
        None,
        Off,
        Rescued,
        On,
    }

    /// <summary>
    /// The keys and versions of which the last that was done from here is that a revocation switched them off. None where the journal
    /// cannot be read.
    /// </summary>
    public static IReadOnlySet<string> ByRevocation(Operation op)
    {
        Dictionary<string, bool> last = new(StringComparer.Ordinal);
        foreach (CmekJournalEntry entry in Read(op).Where(e => ChangeOf(e) != Change.None))
        {
            last[entry.Target!] = ChangeOf(entry) == Change.Off && IsOfRevocation(entry);
        }

        return last.Where(l => l.Value).Select(l => l.Key).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>
    /// True where a revocation from here was the last to switch a key or a version of it off, and nothing from here is known to have
    /// switched it on since; what has only been rescued from its deletion is off. <paramref name="entries"/> are those of the key.
    /// </summary>
    public static bool LastByRevocation(IEnumerable<CmekJournalEntry> entries) =>
        entries.GroupBy(e => e.Target).Any(one => one.LastOrDefault(
            e => ChangeOf(e) is var change && (change == Change.Off || (change == Change.On && e.Outcome == "done"))) is { } last
            && ChangeOf(last) == Change.Off && IsOfRevocation(last));

    /// <summary>What the journal has of a key and its versions, but what failed; nothing where it cannot be read.</summary>
    public static IReadOnlyList<CmekJournalEntry> Of(string keyUri, Operation op) =>
    [
        .. Read(op).Where(e => e.Target == keyUri || e.Target?.StartsWith(keyUri + "/", StringComparison.Ordinal) == true),
    ];

    private static IEnumerable<CmekJournalEntry> Read(Operation op)
    {
        try
        {
            return JournalReader.Read(op.Session.Journal.FilePath).Where(
                e => e is { Outcome: not ("failed" or "not made"), Target: not null });
        }
        catch (CmekException)
        {
            // What is not known here counts as somebody else's.
            return [];
        }
    }

    private static bool IsOfRevocation(CmekJournalEntry entry) => entry.Command == "Revoke-CmekAccess";

    private static Change ChangeOf(CmekJournalEntry entry) => entry.Kind switch
    {
        null => Change.None,
        "kms:EnableKey" => Change.On,
        _ when entry.After?.Trim('"') == "ENABLED" => Change.On,
        { } kind when s_rescued.Contains(kind) => Change.Rescued,
        { } kind when s_off.Contains(kind) => Change.Off,
        _ => Change.None,
    };
}
