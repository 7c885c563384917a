using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using CmekTools.Sandbox.Gcp;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>The sandbox's Cloud KMS on the wire: rings, keys, versions and real cryptography.</summary>
public sealed class GcpKeyTests
{
    [Fact]
    public void TheChecksumIsCastagnolis() => Assert.Equal(0xE3069283, Crc32C.Of(Encoding.ASCII.GetBytes("123456789")));

    [Theory]
    [InlineData("")]
    [InlineData("ya29.nobody")]
    public async Task WhoIsNotKnownIsTurnedAway(string token)
    {
        await using GcpWire wire = GcpWire.Start();
        await wire.FailAsync(401, "UNAUTHENTICATED", "GET", $"projects/{GcpWire.Project}/locations/us-east1/keyRings", token: token);
    }

    [Fact]
    public async Task RingsAreMadeOnceAndListedInPages()
    {
        await using GcpWire wire = GcpWire.Start();
        string rings = $"projects/{GcpWire.Project}/locations/us-east1/keyRings";
        foreach (string id in (string[])["a", "b", "c"])
        {
            Assert.Equal(
                $"{rings}/{id}",
                (string?)(await wire.OkAsync("POST", $"{rings}?keyRingId={id}&alt=json&%24alt=json", []))["name"]);
        }

        Assert.Contains(
            "already exists",
            await wire.FailAsync(409, "ALREADY_EXISTS", "POST", rings + "?keyRingId=a", []),
            StringComparison.Ordinal);
        JsonObject first = await wire.OkAsync("GET", rings + "?pageSize=2");
        JsonObject second = await wire.OkAsync("GET", $"{rings}?pageSize=2&pageToken={first["nextPageToken"]}");
        Assert.Equal(
            ["a", "b", "c"],
            Enumerable.Concat(
                first["keyRings"]!.AsArray(),
                second["keyRings"]!.AsArray()).Select(r => ((string)r!["name"]!).Split('/')[^1]));
        Assert.Null(second["nextPageToken"]);
        await wire.FailAsync(400, "INVALID_ARGUMENT", "POST", rings + "?keyRingId=with.dot", []);
        await wire.FailAsync(404, "NOT_FOUND", "GET", rings + "/none");
        Assert.Contains(
            "location 'us-moon1'",
            await wire.FailAsync(404, "NOT_FOUND", "GET", $"projects/{GcpWire.Project}/locations/us-moon1/keyRings"),
            StringComparison.Ordinal);
        Assert.Equal("keyRings.create", wire.Server.Exchanges[0].Request.Operation);
        Assert.True(wire.Server.Exchanges[0].Request.IsWrite);
    }

