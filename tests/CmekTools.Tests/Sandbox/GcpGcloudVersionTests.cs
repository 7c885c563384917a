using System.Text.Json.Nodes;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>gcloud works with a key's versions in the sandbox.</summary>
public sealed class GcpGcloudVersionTests
{
    private const string Of = " --location=us-east1 --keyring=ring --key=key";

    [Fact]
    public async Task ItTakesAVersionThroughItsStates()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        using GcloudCli gcloud = new(wire);
        Assert.Equal("DISABLED", (string?)(await gcloud.RunAsync("kms keys versions disable 1" + Of))!["state"]);
        Assert.Equal("ENABLED", (string?)(await gcloud.RunAsync("kms keys versions enable 1" + Of))!["state"]);
        Assert.Equal("DESTROY_SCHEDULED", (string?)(await gcloud.RunAsync("kms keys versions destroy 1" + Of))!["state"]);
        JsonNode listed = Assert.Single((await gcloud.RunAsync("kms keys versions list" + Of))!.AsArray())!;
        Assert.NotNull(listed["destroyTime"]);
        Assert.Equal("DISABLED", (string?)(await gcloud.RunAsync("kms keys versions restore 1" + Of))!["state"]);
    }

    [Fact]
    public async Task ItEncryptsAFileAndTheServiceAccountGetsItBack()
    {
        await using GcpWire wire = await GcpWire.WithAccountAsync();
        await wire.BindAsync(GcpWire.Account, "roles/iam.serviceAccountTokenCreator", "user:admin@example.com");
        await wire.BindAsync(GcpWire.Key, "roles/cloudkms.cryptoKeyDecrypter", GcpWire.Member);
        using GcloudCli gcloud = new(wire);
        (string plain, string blob, string back) = (
            Path.Combine(gcloud.Folder, "plain"),
            Path.Combine(gcloud.Folder, "blob"),
            Path.Combine(gcloud.Folder, "back"));
        await File.WriteAllTextAsync(plain, "a store key", TestContext.Current.CancellationToken);
        await gcloud.RunAsync("kms encrypt" + Of, "--plaintext-file=" + plain, "--ciphertext-file=" + blob);
        Assert.DoesNotContain(
            "a store key",
            await File.ReadAllTextAsync(blob, TestContext.Current.CancellationToken),
            StringComparison.Ordinal);
        await gcloud.RunAsync(
            "kms decrypt" + Of,
            "--plaintext-file=" + back,
            "--ciphertext-file=" + blob,
            "--impersonate-service-account=" + GcpWire.Email);
        Assert.Equal(
            "serviceAccount:" + GcpWire.Email,
            Assert.Single(wire.Server.Exchanges, e => e.Request.Operation == "cryptoKeys.decrypt").Request.Caller);
        Assert.Equal("a store key", await File.ReadAllTextAsync(back, TestContext.Current.CancellationToken));
    }
}
