using System.Text.Json.Nodes;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>gcloud reads, changes and writes policies and service accounts in the sandbox.</summary>
public sealed class GcpGcloudPolicyTests
{
    private const string Crypter = "roles/cloudkms.cryptoKeyEncrypterDecrypter";
    private const string Condition = "request.time < timestamp(\"2099-01-01T00:00:00Z\")";

    [Fact]
    public async Task ItAddsAndRemovesABindingOnAKeyARingAndAnAccount()
    {
        await using GcpWire wire = await GcpWire.WithAccountAsync();
        using GcloudCli gcloud = new(wire);
        await Task.WhenAll(
            AddAndRemoveAsync(gcloud, "kms keys", "key --location=us-east1 --keyring=ring", Crypter, Condition),
            AddAndRemoveAsync(gcloud, "kms keyrings", "ring --location=us-east1", Crypter),
            AddAndRemoveAsync(gcloud, "iam service-accounts", GcpWire.Email, "roles/iam.serviceAccountTokenCreator"));
    }

    private static async Task AddAndRemoveAsync(GcloudCli gcloud, string group, string resource, string role, string? condition = null)
    {
        string rest = $"{resource} --role={role} --member={GcpWire.Member}";
        string[] limit = condition is null ? [] : ["--condition=title=limit,expression=" + condition];
        JsonNode added = (await gcloud.RunAsync($"{group} add-iam-policy-binding {rest}", limit))!;
        JsonNode binding = Assert.Single(added["bindings"]!.AsArray())!;
        Assert.Equal(role, (string?)binding["role"]);
        Assert.Equal(GcpWire.Member, (string?)binding["members"]![0]);
        Assert.Equal(condition, (string?)binding["condition"]?["expression"]);
        Assert.Equal(condition is null ? 1 : 3, (int)added["version"]!);
        JsonNode removed = (await gcloud.RunAsync($"{group} remove-iam-policy-binding {rest}", limit))!;
        Assert.Null(removed["bindings"]);
        Assert.NotEqual((string?)added["etag"], (string?)removed["etag"]);
    }
}
