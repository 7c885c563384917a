using System.Text.RegularExpressions;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Shipping;

/// <summary>
/// What about_CmekTools_Sandbox shows for other programs does what it says, each line as it stands there (but for the port).
/// </summary>
public sealed partial class SandboxPageTests
{
    private static readonly string[] s_blocks = [.. Blocks()
        .Matches(
            File.ReadAllText(
                Path.Combine(ExternalProgram.RepositoryRoot, "docs", "about", "about_CmekTools_Sandbox.md")).ReplaceLineEndings("\n"))
        .Select(m => m.Groups["code"].Value)];

    [Theory]
    [InlineData("aws kms", "\"Description\": \"orders\"")]
    [InlineData("curl -sS", "\"shop\"")]
    [InlineData("gcloud kms", "projects/customer-project/locations/us-east1/keyRings/orders")]
    [InlineData("terraform init", "Apply complete! Resources: 1 added, 0 changed, 0 destroyed.")]
    public async Task WhatIsShownForAProgramWorks(string command, string shown)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The page shows it in bash.");
        ExternalProgram.Need(command.Split(' ')[0]);
        using TempFolder folder = new();

        // As if PowerShell and the module were installed: a pwsh on PATH, and the built module where modules are looked for.
        folder.Write("pwsh", $"#!/bin/sh\nexec dotnet '{ExternalProgram.PowerShellProgram}' \"$@\"\n");
        string start = Assert.Single(s_blocks, b => b.StartsWith("pwsh ", StringComparison.Ordinal));
        string use = Assert.Single(s_blocks, b => b.Contains(command, StringComparison.Ordinal));
        string script = $"""
            set -eo pipefail
            cd '{folder.Path}'
            chmod u+x pwsh
            trap 'kill $(jobs -p)' EXIT
            {start.Replace("-Port 8080", "-Port 0", StringComparison.Ordinal)}
            {use}
            """;
        FinishedProgram run = await ExternalProgram.RunAsync("bash", ["-c", script],
        [
            ("PATH", folder.Path + Path.PathSeparator + Environment.GetEnvironmentVariable("PATH")),
            ("PSModulePath", Path.GetFullPath(Path.Combine(Path.GetDirectoryName(PowerShellSession.ModuleManifest)!, "..", ".."))),
            ("AWS_PAGER", string.Empty),
            ("CLOUDSDK_CONFIG", Path.Combine(folder.Path, "gcloud")),
            ("CLOUDSDK_CORE_DISABLE_PROMPTS", "1"),
            ("CLOUDSDK_CORE_CHECK_GCE_METADATA", "0"),
            ("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "1"),
            ("CHECKPOINT_DISABLE", "1"),
        ]);
        Assert.SkipWhen(
            run.Code != 0 && run.Errors.Contains("Failed to query available provider packages", StringComparison.Ordinal),
            "terraform cannot get the AWS provider here; TF_CLI_ARGS_init=-plugin-dir=FOLDER names a mirror.");
        Assert.Contains(shown, run.Expect().Output, StringComparison.Ordinal);
    }

    [GeneratedRegex("```bash\n(?<code>.*?)```", RegexOptions.Singleline)]
    private static partial Regex Blocks();
}
