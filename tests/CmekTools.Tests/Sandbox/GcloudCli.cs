using System.Text.Json.Nodes;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>Google's own client, with a configuration folder of one test's own.</summary>
internal sealed class GcloudCli : IDisposable
{
    private readonly GcpWire _wire;

    public GcloudCli(GcpWire wire)
    {
        ExternalProgram.Need("gcloud");
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

    private async Task<(int Code, string Output, string Errors)> StartAsync(string[] arguments)
    {
        FinishedProgram run = await ExternalProgram.RunAsync("gcloud", [.. arguments, "--format=json"],
        [
            .. _wire.Server.Environment.Select(v => (v.Key, (string?)v.Value)),

            // One for each call: two at once would quarrel over the first file in it.
            ("CLOUDSDK_CONFIG", Path.Combine(Folder, Guid.NewGuid().ToString("N"))),
            ("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", Path.Combine(Folder, "token")),
            ("CLOUDSDK_CORE_DISABLE_PROMPTS", "1"),
            ("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "1"),
            ("CLOUDSDK_CORE_CHECK_GCE_METADATA", "0"),
            ("CLOUDSDK_CORE_DISABLE_FILE_LOGGING", "1"),
            ("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "1"),
        ]);
        return (run.Code, run.Output, run.Errors);
    }
}
