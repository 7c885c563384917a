using System.Text;

namespace CmekTools.Engine.State.Shared;

/// <summary>Reads what others may have made as long as they liked.</summary>
internal static class SharedBytes
{
    /// <summary>Reads a stream's text.</summary>
    /// <exception cref="SharedPlaceException">It is longer than the limit.</exception>
    public static async Task<string> ReadAsync(Stream stream, int limit, CancellationToken cancellation)
    {
        using MemoryStream content = new();
        byte[] buffer = new byte[81920];
        int read;
        while ((read = await stream.ReadAsync(buffer, cancellation).ConfigureAwait(false)) > 0)
        {
            content.Write(buffer, 0, read);
            if (content.Length > limit)
            {
                throw new SharedPlaceException($"it is longer than the {limit} bytes that are read.");
            }
        }

        return Encoding.UTF8.GetString(content.GetBuffer(), 0, (int)content.Length);
    }
}
