using System.Management.Automation.Runspaces;
using System.Runtime.CompilerServices;
using CmekTools.Engine;
using CmekTools.Engine.Lifecycle;

namespace CmekTools.Module;

/// <summary>The connection of each runspace, so that <c>ForEach-Object -Parallel</c> branches do not share one by accident.</summary>
internal static class Sessions
{
    private static readonly ConditionalWeakTable<Runspace, CmekSession> s_sessions = [];

    private static readonly ConditionalWeakTable<Runspace, object> s_ended = [];
    private static volatile bool s_chosen;

    /// <summary>Notes that somebody said where to connect.</summary>
    public static void Chosen() => s_chosen = true;

    /// <summary>
    /// True where a command may connect by itself: COCKROACH_API_KEY is set, nobody ended this runspace's connection, no sandbox runs
    /// here, and nobody in this process has said with Connect-CmekCloud where to go. A branch that has no connection must not go from a
    /// sandbox, another organization or another profile to wherever the variables lead; and those of a sandbox lead nowhere.
    /// </summary>
    public static async Task<bool> MayConnectAsync(PipelineCommand command)
    {
        if (string.IsNullOrWhiteSpace(Environment.GetEnvironmentVariable("COCKROACH_API_KEY"))
            || !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("GOOGLE_SANDBOX_ACCESS_TOKEN"))
            || s_chosen
            || Sandboxes.InPlay)
        {
            return false;
        }

        bool ended = false;
        await command.Pipeline.OnPipelineAsync(
            () => ended = s_ended.TryGetValue(Runspace.DefaultRunspace, out _)).ConfigureAwait(false);
        return !ended;
    }

    /// <summary>
    /// True where nothing in this process is connected and no sandbox runs here: what is known on this machine without any connection is
    /// then what is meant. A branch beside a connection would go by another organization's or profile's files.
    /// </summary>
    public static bool MayGoUnconnected => !Sandboxes.InPlay
        && !s_sessions.Any(s => s.Key.RunspaceStateInfo.State == RunspaceState.Opened);

    /// <summary>Ends this runspace's connection on purpose: no command connects by itself in it any more.</summary>
    public static void End()
    {
        Set(null);
        s_ended.AddOrUpdate(Runspace.DefaultRunspace, new object());
    }

    /// <summary>This runspace's connection, or null.</summary>
    public static CmekSession? Current => s_sessions.TryGetValue(Runspace.DefaultRunspace, out CmekSession? found) ? found : null;

    /// <summary>Makes a connection this runspace's, or takes it away (null).</summary>
    public static void Set(CmekSession? session)
    {
        s_sessions.Remove(Runspace.DefaultRunspace);
        if (session is not null)
        {
            s_sessions.Add(Runspace.DefaultRunspace, session);
        }
    }

    /// <summary>The engine's side of a connection.</summary>
    /// <exception cref="CmekException"><c>NotConnected</c>.</exception>
    public static SessionContext Require(CmekSession? given) => given?.Context as SessionContext ?? throw Connecting.NotConnected(
        "To try things out first: Connect-CmekCloud -Sandbox (Start-CmekSandbox).", WhyNot);

    // Why no command connects by itself although the key is there; null where it is not.
    private static string? WhyNot => string.IsNullOrWhiteSpace(Environment.GetEnvironmentVariable("COCKROACH_API_KEY")) ? null
        : Sandboxes.InPlay ? "COCKROACH_API_KEY is not used by itself while a sandbox runs in this process."
        : !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("GOOGLE_SANDBOX_ACCESS_TOKEN"))
            ? "COCKROACH_API_KEY is not used by itself beside the variables of a sandbox (GOOGLE_SANDBOX_ACCESS_TOKEN)."
        : s_chosen ? "COCKROACH_API_KEY is not used by itself once Connect-CmekCloud was called in this process."
        : "COCKROACH_API_KEY is not used by itself after Disconnect-CmekCloud.";
}
