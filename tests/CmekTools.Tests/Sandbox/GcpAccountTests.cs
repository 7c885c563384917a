using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Gcp;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>The sandbox's service accounts, and a cluster that uses one.</summary>
public sealed class GcpAccountTests
{
    private const string Crypter = "roles/cloudkms.cryptoKeyEncrypterDecrypter";
    private const string TokenCreator = "roles/iam.serviceAccountTokenCreator";
    private const string Own = "serviceAccount:crl-kms-user-abcdef012345@crl-prod-abc.iam.gserviceaccount.com";
    private static readonly ClusterIdentity s_cluster = new("3b1f0a52-7c0d-4e6e-9a54-abcdef012345", "crl-prod-abc", "org");

    [Fact]
    public async Task AnAccountIsFoundByEitherName()
    {
        await using GcpWire wire = GcpWire.Start();
        JsonObject account = await wire.CreateAccountAsync();
        Assert.Equal(GcpWire.Email, (string?)account["email"]);
        await wire.FailAsync(
            409,
            "ALREADY_EXISTS",
            "POST",
            $"projects/{GcpWire.Project}/serviceAccounts",
            new JsonObject { ["accountId"] = "cmek-user" });
        await wire.FailAsync(
            400,
            "INVALID_ARGUMENT",
            "POST",
            $"projects/{GcpWire.Project}/serviceAccounts",
            new JsonObject { ["accountId"] = "short" });
        await wire.OkAsync("GET", $"projects/-/serviceAccounts/{account["uniqueId"]}");
        await wire.OkAsync("GET", $"projects/{GcpWire.Project}/serviceAccounts/{Uri.EscapeDataString(GcpWire.Email)}");
        await wire.FailAsync(404, "NOT_FOUND", "GET", $"projects/elsewhere/serviceAccounts/{GcpWire.Email}");
        Assert.Single((await wire.OkAsync("GET", $"projects/{GcpWire.Project}/serviceAccounts"))["accounts"]!.AsArray());
    }

    [Fact]
    public async Task ADeletedMemberStaysByNameAndItsSuccessorIsAnother()
    {
        await using GcpWire wire = await GcpWire.WithAccountAsync();
        string first = (string)(await wire.OkAsync("GET", GcpWire.Account))["uniqueId"]!;
        await wire.BindAsync(GcpWire.Key, Crypter, GcpWire.Member);
        await wire.BindAsync(GcpWire.Account, TokenCreator, Own);
        await wire.OkAsync("DELETE", GcpWire.Account);
        await wire.FailAsync(404, "NOT_FOUND", "GET", GcpWire.Account);
        string left = $"deleted:serviceAccount:{GcpWire.Email}?uid={first}";
        Assert.Equal(left, await MemberAsync(wire));
        string second = (string)(await wire.CreateAccountAsync())["uniqueId"]!;
        Assert.NotEqual(first, second);
        Assert.Equal(left, await MemberAsync(wire));
        Assert.Null((await wire.OkAsync("POST", GcpWire.Account + ":getIamPolicy", []))["bindings"]);
        Assert.NotNull(wire.Google.TryUse(s_cluster, GcpWire.Key, GcpWire.Email));
        await wire.FailAsync(400, "FAILED_PRECONDITION", "POST", $"projects/-/serviceAccounts/{first}:undelete", []);
    }

    [Fact]
    public async Task AnUndeletedAccountHasItsGrantsAgain()
    {
        await using GcpWire wire = await GcpWire.WithAccountAsync();
        string id = (string)(await wire.OkAsync("GET", GcpWire.Account))["uniqueId"]!;
        await wire.BindAsync(GcpWire.Key, Crypter, GcpWire.Member);
        await wire.BindAsync(GcpWire.Account, TokenCreator, Own);
        await wire.OkAsync("DELETE", GcpWire.Account);
        Assert.NotNull(wire.Google.TryUse(s_cluster, GcpWire.Key, GcpWire.Email));
        await wire.OkAsync("POST", $"projects/-/serviceAccounts/{id}:undelete", []);
        Assert.Equal(GcpWire.Member, await MemberAsync(wire));
        Assert.Null(wire.Google.TryUse(s_cluster, GcpWire.Key, GcpWire.Email));
    }

