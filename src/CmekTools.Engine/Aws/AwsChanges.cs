using System.Text.Json.Nodes;

namespace CmekTools.Engine.Aws;

/// <summary>What the parts share when they change something.</summary>
internal static class AwsChanges
{
    /// <summary>How often what was written is read: reads of a policy may lag behind a write for a moment.</summary>
    public const int ReadBackTries = 10;

    public static async Task<bool> ChangeAsync(
        Operation op,
        ICollection<string> changes,
        PlannedChange change,
        Func<CancellationToken, Task> send,
        Func<CancellationToken, Task<bool>>? look = null)
    {
        bool made = await op.ChangeAsync(change, send, look).ConfigureAwait(false);
        if (made)
        {
            lock (changes)
            {
                changes.Add(change.Summary);
            }
        }

        return made;
    }

    public static JsonObject ToJson(IReadOnlyDictionary<string, string> pairs)
    {
        JsonObject json = [];
        foreach ((string key, string value) in pairs)
        {
            json[key] = value;
        }

        return json;
    }
}
