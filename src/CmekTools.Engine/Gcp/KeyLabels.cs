using System.Text.Json.Nodes;

namespace CmekTools.Engine.Gcp;

/// <summary>Reads a key's labels, changes them and writes them back; the others stay as they are.</summary>
internal static class KeyLabels
{
    /// <summary>Sends nothing where the edit says that there is nothing to change.</summary>
    /// <param name="cloud">Google Cloud.</param>
    /// <param name="keyUri">The key.</param>
    /// <param name="edit">Changes the labels, and says whether it did. The key as it is now comes along.</param>
    /// <param name="summary">What for.</param>
    /// <param name="op">The run.</param>
    public static async Task EditAsync(
        IGoogleCloud cloud,
        string keyUri,
        Func<JsonObject, JsonObject, bool> edit,
        string summary,
        Operation op)
    {
        JsonObject key = await cloud.GetKeyAsync(keyUri, op.Cancellation).ConfigureAwait(false);
        JsonObject before = key["labels"] as JsonObject ?? [];
        JsonObject after = before.DeepClone().AsObject();
        if (!edit(after, key))
        {
            return;
        }

        JsonObject patch = new() { ["labels"] = after };
        await op.ChangeAsync(
            new PlannedChange(
                "cloudkms:cryptoKeys.patch",
                keyUri,
                summary,
                patch.ToJsonString(GcpJson.Indented),
                before.DeepClone(),
                after.DeepClone()),
            token => cloud.PatchKeyAsync(keyUri, "labels", patch, token)).ConfigureAwait(false);
    }
}
