using Microsoft.Win32.SafeHandles;

namespace CmekTools.Benchmarks.Survival;

/// <summary>
/// Whether any other thread of this process runs, would run if it had a core, or waits for a disk: as Linux says. The thread pool's own
/// figures do not tell a thread that works long from one that waits, nor one that has no core.
/// </summary>
internal sealed class ThreadStates : IDisposable
{
    private const string Folder = "/proc/self/task";

    private readonly Dictionary<string, SafeFileHandle> _files = new(StringComparer.Ordinal);
    private readonly byte[] _text = new byte[512];

    /// <summary>False where this is no Linux; then <see cref="AllWait"/> is true whatever is so.</summary>
    public static bool CanBeRead { get; } = Directory.Exists(Folder);

    /// <summary>True where all threads but the caller's wait for something other than a disk.</summary>
    public bool AllWait()
    {
        if (!CanBeRead)
        {
            return true;
        }

        // The caller is the one that runs; a second one is at work.
        int running = 0;
        foreach (string thread in Directory.EnumerateDirectories(Folder))
        {
            running += State(thread) is 'R' or 'D' ? 1 : 0;
            if (running > 1)
            {
                return false;
            }
        }

        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SafeFileHandle file in _files.Values)
        {
            file.Dispose();
        }
    }

    // The third field of stat, behind the name, which is in brackets and may hold some itself.
    private char State(string thread)
    {
        try
        {
            if (!_files.TryGetValue(thread, out SafeFileHandle? file))
            {
                file = File.OpenHandle(thread + "/stat");
                _files[thread] = file;
            }

            int length = RandomAccess.Read(file, _text, 0);
            int name = _text.AsSpan(0, length).LastIndexOf((byte)')');
            return name >= 0 && name + 2 < length ? (char)_text[name + 2] : '?';
        }
        catch (IOException)
        {
            // It has ended.
            if (_files.Remove(thread, out SafeFileHandle? file))
            {
                file.Dispose();
            }

            return '?';
        }
    }
}
