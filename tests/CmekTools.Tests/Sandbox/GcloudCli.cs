using System.Diagnostics;
using System.Text.Json.Nodes;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>Google's own client, with a configuration folder of one test's own.</summary>
internal sealed class GcloudCli : IDisposable
{
    private readonly GcpWire _wire;

    public GcloudCli(GcpWire wire)
    {
        if (!OnPath())
        {
            Assert.Skip("gcloud is not on PATH.");
        }

        _wire = wire;
        Folder = Directory.CreateTempSubdirectory("cmek-gcloud-").FullName;
        File.WriteAllText(Path.Combine(Folder, "token"), wire.AdminToken);
    }

    /// <summary>For the files of a test; gone with it.</summary>
    public string Folder { get; }

    /// <summary>Runs it; the answer where it is JSON, else null.</summary>
    public async Task<JsonNode?> RunAsync(string command, params string[] more)
    {
        (int code, string output, string errors) = await StartAsync([.. command.Split(' '), .. more]);
        Assert.True(code == 0, $"gcloud {command}: {errors}");
        return output.Trim() is { Length: > 0 } text ? JsonNode.Parse(text) : null;
    }

    /// <summary>Runs what has to fail; its words.</summary>
    public async Task<string> FailAsync(string command, params string[] more)
    {
        (int code, string _, string errors) = await StartAsync([.. command.Split(' '), .. more]);
        Assert.NotEqual(0, code);
        return errors;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    private static bool OnPath() => (Environment.GetEnvironmentVariable("PATH") ?? string.Empty)
        .Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, "gcloud")));

    private async Task<(int Code, string Output, string Errors)> StartAsync(string[] arguments)
    {
        ProcessStartInfo start = new("gcloud", [.. arguments, "--format=json"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in _wire.Server.Environment)
        {
            start.Environment[name] = value;
        }

        // One for each call: two at once would quarrel over the first file in it.
        start.Environment["CLOUDSDK_CONFIG"] = Path.Combine(Folder, Guid.NewGuid().ToString("N"));
        start.Environment["CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"] = Path.Combine(Folder, "token");
        start.Environment["CLOUDSDK_CORE_DISABLE_PROMPTS"] = "1";
        start.Environment["CLOUDSDK_CORE_DISABLE_USAGE_REPORTING"] = "1";
        start.Environment["CLOUDSDK_CORE_CHECK_GCE_METADATA"] = "0";
        start.Environment["CLOUDSDK_CORE_DISABLE_FILE_LOGGING"] = "1";
        start.Environment["CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK"] = "1";
        using Process process = Process.Start(start)!;
        try
        {
            Task<string> errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            return (process.ExitCode, output, await errors);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }
}
