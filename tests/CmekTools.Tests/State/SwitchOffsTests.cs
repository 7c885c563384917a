using CmekTools.Engine.State;
using Xunit;

namespace CmekTools.Tests.State;

/// <summary>What the journal's lines of one key come to: was a revocation the last to switch it off?</summary>
public sealed class SwitchOffsTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true, "Revoke-CmekAccess kms:DisableKey done")]
    [InlineData(true, "Revoke-CmekAccess kms:ScheduleKeyDeletion unknown")]
    [InlineData(false, "Remove-CmekKey kms:ScheduleKeyDeletion done")]
    [InlineData(false, "Revoke-CmekAccess kms:DisableKey done", "Remove-CmekKey kms:ScheduleKeyDeletion done")]
    [InlineData(true, "Revoke-CmekAccess kms:ScheduleKeyDeletion done", "Restore-CmekAccess kms:CancelKeyDeletion done")]
    [InlineData(
        false,
        "Revoke-CmekAccess kms:ScheduleKeyDeletion done",
        "Restore-CmekAccess kms:CancelKeyDeletion done",
        "Restore-CmekAccess kms:EnableKey done")]
    [InlineData(true, "Revoke-CmekAccess kms:DisableKey done", "Restore-CmekAccess kms:EnableKey unknown")]
    [InlineData(true, "Revoke-CmekAccess cloudkms:cryptoKeyVersions.patch done")]
    [InlineData(
        true,
        "Revoke-CmekAccess cloudkms:cryptoKeyVersions.destroy done",
        "Restore-CmekAccess cloudkms:cryptoKeyVersions.restore done")]
    [InlineData(
        false,
        "Revoke-CmekAccess cloudkms:cryptoKeyVersions.destroy done",
        "Restore-CmekAccess cloudkms:cryptoKeyVersions.restore done",
        "Restore-CmekAccess cloudkms:cryptoKeyVersions.patch done ENABLED")]
    [InlineData(
        true,
        "Revoke-CmekAccess cloudkms:cryptoKeyVersions.patch done",
        "Restore-CmekAccess cloudkms:cryptoKeyVersions.patch cancelled ENABLED")]
    [InlineData(
        true,
        "Revoke-CmekAccess kms:DisableKey done",
        "Restore-CmekAccess kms:EnableKey done",
        "Revoke-CmekAccess kms:ScheduleKeyDeletion done",
        "Revoke-CmekAccess kms:PutKeyPolicy done")]
    [InlineData(
        true,
        "Revoke-CmekAccess cloudkms:cryptoKeyVersions.patch done DISABLED 1",
        "Revoke-CmekAccess cloudkms:cryptoKeyVersions.patch done DISABLED 2",
        "Restore-CmekAccess cloudkms:cryptoKeyVersions.patch done ENABLED 2")]
    public void OnlyWhatIsKnownToBeOnAgainIsNoLongerTheRevocations(bool revocation, params string[] lines) =>
        Assert.Equal(revocation, SwitchOffs.LastByRevocation(lines.Select(Entry)));

    private static CmekJournalEntry Entry(string line)
    {
        string[] words = line.Split(' ');
        return new CmekJournalEntry
        {
            Id = line,
            Outcome = words[2],
            Command = words[0],
            Kind = words[1],
            Target = words.Length > 4 ? $"key/cryptoKeyVersions/{words[4]}" : "key",
            After = words.Length > 3 ? $"\"{words[3]}\"" : null,
        };
    }
}
