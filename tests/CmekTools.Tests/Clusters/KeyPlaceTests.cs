using System.Globalization;
using CmekTools.Engine.CloudApi;
using Xunit;

namespace CmekTools.Tests.Clusters;

/// <summary>Current, past, failed, incoming: what each word means of what the service can list.</summary>
public sealed class KeyPlaceTests
{
    // Entries newest first as NAME:STATE:MADE[-CHANGED], in minutes.
    [Theory]
    [InlineData("DISABLED", "", "", null, null)]
    [InlineData("DISABLED", "a:DISABLED:0", "Past", null, null)]
    [InlineData("DISABLED", "a:ENABLE_FAILED:0", "Past", null, null)]
    [InlineData("ENABLING", "a:ENABLING:0", "Incoming", "a", null)]
    [InlineData("ENABLE_FAILED", "a:ENABLE_FAILED:0", "Failed", "a", null)]
    [InlineData("ENABLED", "a:ENABLED:0", "InUse", "a", null)]
    [InlineData("ENABLED", "b:ENABLED:1 a:DISABLED:0-2", "InUse Past", "b", null)]
    [InlineData("ROTATING", "a:ROTATING:0", "InUse", "a", null)]
    [InlineData("ROTATING", "b:ROTATING:1 a:ENABLED:0", "Incoming InUse", "a", "b")]
    [InlineData("ROTATING", "c:ROTATING:3 b:ENABLED:1 a:DISABLED:0-2", "Incoming InUse Past", "b", "c")]
    [InlineData("ROTATE_FAILED", "b:ROTATE_FAILED:1 a:ENABLED:0", "Failed InUse", "a", null)]
    [InlineData("ROTATE_FAILED", "a:ROTATE_FAILED:0", "InUse", "a", null)]
    [InlineData("ROTATE_FAILED", "b:ROTATE_FAILED:1 a:ROTATE_FAILED:0", "Failed InUse", "a", null)]
    [InlineData("ROTATING", "b:ROTATING:1 a:ROTATE_FAILED:0", "Incoming InUse", "a", "b")]
    [InlineData("ENABLED", "c:ENABLED:2 b:ROTATE_FAILED:1 a:DISABLED:0-3", "InUse Failed Past", "c", null)]
    [InlineData("ROTATE_FAILED", "c:ROTATE_FAILED:2 b:ROTATE_FAILED:1 a:DISABLED:0-3", "InUse Failed Past", "c", null)]
    [InlineData("ROTATE_FAILED", "d:ROTATE_FAILED:5 c:ROTATE_FAILED:2 a:DISABLED:0-3", "Failed InUse Past", "c", null)]
    [InlineData("ROTATING", "c:ROTATING:2 b:ROTATING:1 a:ENABLED:0", "Incoming Failed InUse", "a", "c")]
    [InlineData("REVOKED", "a:REVOKED:0", "InUse", "a", null)]
    [InlineData("REVOKING", "b:ROTATE_FAILED:1 a:REVOKING:0", "Failed InUse", "a", null)]
    [InlineData("REVOKED", "b:ROTATE_FAILED:1 a:REVOKED:0", "Failed InUse", "a", null)]
    [InlineData("REVOKE_FAILED", "b:REVOKE_FAILED:1 a:DISABLED:0-2", "InUse Past", "b", null)]
    [InlineData("DISABLING", "b:DISABLING:1 a:DISABLED:0-2", "InUse Past", "b", null)]
    [InlineData("DISABLE_FAILED", "a:DISABLE_FAILED:0", "InUse", "a", null)]
    [InlineData("UNKNOWN", "a:UNKNOWN:0", "InUse", "a", null)]
    public void EachKeyHasItsPlace(string region, string entries, string places, string? current, string? incoming)
    {
        CmekKeyStatus[] keys = KeyPlaceRules.Placed(
            Enum.Parse<CmekState>(region),
            [.. entries.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Parse)]);
        Assert.Equal(places, string.Join(' ', keys.Select(k => k.Place)));
        Assert.Equal(region == "DISABLED" ? null : current, KeyPlaceRules.Current(keys)?.KeyUri);
        Assert.Equal(incoming, KeyPlaceRules.Incoming(keys)?.KeyUri);
    }

    private static CmekKeyStatus Parse(string entry)
    {
        string[] parts = entry.Split(':');
        string[] times = parts[2].Split('-');
        DateTimeOffset At(string minutes) => DateTimeOffset.UnixEpoch.AddMinutes(int.Parse(minutes, CultureInfo.InvariantCulture));
        return new CmekKeyStatus
        {
            KeyUri = parts[0],
            KeyType = "AWS_KMS",
            State = Enum.Parse<CmekState>(parts[1]),
            CreatedAt = At(times[0]),
            UpdatedAt = At(times[^1]),
        };
    }
}