    [Fact]
    public async Task ATokenIsGivenToTheTokenCreatorAndWorksForTheAccount()
    {
        await using GcpWire wire = await GcpWire.WithAccountAsync();
        await wire.BindAsync(GcpWire.Key, Crypter, GcpWire.Member);
        string own = wire.Google.Tokens.Add(Own);
        string path = $"projects/-/serviceAccounts/{GcpWire.Email}:generateAccessToken";
        JsonObject body = new() { ["scope"] = new JsonArray("https://www.googleapis.com/auth/cloudkms") };
        Assert.Contains(
            "iam.serviceAccounts.getAccessToken",
            await wire.FailAsync(403, "PERMISSION_DENIED", "POST", path, body, own),
            StringComparison.Ordinal);
        await wire.BindAsync(GcpWire.Account, TokenCreator, Own);
        string token = (string)(await wire.OkAsync("POST", path, body, own))["accessToken"]!;
        await wire.OkAsync("POST", GcpWire.Key + ":encrypt", new JsonObject { ["plaintext"] = "AA==" }, token);
        Assert.Equal("serviceAccount:" + GcpWire.Email, wire.Server.Exchanges[^1].Request.Caller);
        await wire.OkAsync("POST", GcpWire.Account + ":disable", []);
        Assert.Contains("disabled", await wire.FailAsync(400, "FAILED_PRECONDITION", "POST", path, body, own), StringComparison.Ordinal);
        await wire.FailAsync(401, "UNAUTHENTICATED", "POST", GcpWire.Key + ":encrypt", new JsonObject { ["plaintext"] = "AA==" }, token);
        await wire.OkAsync("POST", GcpWire.Account + ":enable", []);
        await wire.OkAsync("POST", path, body, own);
    }

    [Fact]
    public async Task AClusterUsesTheKeyOnceEveryLinkHolds()
    {
        await using GcpWire wire = await GcpWire.WithAccountAsync();
        GcpService google = wire.Google;
        Assert.Contains("iam.serviceAccounts.getAccessToken", Use(), StringComparison.Ordinal);
        await wire.BindAsync(GcpWire.Account, TokenCreator, Own);
        Assert.Contains("useToEncrypt", Use(), StringComparison.Ordinal);
        await wire.BindAsync(GcpWire.Key, "roles/cloudkms.cryptoKeyEncrypter", GcpWire.Member);
        Assert.Contains("useToDecrypt", Use(), StringComparison.Ordinal);
        await wire.BindAsync(GcpWire.Key, Crypter, GcpWire.Member);
        Assert.Null(Use());
        await wire.OkAsync("POST", GcpWire.Account + ":disable", []);
        Assert.Contains("disabled", Use(), StringComparison.Ordinal);
        await wire.OkAsync("POST", GcpWire.Account + ":enable", []);
        await wire.OkAsync("PATCH", GcpWire.Key + "/cryptoKeyVersions/1?updateMask=state", new JsonObject { ["state"] = "DISABLED" });
        Assert.Contains("not enabled", Use(), StringComparison.Ordinal);
        Assert.NotNull(google.TryUse(s_cluster, "no key", GcpWire.Email));
        Assert.NotNull(google.TryUse(s_cluster, GcpWire.Ring + "/cryptoKeys/none", GcpWire.Email));

        string? Use() => wire.Server.Exclusively(() => google.TryUse(s_cluster, GcpWire.Key, GcpWire.Email));
    }

    private static async Task<string?> MemberAsync(GcpWire wire) =>
        (string?)(await wire.OkAsync("GET", GcpWire.Key + ":getIamPolicy"))["bindings"]![0]!["members"]![0];

    [Fact]
    public async Task ATokenOfADeletedAccountDoesNotSpeakForItsSuccessor()
    {
        await using GcpWire wire = await GcpWire.WithAccountAsync();
        string token = wire.Google.Tokens.Add(GcpWire.Member);
        JsonObject body = new() { ["plaintext"] = "AA==" };
        await wire.BindAsync(GcpWire.Key, Crypter, GcpWire.Member);
        await wire.OkAsync("POST", GcpWire.Key + ":encrypt", body, token);
        await wire.OkAsync("DELETE", GcpWire.Account);
        await wire.CreateAccountAsync();
        await wire.BindAsync(GcpWire.Key, Crypter, GcpWire.Member);
        await wire.FailAsync(401, "UNAUTHENTICATED", "POST", GcpWire.Key + ":encrypt", body, token);
    }
}
