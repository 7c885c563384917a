using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace CmekTools.Engine.State;

/// <summary>
/// A second place that each line of the journal goes to, besides the file: another file (for a SIEM's collector), or the machine's
/// system log. It is told after the journal's own line is on disk, and whatever becomes of it, the change goes on.
/// </summary>
internal sealed class JournalSink
{
    /// <summary>What stands for the machine's log: syslog or journald on Linux and macOS, the event log on Windows.</summary>
    public const string SystemLog = "SystemLog";

    private static readonly string[] s_sockets = ["/dev/log", "/var/run/syslog"];
    private readonly Action<string> _send;
    private int _failed;

    private JournalSink(string name, Action<string> send)
    {
        Name = name;
        _send = send;
    }

    /// <summary>The file, or <see cref="SystemLog"/>.</summary>
    public string Name { get; }

    /// <summary>How many lines did not get there.</summary>
    public int Failed => Volatile.Read(ref _failed);

    /// <summary>Makes the sink of a name.</summary>
    /// <param name="name"><see cref="SystemLog"/>, or a file's full path.</param>
    /// <param name="socket">The system log's socket; null: the platform's.</param>
    public static JournalSink Create(string name, string? socket = null)
    {
        if (!string.Equals(name, SystemLog, StringComparison.OrdinalIgnoreCase))
        {
            return new JournalSink(name, line => StateFiles.AppendTo(name, line + "\n"));
        }

        return OperatingSystem.IsWindows()
            ? new JournalSink(SystemLog, WindowsLog)
            : new JournalSink(SystemLog, line => Syslog(line, socket ?? s_sockets.FirstOrDefault(File.Exists) ?? s_sockets[0]));
    }

    /// <summary>Sends a line. It never fails.</summary>
    public void Send(string line)
    {
        try
        {
            _send(line);
        }
        catch (Exception e) when (
            e is IOException or UnauthorizedAccessException or SocketException or System.ComponentModel.Win32Exception
                or InvalidOperationException)
        {
            Interlocked.Increment(ref _failed);
        }
    }

    private static void Syslog(string line, string socketPath)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { SendTimeout = 1000 };
        socket.Connect(new UnixDomainSocketEndPoint(socketPath));

        // auth.notice; a datagram has a limit, and what is longer is told by its beginning (the journal's own line is whole).
        const int Limit = 8000;
        string text = line.Length > Limit ? string.Concat(line.AsSpan(0, Limit), "…") : line;
        socket.Send(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"<37>cmektools[{Environment.ProcessId}]: {text}")));
    }

    // The event log needs no package where the platform's own program writes it.
    private static void WindowsLog(string line)
    {
        string program = Path.Combine(Environment.SystemDirectory, "eventcreate.exe");
        string text = line.Length > 30_000 ? line[..30_000] : line;
        System.Diagnostics.ProcessStartInfo start = new(
            program,
            ["/L", "APPLICATION", "/T", "INFORMATION", "/SO", "CmekTools", "/ID", "1", "/D", text])
        {
            CreateNoWindow = true,
            UseShellExecute = false,
        };
        using System.Diagnostics.Process? process = System.Diagnostics.Process.Start(start);
        process?.WaitForExit(2000);
    }
}