    [Fact]
    public async Task AKeysRotationIsCheckedAndChanged()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        JsonObject fields = new()
        {
            ["purpose"] = "ENCRYPT_DECRYPT",
            ["rotationPeriod"] = "86399s",
            ["nextRotationTime"] = "2030-01-01T00:00:00Z",
        };
        await wire.FailAsync(400, "INVALID_ARGUMENT", "POST", GcpWire.Ring + "/cryptoKeys?cryptoKeyId=quick", fields);
        fields["rotationPeriod"] = "7776000s";
        fields["labels"] = new JsonObject { ["team"] = "storage" };
        JsonObject key = await wire.OkAsync("POST", GcpWire.Ring + "/cryptoKeys?cryptoKeyId=turning", fields);
        Assert.Equal("7776000s", (string?)key["rotationPeriod"]);
        Assert.Equal("ENABLED", (string?)key["primary"]!["state"]);
        Assert.Equal("GOOGLE_SYMMETRIC_ENCRYPTION", (string?)key["versionTemplate"]!["algorithm"]);
        key = await wire.OkAsync("PATCH", GcpWire.Ring + "/cryptoKeys/turning?updateMask=rotationPeriod,nextRotationTime", []);
        Assert.Null(key["rotationPeriod"]);
        Assert.Equal("storage", (string?)key["labels"]!["team"]);
        await wire.FailAsync(400, "INVALID_ARGUMENT", "PATCH", GcpWire.Ring + "/cryptoKeys/turning?updateMask=purpose", []);
        await wire.FailAsync(
            400,
            "INVALID_ARGUMENT",
            "POST",
            GcpWire.Ring + "/cryptoKeys?cryptoKeyId=odd",
            new JsonObject { ["purpose"] = "GUESS" });
        await wire.FailAsync(409, "ALREADY_EXISTS", "POST", GcpWire.Ring + "/cryptoKeys?cryptoKeyId=key", fields);
        JsonObject sign = await wire.OkAsync("POST", GcpWire.Ring + "/cryptoKeys?cryptoKeyId=sign", new JsonObject
        {
            ["purpose"] = "ASYMMETRIC_SIGN",
            ["versionTemplate"] = new JsonObject { ["algorithm"] = "EC_SIGN_P256_SHA256", ["protectionLevel"] = "HSM" },
        });
        Assert.Null(sign["primary"]);
        await wire.FailAsync(
            400,
            "FAILED_PRECONDITION",
            "POST",
            GcpWire.Ring + "/cryptoKeys/sign:encrypt",
            new JsonObject { ["plaintext"] = "AA==" });
    }

    [Fact]
    public async Task AVersionLivesAndIsScheduledForDestruction()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        string versions = GcpWire.Key + "/cryptoKeyVersions";
        Assert.Equal(versions + "/2", (string?)(await wire.OkAsync("POST", versions, []))["name"]);
        await wire.OkAsync("POST", GcpWire.Key + ":updatePrimaryVersion", new JsonObject { ["cryptoKeyVersionId"] = "2" });
        Assert.Equal(versions + "/2", (string?)(await wire.OkAsync("GET", GcpWire.Key))["primary"]!["name"]);
        await wire.FailAsync(400, "INVALID_ARGUMENT", "PATCH", versions + "/1", new JsonObject { ["state"] = "DISABLED" });
        Assert.Equal(
            "DISABLED",
            (string?)(await wire.OkAsync("PATCH", versions + "/1?updateMask=state", new JsonObject { ["state"] = "DISABLED" }))["state"]);
        JsonObject gone = await wire.OkAsync("POST", versions + "/1:destroy", []);
        Assert.Equal("DESTROY_SCHEDULED", (string?)gone["state"]);
        double days = (DateTimeOffset.Parse((string)gone["destroyTime"]!, CultureInfo.InvariantCulture) - DateTimeOffset.UtcNow).TotalDays;
        Assert.InRange(days, 29.9, 30);
        await wire.FailAsync(
            400,
            "FAILED_PRECONDITION",
            "PATCH",
            versions + "/1?updateMask=state",
            new JsonObject { ["state"] = "ENABLED" });
        JsonObject back = await wire.OkAsync("POST", versions + "/1:restore", []);
        Assert.Equal("DISABLED", (string?)back["state"]);
        Assert.Null(back["destroyTime"]);
        Assert.Equal(2, (await wire.OkAsync("GET", versions))["cryptoKeyVersions"]!.AsArray().Count);
        await wire.FailAsync(404, "NOT_FOUND", "GET", versions + "/9");
    }

    [Fact]
    public async Task BytesAreEncryptedForRealAndTheirChecksumsAreChecked()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        string crc = Crc32C.Of("secret"u8).ToString(CultureInfo.InvariantCulture);
        JsonObject sent = new()
        {
            ["plaintext"] = GcpWire.Base64("secret"),
            ["plaintextCrc32c"] = crc,
            ["additionalAuthenticatedData"] = GcpWire.Base64("store"),
        };
        JsonObject sealedText = await wire.OkAsync("POST", GcpWire.Key + ":encrypt", sent);
        Assert.True((bool)sealedText["verifiedPlaintextCrc32c"]!);
        string blob = (string)sealedText["ciphertext"]!;
        Assert.Equal(
            (string?)sealedText["ciphertextCrc32c"],
            Crc32C.Of(Convert.FromBase64String(blob)).ToString(CultureInfo.InvariantCulture));

        JsonObject open = new()
        {
            ["ciphertext"] = blob,
            ["ciphertextCrc32c"] = (string?)sealedText["ciphertextCrc32c"],
            ["additionalAuthenticatedData"] = GcpWire.Base64("store"),
        };
        JsonObject opened = await wire.OkAsync("POST", GcpWire.Key + ":decrypt", open);
        Assert.Equal(GcpWire.Base64("secret"), (string?)opened["plaintext"]);
        Assert.Equal(crc, (string?)opened["plaintextCrc32c"]);

        open["additionalAuthenticatedData"] = GcpWire.Base64("another");
        await wire.FailAsync(400, "INVALID_ARGUMENT", "POST", GcpWire.Key + ":decrypt", open);
        open["ciphertextCrc32c"] = "1";
        Assert.Contains(
            "checksum",
            await wire.FailAsync(400, "INVALID_ARGUMENT", "POST", GcpWire.Key + ":decrypt", open),
            StringComparison.Ordinal);
        sent["plaintextCrc32c"] = "1";
        await wire.FailAsync(400, "INVALID_ARGUMENT", "POST", GcpWire.Key + ":encrypt", sent);
        sent["plaintextCrc32c"] = crc;

        await wire.OkAsync("PATCH", GcpWire.Key + "/cryptoKeyVersions/1?updateMask=state", new JsonObject { ["state"] = "DISABLED" });
        Assert.Contains(
            "DISABLED",
            await wire.FailAsync(400, "FAILED_PRECONDITION", "POST", GcpWire.Key + ":encrypt", sent),
            StringComparison.Ordinal);
        await wire.OkAsync("POST", GcpWire.Key + "/cryptoKeyVersions/1:destroy", []);
        await wire.FailAsync(400, "FAILED_PRECONDITION", "POST", GcpWire.Key + ":decrypt", new JsonObject { ["ciphertext"] = blob });
        Assert.DoesNotContain(
            wire.Server.Exchanges,
            e => e.Request.IsWrite && e.Request.Operation is "cryptoKeys.encrypt" or "cryptoKeys.decrypt" && e.Request.IsWrite);
    }

    [Fact]
    public async Task AFieldOfTheWrongKindIsAnsweredAndNotDropped()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        await wire.FailAsync(
            400,
            "INVALID_ARGUMENT",
            "POST",
            GcpWire.Key + ":setIamPolicy",
            new JsonObject { ["policy"] = new JsonObject { ["bindings"] = "all" } });
    }

    [Fact]
    public async Task AChangeThatIsRefusedLeavesTheKeyAsItWas()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        string before = (await wire.OkAsync("GET", GcpWire.Key)).ToJsonString();
        await wire.FailAsync(
            400,
            "INVALID_ARGUMENT",
            "PATCH",
            GcpWire.Key + "?updateMask=labels,rotationPeriod",
            new JsonObject { ["labels"] = new JsonObject { ["a"] = "b" }, ["rotationPeriod"] = "5s" });
        await wire.FailAsync(
            400,
            "INVALID_ARGUMENT",
            "PATCH",
            GcpWire.Key + "?updateMask=rotationPeriod,nextRotationTime",
            new JsonObject { ["rotationPeriod"] = "7776000s", ["nextRotationTime"] = "soon" });
        await wire.FailAsync(400, "INVALID_ARGUMENT", "PATCH", GcpWire.Key + "?updateMask=versionTemplate", []);
        await wire.FailAsync(
            400,
            "INVALID_ARGUMENT",
            "PATCH",
            GcpWire.Key + "?updateMask=versionTemplate.protectionLevel",
            new JsonObject
            {
                ["versionTemplate"] = new JsonObject { ["protectionLevel"] = "HSM", ["algorithm"] = "GOOGLE_SYMMETRIC_ENCRYPTION" },
            });
        Assert.Equal(before, (await wire.OkAsync("GET", GcpWire.Key)).ToJsonString());
    }

    [Theory]
    [InlineData("1e300s")]
    [InlineData("NaNs")]
    [InlineData("-86400s")]
    [InlineData("7776000")]
    public async Task ARotationPeriodIsADuration(string period)
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        await wire.FailAsync(
            400,
            "INVALID_ARGUMENT",
            "PATCH",
            GcpWire.Key + "?updateMask=rotationPeriod,nextRotationTime",
            new JsonObject { ["rotationPeriod"] = period, ["nextRotationTime"] = "2099-01-01T00:00:00Z" });
    }

    [Fact]
    public async Task AnImportOnlyKeyGetsNoVersionFromGoogle()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        JsonObject fields = new() { ["purpose"] = "ENCRYPT_DECRYPT", ["importOnly"] = true };
        await wire.FailAsync(400, "INVALID_ARGUMENT", "POST", GcpWire.Ring + "/cryptoKeys?cryptoKeyId=own", fields);
        JsonObject key = await wire.OkAsync("POST", GcpWire.Ring + "/cryptoKeys?cryptoKeyId=own&skipInitialVersionCreation=True", fields);
        Assert.True((bool)key["importOnly"]!);
        Assert.Null(key["primary"]);
        await wire.FailAsync(400, "FAILED_PRECONDITION", "POST", GcpWire.Ring + "/cryptoKeys/own/cryptoKeyVersions", []);
        await wire.FailAsync(
            400,
            "FAILED_PRECONDITION",
            "POST",
            GcpWire.Ring + "/cryptoKeys/own:encrypt",
            new JsonObject { ["plaintext"] = "AA==" });
    }

    [Fact]
    public async Task AnotherVersionThanThePrimaryCanBeNamedToEncrypt()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        await wire.OkAsync("POST", GcpWire.Key + "/cryptoKeyVersions", []);
        JsonObject blob = await wire.OkAsync(
            "POST",
            GcpWire.Key + "/cryptoKeyVersions/2:encrypt",
            new JsonObject { ["plaintext"] = "AA==" });
        Assert.False(wire.Server.Exchanges[^1].Request.IsWrite);
        Assert.Equal(GcpWire.Key + "/cryptoKeyVersions/2", (string?)blob["name"]);
        JsonObject opened = await wire.OkAsync(
            "POST",
            GcpWire.Key + ":decrypt",
            new JsonObject { ["ciphertext"] = (string?)blob["ciphertext"] });
        Assert.Equal("AA==", (string?)opened["plaintext"]);
        Assert.False((bool)opened["usedPrimary"]!);
    }

    [Theory]
    [InlineData(GcpWire.Ring)]
    [InlineData(GcpWire.Key)]
    public async Task RingsAndKeysAreForEver(string resource)
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        await wire.FailAsync(404, "NOT_FOUND", "DELETE", resource);
        await wire.OkAsync("GET", resource);
        await wire.FailAsync(404, "NOT_FOUND", "GET", $"projects/{GcpWire.Project}/locations/us-east1/keyRings/none/cryptoKeys");
    }
}
