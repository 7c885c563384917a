using System.Text.Json;
using CmekTools.Engine.State;
using CmekTools.Engine.State.Shared;

namespace CmekTools.Engine.Clusters;

/// <summary>
/// What each machine has seen of the clusters. A cluster has one document for all; whoever writes it keeps what the others wrote. What
/// this user did not seal lies apart here, and stays marked where it is handed on.
/// </summary>
/// <param name="stateFolder">The local state folder.</param>
/// <param name="mirror">The place's folder in it.</param>
internal sealed class InventoryShelf(string stateFolder, string mirror) : SharedShelf(SharedNames.Inventory, InventoryFile.SizeLimit)
{
    private readonly string _own = Path.Combine(stateFolder, Inventory.FolderName);
    private readonly string _proven = Path.Combine(mirror, Inventory.FolderName);
    private readonly string _unproven = Path.Combine(mirror, Inventory.UnprovenFolderName);

    /// <inheritdoc/>
    public override IReadOnlyList<GivenDocument> Given()
    {
        List<GivenDocument> given = [];
        foreach (string path in Directory.Exists(_own) ? Directory.GetFiles(_own, "*.json") : [])
        {
            try
            {
                string text = StateFiles.ReadText(path, SizeLimit);
                if (TryRead(Path.GetFileName(path), text) is { Proven: true })
                {
                    given.Add(new GivenDocument(Path.GetFileName(path), text));
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It is just being replaced, or cannot be read: the next look sees it.
            }
        }

        return given;
    }

    /// <inheritdoc/>
    public override bool Takes(string file, bool given) => true;

    /// <inheritdoc/>
    public override void Take(string file, string text)
    {
        if (TryRead(file, text) is not { } theirs)
        {
            return;
        }

        if (theirs.Proven)
        {
            // Somebody may have put an earlier one back: what was known stays known.
            InventoryEntry? had = File.Exists(Path.Combine(_proven, file))
                ? TryRead(file, StateFiles.ReadText(Path.Combine(_proven, file), SizeLimit))
                : null;
            StateFiles.WriteWhole(
                Path.Combine(_proven, file),
                InventoryFile.ToText(InventoryFile.Merge([theirs, had is { Proven: true } ? had : null])!));
            if (Directory.Exists(_unproven))
            {
                File.Delete(Path.Combine(_unproven, file));
            }
        }
        else if (SharedMirror.SizeOf(_unproven) + text.Length <= SharedMirror.UnprovenLimit)
        {
            StateFiles.WriteWhole(Path.Combine(_unproven, file), text);
        }
    }

    /// <inheritdoc/>
    public override string? Over(string file, string mine, string theirs)
    {
        if (TryRead(file, mine) is not { } own || TryRead(file, theirs) is not { } there)
        {
            return mine;
        }

        // Those who have other secrets would write it by turns for ever, were it not enough that it lists what is known here.
        bool whole = own.Keys.All(k => there.Keys.Any(k.IsSame));
        return whole && (!there.Proven || there.SeenAt >= own.SeenAt) ? null : InventoryFile.ToText(InventoryFile.Merge([own, there])!);
    }

    private static InventoryEntry? TryRead(string file, string text)
    {
        try
        {
            return InventoryFile.Read(file, text);
        }
        catch (Exception e) when (
            e is JsonException or FormatException or InvalidOperationException or ArgumentException or NullReferenceException)
        {
            return null;
        }
    }
}
