using System.Text.Encodings.Web;
using System.Text.Json;

namespace CmekTools.Engine.Gcp;

/// <summary>How JSON is shown: without escapes for what is harmless on a screen.</summary>
internal static class GcpJson
{
    public static JsonSerializerOptions Plain { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static JsonSerializerOptions Indented { get; } = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
}
