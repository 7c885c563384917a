using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>
/// A -WhatIf run of each command that changes a cluster in use: nothing is sent, nothing is left on disk, and what it shows is what
/// is then sent.
/// </summary>
public sealed class WhatIfTests
{
    [Theory]
    [InlineData("AWS", "-AliasName", "eu-west-1", "-RoleName", "", "PutKeyPolicy")]
    [
        InlineData(
            "GCP",
            "-KeyRing",
            "europe-west1",
            "-ServiceAccount",
            "-DisablePrincipal",
            "cryptoKeys.setIamPolicy serviceAccounts.setIamPolicy"),
    ]
    public async Task NothingIsSentOrKeptAndWhatIsShownIsWhatIsSent(
        string provider,
        string name,
        string region,
        string principal,
        string more,
        string policies)
    {
        await using Life life = await Life.StartAsync(provider);
        await SameAsync(
            life,
            $"$global:next = New-CmekKey shop {name} second | Grant-CmekAccess",
            "$next | Update-CmekCluster -Wait",
            "UpdateCmek");
        await SameAsync(life, string.Empty, "Update-CmekCluster shop -Rewrap -RotateKey -Wait", "UpdateCmek");
        await SameAsync(
            life,
            $"$global:next = New-CmekKey shop -Region {region} -NewRegion | Grant-CmekAccess",
            "$next | Add-CmekRegion -NodeCount 3 -Wait",
            "UpdateCluster");
        await SameAsync(
            life,
            $"$global:spare = New-CmekKey shop -Region {life.Regions[1]} {name} spare",
            "$spare | Remove-CmekKey -Confirm:$false",
            string.Empty);
        await SameAsync(
            life,
            string.Empty,
            $"Revoke-CmekAccess shop -Force -Permanent -ConfirmClusterName shop {more}",
            policies + " UpdateCmekStatus");
        await SameAsync(life, string.Empty, "Restore-CmekAccess shop -Wait", policies);
        await SameAsync(
            life,
            "$null = Revoke-CmekAccess shop -Force",
            $"Restore-CmekAccess shop {principal} rescue -Wait",
            policies.Split(' ')[0] + " UpdateCmek");
        await SameAsync(life, string.Empty, "Disable-CmekCluster shop", "UpdateCmek");
    }

    private static async Task SameAsync(Life life, string before, string command, string operations)
    {
        string[] compared = operations.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Dictionary<string, string[]> bindings = [];
        await life.RunAsync($"$WarningPreference = 'SilentlyContinue'; {before}");
        string[] files = life.Files();
        await life.RunAsync($"$WarningPreference = 'SilentlyContinue'; {command} -WhatIf");
        string shown = life.Shell.Shell.Host.TakeText();
        Assert.True(life.Writes.Length == 0, $"{command} -WhatIf sent {string.Join(", ", life.Writes)}");
        Assert.Empty(life.Shell.Shell.Host.Questions);
        Assert.Equal(files, life.Files());
        string[] sections = shown.Split("What if: ", StringSplitOptions.RemoveEmptyEntries);
        Assert.True(shown.StartsWith("What if: ", StringComparison.Ordinal), shown);

        life.Server.Before = request =>
        {
            if (request.Operation.EndsWith("setIamPolicy", StringComparison.Ordinal))
            {
                bindings.TryAdd(Resource(request), Bindings(life.Google.Google.Policies.Get(Resource(request))));
            }

            return Task.FromResult<SandboxResponse?>(null);
        };
        await life.RunAsync($"$WarningPreference = 'SilentlyContinue'; {command}");
        life.Server.Before = null;
        SandboxExchange[] sent = [.. life.Shell.Writes.Where(e => compared.Contains(e.Request.Operation)).OrderBy(e => e.Request.Number)];
        Assert.NotEmpty(life.Writes);
        Assert.True(compared.All(o => sent.Any(e => e.Request.Operation == o)), $"{command} sent {string.Join(", ", life.Writes)}");
        foreach (SandboxRequest request in sent.Select(e => e.Request))
        {
            switch (request.Service)
            {
                case "cloud":
                    Assert.Contains(JsonNode.Parse(request.Text)!.ToJsonString(), sections.Select(Body));
                    break;
                case "kms":
                    JsonNode body = JsonNode.Parse(request.Text)!;
                    Assert.Contains(
                        JsonNode.Parse((string)body["Policy"]!)!.ToJsonString(),
                        sections.Where(s => s.StartsWith((string)body["KeyId"]!, StringComparison.Ordinal)).Select(After));
                    break;
                default:
                    string resource = Resource(request);
                    string name = request.Service == "gcp-iam" ? resource[(resource.LastIndexOf('/') + 1)..] : resource;
                    Assert.Contains(
                        string.Join('\n', Bindings(JsonNode.Parse(request.Text)!["policy"]!.AsObject())),
                        sections.Where(
                            s => s.StartsWith(name + ":", StringComparison.Ordinal)).Select(
                                s => string.Join('\n', Changed(bindings[resource], s))));
                    break;
            }
        }
    }

