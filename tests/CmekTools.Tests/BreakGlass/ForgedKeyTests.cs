using System.Text.Json.Nodes;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>A file that anybody may have written is good for a cut, which a restore undoes, and for no deletion.</summary>
public sealed class ForgedKeyTests
{
    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task NoDeletionIsScheduledOfAKeyThatOnlyAFileWithoutASealNames(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string[] own = [.. (await life.StatusAsync()).Regions.Select(r => r.KeyUri!)];
        string name = life.IsAws ? "-AliasName billing" : "-KeyName billing";
        string foreign = (
            await life.RunAsync($"New-CmekKey shop -Region {life.Regions[0]} {name}")).Values<CmekKey>()[0].KeyUri!;

        // Whoever may write in the state folder puts a key of somebody else's beside those that were seen.
        string inventory = Assert.Single(Directory.GetFiles(Path.Combine(life.Shell.StateFolder, "inventory"), "*.json"));
        JsonObject json = JsonNode.Parse(File.ReadAllText(inventory))!.AsObject();
        json.Remove("seal");
        JsonObject key = json["keys"]![0]!.DeepClone().AsObject();
        key["key_uri"] = foreign;
        json["keys"]!.AsArray().Add(key);
        File.WriteAllText(inventory, json.ToJsonString());

        PowerShellResult result = await life.TryAsync("Revoke-CmekAccess shop -Permanent -Force -ConfirmClusterName shop");
        Assert.Contains(foreign, result.ExpectError("KeyUnproven,").Exception.Message, StringComparison.Ordinal);
        CmekStep[] steps = [.. result.Values<CmekStep>()];
        Assert.Contains(steps, s => s is { Step: "Proof", CutState: CmekCutState.Cut } && s.KeyUri == foreign);
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(foreign));
        foreach (string uri in own)
        {
            Assert.Equal(CmekKeyState.PendingDeletion, await life.KeyStateAsync(uri));
        }
    }
}
