using System.Net;
using System.Net.Sockets;
using System.Reflection;

namespace CmekTools.Sandbox.Faults;

/// <summary>Ends a connection without a word, as a broken network does.</summary>
internal static class BrokenConnection
{
    private const BindingFlags Inner = BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public;

    // HttpListenerResponse.Abort sends the headers of an empty 200 first where .NET's own listener runs, so its socket is looked for.
    // Where there is none (Windows has another listener), Abort does what is wanted.
    private static readonly PropertyInfo? s_connection = typeof(HttpListenerContext).GetProperty("Connection", Inner);

    /// <summary>Resets the connection: nothing that was not sent yet arrives.</summary>
    public static void Reset(HttpListenerContext context)
    {
        object? connection = s_connection?.GetValue(context);
        if (connection?.GetType().GetField("_socket", Inner)?.GetValue(connection) is Socket socket)
        {
            // Without lingering a close is a reset.
            socket.LingerState = new LingerOption(true, 0);
            socket.Close();
        }

        context.Response.Abort();
    }
}
