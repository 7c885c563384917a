using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>Cuts lists into pages.</summary>
internal static class Paging
{
    /// <summary>The answer of a List operation: one page, and where the next one begins.</summary>
    public static JsonObject Page(KmsCall call, string name, IEnumerable<JsonNode> items, int usual, int most)
    {
        int limit = call.Number("Limit") ?? usual;
        if (limit < 1 || limit > most)
        {
            throw KmsCall.Invalid(
                $"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value less "
                    + $"than or equal to {most}");
        }

        List<JsonNode> all = [.. items];
        int start = call.Text("Marker") is { } marker ? Read(marker) : 0;
        JsonObject answer = new() { [name] = new JsonArray([.. all.Skip(start).Take(limit)]), ["Truncated"] = start + limit < all.Count };
        if (start + limit < all.Count)
        {
            answer["NextMarker"] = Convert.ToBase64String(
                Encoding.ASCII.GetBytes("p" + (start + limit).ToString(CultureInfo.InvariantCulture)));
        }

        return answer;
    }

    private static int Read(string marker)
    {
        Span<byte> bytes = stackalloc byte[64];
        return marker.Length < 64 && Convert.TryFromBase64String(marker, bytes, out int length) && length > 1 && bytes[0] == 'p'
            && int.TryParse(Encoding.ASCII.GetString(bytes[1..length]), NumberStyles.None, CultureInfo.InvariantCulture, out int start)
            ? start
            : throw new AwsErrorException("InvalidMarkerException", "Could not deserialize marker");
    }
}
