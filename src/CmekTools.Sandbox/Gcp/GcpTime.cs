using System.Globalization;

namespace CmekTools.Sandbox.Gcp;

/// <summary>Google's form of a time.</summary>
internal static class GcpTime
{
    public static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
}
