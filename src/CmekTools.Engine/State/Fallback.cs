using System.Text;

namespace CmekTools.Engine.State;

/// <summary>The folder for temporary files, for what cannot be written where it belongs and must not stop a break-glass.</summary>
internal static class Fallback
{
    /// <summary>Writes a new file that is the user's alone.</summary>
    /// <param name="name">What the name ends with.</param>
    /// <param name="text">The content.</param>
    /// <returns>The file, or null where that does not work either.</returns>
    public static string? TryWrite(string name, string text)
    {
        try
        {
            // A name that nobody can have put a link under beforehand, made anew or not at all.
            string path = Path.Combine(Path.GetTempPath(), $"cmektools-{Guid.NewGuid():N}-{name}");
            StateFiles.WriteNew(path, Encoding.UTF8.GetBytes(text));
            return path;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }
}
