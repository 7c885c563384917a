using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>
/// A process that stops between any two requests, and the command run again, ends where an unbroken run ends. The cut is made in the
/// sandbox: a request is held for ever, before it takes effect or after; the state folder is copied as it lies on disk at that moment
/// (that is what a killed process leaves), and a fresh session with the copy runs the command again.
/// </summary>
public sealed class InterruptionTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    public static TheoryData<string, string, string> Commands => new()
    {
        { "AWS", string.Empty, "Revoke-CmekAccess shop -Force" },
        { "AWS", "$null = Revoke-CmekAccess shop -Force", "Restore-CmekAccess shop -Wait" },
        { "AWS", "$global:more = New-CmekKey shop -AliasName "
            + "second | Grant-CmekAccess", "Import-CmekManifest $manifest shop | Update-CmekCluster -Wait" },
        { "AWS", string.Empty, "Update-CmekCluster shop -Rewrap -RotateKey -Wait" },
        { "AWS", string.Empty, "Disable-CmekCluster shop" },
        { "GCP", string.Empty, "Revoke-CmekAccess shop -Force -DisablePrincipal" },
        { "GCP", "$null = Revoke-CmekAccess shop -Force -DisablePrincipal", "Restore-CmekAccess shop -Wait" },
        { "GCP", "$global:more = New-CmekKey shop -KeyRing "
            + "second | Grant-CmekAccess", "Import-CmekManifest $manifest shop | Update-CmekCluster -Wait" },
        { "GCP", string.Empty, "Update-CmekCluster shop -Rewrap -RotateKey -Wait" },
        { "GCP", string.Empty, "Disable-CmekCluster shop" },
    };

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task RunAgainAfterAStopAtAnyRequestEndsAsAnUnbrokenRun(string provider, string before, string command)
    {
        SandboxOptions options = SandboxShell.Fast with
        {
            StateTime = TimeSpan.FromMilliseconds(30),
            Clusters = [new SandboxClusterOptions("shop", provider, provider == "AWS" ? ["us-east-1"] : ["us-central1"])],
        };
        (string wanted, bool[] writes) = await UnbrokenAsync(options, before, command);
        Assert.Contains(true, writes);
        for (int n = 0; n < writes.Length; n++)
        {
            // A stop before a read that follows a read leaves what the one before it left.
            if (writes[n] || n == 0 || writes[n - 1])
            {
                Same(wanted, await BrokenAsync(options, before, command, n, afterEffect: false), $"a stop before request {n}");
            }

            if (writes[n])
            {
                Same(wanted, await BrokenAsync(options, before, command, n, afterEffect: true), $"a stop after request {n} took effect");
            }
        }
    }

    private static void Same(string wanted, string actual, string when) =>
        Assert.True(wanted == actual, $"After {when} the world is\n{actual}\nand should be\n{wanted}");

    private static async Task<SandboxShell> PrepareAsync(SandboxOptions options, string before, string manifest)
    {
        SandboxShell shell = await SandboxShell.StartAsync(options);
        await shell.EnableAllAsync();
        (
            await shell.RunAsync(
                $"param($Manifest) $WarningPreference = 'SilentlyContinue'; {before}; if ($more) {{ $null = $more | "
                    + "Export-CmekManifest -Path $Manifest }",
                new { Manifest = manifest })).Expect();
        shell.Server.ClearExchanges();
        return shell;
    }

    private static string Script(string command) => $"param($Manifest) $WarningPreference = 'SilentlyContinue'; {command}";

    private static async Task<(string World, bool[] Writes)> UnbrokenAsync(SandboxOptions options, string before, string command)
    {
        string manifest = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString("N") + ".json");
        try
        {
            await using SandboxShell shell = await PrepareAsync(options, before, manifest);
            (await shell.RunAsync(Script(command), new { Manifest = manifest })).Expect();
            bool[] writes = [.. shell.Server.Exchanges.OrderBy(e => e.Request.Number).Select(e => e.Request.IsWrite)];
            return (await World.ReadAsync(shell.Server), writes);
        }
        finally
        {
            File.Delete(manifest);
        }
    }

    private static async Task<string> BrokenAsync(SandboxOptions options, string before, string command, int request, bool afterEffect)
    {
        string manifest = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString("N") + ".json");
        try
        {
            await using SandboxShell shell = await PrepareAsync(options, before, manifest);
            TaskCompletionSource held = new(TaskCreationOptions.RunContinuationsAsynchronously);
            TaskCompletionSource never = new(TaskCreationOptions.RunContinuationsAsynchronously);
            int count = -1;
            int chosen = 0;
            shell.Server.Before = async r =>
            {
                if (Interlocked.Increment(ref count) == request)
                {
                    chosen = r.Number;
                    if (!afterEffect)
                    {
                        held.TrySetResult();
                        await never.Task;
                    }
                }

                return null;
            };
            shell.Server.After = async (r, _) =>
            {
                if (afterEffect && r.Number == chosen)
                {
                    held.TrySetResult();
                    await never.Task;
                }

                return null;
            };
            RunningScript run = shell.Shell.Start(Script(command), new { Manifest = manifest });

            // A run that waits may need one look fewer than the unbroken one did.
            if (await Task.WhenAny(held.Task, run.Completion).WaitAsync(s_patience, TestContext.Current.CancellationToken) == held.Task)
            {
                string copy = Copy(shell.StateFolder);
                await run.StopAsync();
                shell.Server.Before = null;
                shell.Server.After = null;
                await using SandboxShell again = await SandboxShell.StartAsync(server: shell.Server, stateFolder: copy);
                (await again.RunAsync(Script(command), new { Manifest = manifest })).Expect();
            }

            return await World.ReadAsync(shell.Server);
        }
        finally
        {
            File.Delete(manifest);
        }
    }

    /// <summary>Copies a folder in which the run may still write: the other keys' work is not held.</summary>
    private static string Copy(string from)
    {
        for (int n = 0; ; n++)
        {
            string to = $"{from}-copy{n}";
            Directory.CreateDirectory(to);
            try
            {
                // A lock says who is writing at this moment; with the process it is gone.
                foreach (
                    string file in Directory.GetFiles(from, "*", SearchOption.AllDirectories).Where(f => Path.GetExtension(f) != ".lock"))
                {
                    string target = Path.Combine(to, Path.GetRelativePath(from, file));
                    Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                    File.Copy(file, target);
                }

                return to;
            }
            catch (FileNotFoundException) when (n < 100)
            {
                // What was listed has been renamed into its place since: no moment of the disk looked like this copy.
            }
        }
    }
}
