using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.State.Shared;

/// <summary>
/// That a receipt was closed, written by whoever restored: the receipt itself is another machine's. It closes the receipt as far as it
/// was seen; what was cut after that stands open.
/// </summary>
/// <param name="ReceiptId">The receipt.</param>
/// <param name="Revision">The last revision that is closed.</param>
/// <param name="At">When.</param>
/// <param name="Superseded">True where its principals were all replaced; else access was given back.</param>
internal sealed record Closing(string ReceiptId, long Revision, DateTimeOffset At, bool Superseded)
{
    private const string Format = "cmektools/closing";

    /// <summary>The document, sealed; null where this user has no secret.</summary>
    public string? ToText()
    {
        JsonObject json = new()
        {
            ["format"] = Format,
            ["version"] = 1,
            ["receipt"] = ReceiptId,
            ["revision"] = Revision,
            ["at"] = At.ToString("O", CultureInfo.InvariantCulture),
            ["superseded"] = Superseded,
        };
        return Seal.Own.TryAdd(json, Format) ? json.ToJsonString() + "\n" : null;
    }

    /// <summary>Reads a document; null where it is none that this user sealed.</summary>
    public static Closing? Read(string text)
    {
        try
        {
            JsonObject json = SafeJson.ParseObject(text);
            return Seal.Own.Check(json, Format) == CmekSealState.Verified && (string?)json["format"] == Format && (int?)json["version"] == 1
                ? new Closing(
                    (string)json["receipt"]!,
                    (long)json["revision"]!,
                    DateTimeOffset.Parse((string)json["at"]!, CultureInfo.InvariantCulture),
                    (bool)json["superseded"]!)
                : null;
        }
        catch (Exception e) when (
            e is JsonException or FormatException or InvalidOperationException or OverflowException or ArgumentNullException
                or NullReferenceException)
        {
            return null;
        }
    }
}