    // An account may be named under "-" in place of its project.
    private static string Resource(SandboxRequest request) =>
        Uri.UnescapeDataString(request.RawPath)["/v1/".Length..^":setIamPolicy".Length].Replace(
            "projects/-/",
            "projects/" + GcpWire.Project + "/",
            StringComparison.Ordinal);

    private static string[] Bindings(JsonObject policy) =>
        [.. (policy["bindings"]?.AsArray() ?? []).Select(b => b!.ToJsonString()).Order(StringComparer.Ordinal)];

    // The JSON body that a section shows, or nothing.
    private static string? Body(string section)
    {
        int start = section.IndexOf('{', StringComparison.Ordinal);
        return start < 0 || section[start..].Contains("\n+ ", StringComparison.Ordinal)
            || section[start..].Contains("\n- ", StringComparison.Ordinal)
            ? null
            : JsonNode.Parse(section[start..(section.LastIndexOf('}') + 1)])!.ToJsonString();
    }

    // The document that a diff ends in: its common and its added lines.
    private static string? After(string section)
    {
        string[] lines = section.Split('\n')[1..];
        string after = string.Join(
            '\n',
            lines.Where(
                l => l.StartsWith("  ", StringComparison.Ordinal) || l.StartsWith("+ ", StringComparison.Ordinal)).Select(l => l[2..]));
        return after.Length == 0 ? null : JsonNode.Parse(after)!.ToJsonString();
    }

    // The bindings that a difference makes of those that were there.
    private static string[] Changed(string[] bindings, string section)
    {
        HashSet<string> now = [.. bindings];
        foreach (string line in section.Split('\n')[1..])
        {
            if (line.StartsWith("- {", StringComparison.Ordinal))
            {
                Assert.True(now.Remove(JsonNode.Parse(line[2..])!.ToJsonString()), $"{line} was not there");
            }
            else if (line.StartsWith("+ {", StringComparison.Ordinal))
            {
                now.Add(JsonNode.Parse(line[2..])!.ToJsonString());
            }
        }

        return [.. now.Order(StringComparer.Ordinal)];
    }

    [Theory]
    [InlineData("AWS", "-RoleName second-role")]
    [InlineData("GCP", "-ServiceAccount second-account")]
    public async Task ThePlanForAKeyThatIsNotMadeYetNamesWhomTheRunWouldLetIn(string provider, string moved)
    {
        await using Life life = await Life.StartAsync(provider);
        await life.RunAsync($"""
            $WarningPreference = 'SilentlyContinue'
            Revoke-CmekAccess shop -KeyOnly -Force
            Restore-CmekAccess shop {moved} -Wait
            """);
        string region = life.Regions[0];
        CmekAccess planned = Assert.Single(
            (await life.RunAsync($"New-CmekKey shop -Region {region} -NewGeneration -WhatIf | Grant-CmekAccess -WhatIf"))
                .Values<CmekAccess>());
        CmekAccess made = Assert.Single(
            (await life.RunAsync($"New-CmekKey shop -Region {region} -NewGeneration | Grant-CmekAccess")).Values<CmekAccess>());
        Assert.Contains("second", made.AuthPrincipal!, StringComparison.Ordinal);
        Assert.Equal((made.AuthPrincipal, true), (planned.AuthPrincipal, planned.Planned));

        // Whom the run refuses, the plan refuses.
        string burnt = life.IsAws ? "-RoleName" : "-ServiceAccount";
        string[] all = [.. (await life.StatusAsync()).Regions[0].Keys.Select(k => k.AuthPrincipal).OfType<string>()];
        string old = all.First(p => !p.Contains("second", StringComparison.Ordinal));
        string name = life.IsAws ? old[(old.LastIndexOf('/') + 1)..] : old;
        (await life.TryAsync($"New-CmekKey shop -Region {region} -NewGeneration -WhatIf | Grant-CmekAccess {burnt} {name} -WhatIf"))
            .ExpectError("AccessRevoked,");
    }
}
