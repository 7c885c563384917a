using CmekTools.Engine.Gcp;
using CmekTools.Engine.Access;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Gcp;

/// <summary>What is wrong is said before anything is written, with what to do.</summary>
public sealed class GcpBadInputTests
{
    private const string Key = "projects/customer-project/locations/us-central1/keyRings/r/cryptoKeys/k";

    private static CmekCluster Ledger { get; } = new()
    {
        Id = "5d7c1c3a-0b1f-4b6e-8f52-a1b2c3d4e5f6",
        Name = "ledger",
        Provider = CmekProvider.GCP,
        Plan = "ADVANCED",
        State = "CREATED",
        AccountId = "crl-prod-abc",
        Regions = [new CmekRegion { Name = "us-central1", NodeCount = 3 }],
    };

    [Theory]
    [InlineData(Key + "/cryptoKeyVersions/3", "KeyUriInvalid", Key)]
    [InlineData("//cloudkms.googleapis.com/" + Key, "KeyUriInvalid", Key)]
    [InlineData("https://cloudkms.googleapis.com/v1/" + Key, "KeyUriInvalid", Key)]
    [InlineData("//cloudkms.googleapis.com/" + Key + "/cryptoKeyVersions/3", "KeyUriInvalid", Key)]
    [InlineData(Key + "\n", "KeyUriInvalid", Key)]
    [InlineData("projects/customer-project/locations/us-central1/keyRings/r", "KeyUriInvalid", "gcloud kms keys describe")]
    [InlineData("arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "KeyUriInvalid", "gcloud kms keys describe")]
    [InlineData("projects/123/locations/us-central1/keyRings/r/cryptoKeys/k", "ProjectInvalid", "gcloud projects describe 123")]
    [
        InlineData(
            "projects/customer-project/locations/us-central1-a/keyRings/r/cryptoKeys/k",
            "LocationInvalid",
            "gcloud kms locations list"),
    ]
    public void AWrongKeyIsRefusedWithoutARequest(string uri, string id, string todo)
    {
        using EngineKit kit = EngineKit.Create();
        CmekException e = Assert.Throws<CmekException>(
            () => kit.Session.GetProvider(CmekProvider.GCP).ValidateKeyUri(uri, Ledger, "us-central1"));
        Assert.Equal((id, CmekErrorKind.InvalidArgument), (e.ErrorId, e.Kind));
        Assert.Contains(todo, e.RecommendedAction, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("us-central1")]
    [InlineData("us")]
    [InlineData("global")]
    [InlineData("nam-eur-asia1")]
    [InlineData("in")]
    [InlineData("europe-west1")]
    public void ALocationThatCanServeIsTaken(string location)
    {
        using EngineKit kit = EngineKit.Create();
        kit.Session.GetProvider(CmekProvider.GCP).ValidateKeyUri(
            $"projects/p-12345/locations/{location}/keyRings/r/cryptoKeys/k",
            Ledger,
            "us-central1");
    }

    [Theory]
    [InlineData("us-central1", "us-central1", 0)]
    [InlineData("us", "us-central1", 1)]
    [InlineData("global", "us-central1", 1)]
    [InlineData("europe", "europe-west4", 1)]
    [InlineData("asia", "asia-south1", 1)]
    [InlineData("in", "asia-south1", 1)]
    [InlineData("us", "southamerica-east1", 2)]
    [InlineData("us-east1", "us-central1", 2)]
    [InlineData("europe", "us-central1", 2)]
    [InlineData("in", "asia-east1", 2)]
    public void FarIsTold(string location, string region, int distance) => Assert.Equal(distance, GcpNames.Distance(location, region));

    [Theory]
    [InlineData("abcde", "(5 characters)")]
    [InlineData("abcdefghijklmnopqrstuvwxyz01234", "(31 characters)")]
    [InlineData("Abcdef", "begins with a letter")]
    [InlineData("abcdef-", "does not end in a hyphen")]
    [InlineData("1abcdef", "begins with a letter")]
    public void AWrongAccountIdIsRefused(string id, string says)
    {
        using EngineKit kit = EngineKit.Create();
        CmekException e = Assert.Throws<CmekException>(
            () => kit.Session.GetProvider(CmekProvider.GCP).ValidatePrincipal($"{id}@customer-project.iam.gserviceaccount.com"));
        Assert.Equal("PrincipalInvalid", e.ErrorId);
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("arn:aws:iam::111122223333:role/r")]
    [InlineData("somebody@example.com")]
    [InlineData("abcdef@iam.gserviceaccount.com")]
    [InlineData("")]
    public void WhatIsNoServiceAccountIsRefused(string principal)
    {
        using EngineKit kit = EngineKit.Create();
        Assert.Equal(
            "PrincipalInvalid",
            Assert.Throws<CmekException>(() => kit.Session.GetProvider(CmekProvider.GCP).ValidatePrincipal(principal)).ErrorId);
    }

    [Fact]
    public async Task WrongOptionsWriteNothing()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        (KeyOptions Options, string Id)[] wrong =
        [
            (new KeyOptions { Project = "123456789012" }, "ProjectInvalid"),
            (new KeyOptions { Location = "us-central1-a" }, "LocationInvalid"),
            (new KeyOptions { Location = "uscentral" }, "LocationInvalid"),
            (new KeyOptions { KeyRing = "a/b" }, "KeyRingInvalid"),
            (new KeyOptions { KeyName = new string('k', 64) }, "KeyNameInvalid"),
            (new KeyOptions { RotationPeriodDays = 0, EnableRotation = true }, "RotationPeriodInvalid"),
            (new KeyOptions { ProtectionLevel = "SOFT" }, "ProtectionLevelInvalid"),
            (new KeyOptions { Tags = new Dictionary<string, string> { ["Team"] = "db" } }, "LabelInvalid"),
            (new KeyOptions { Tags = new Dictionary<string, string> { [GcpNames.ClusterLabel] = "x" } }, "LabelInvalid"),
        ];
        foreach ((KeyOptions options, string id) in wrong)
        {
            CmekException e = await Assert.ThrowsAsync<CmekException>(() => kit.KeyAsync(options));
            Assert.Equal((id, CmekErrorKind.InvalidArgument), (e.ErrorId, e.Kind));
            Assert.NotNull(e.RecommendedAction);
        }

        Assert.DoesNotContain(kit.Server.Exchanges, e => e.Request.Service.StartsWith("gcp", StringComparison.Ordinal));
        CmekKey key = await kit.KeyAsync();
        kit.Server.ClearExchanges();
        Assert.Equal("PrincipalInvalid", await GrantFailsAsync(kit, key, kit.Cluster, new PrincipalOptions { ServiceAccount = "abcde" }));
        Assert.Equal("RoleIdInvalid", await GrantFailsAsync(kit, key, kit.Cluster, new PrincipalOptions { RoleId = "Encrypter" }));
        Assert.Equal("ClusterIdInvalid", await GrantFailsAsync(kit, key, kit.Cluster with { Id = "cluster-1" }, new PrincipalOptions()));
        Assert.Equal(
            "ClusterAccountUnknown",
            await GrantFailsAsync(kit, key, kit.Cluster with { AccountId = null }, new PrincipalOptions()));
        Assert.Equal(
            "ProtectionLevelDiffers",
            (await Assert.ThrowsAsync<CmekException>(() => kit.KeyAsync(new KeyOptions { ProtectionLevel = "HSM" }))).ErrorId);
        Assert.Empty(kit.Writes);
    }

    [Theory]
    [InlineData("ASYMMETRIC_SIGN", "EC_SIGN_P256_SHA256")]
    [InlineData("ASYMMETRIC_DECRYPT", "RSA_DECRYPT_OAEP_2048_SHA256")]
    [InlineData("MAC", "HMAC_SHA256")]
    public async Task AKeyOfAnotherPurposeIsRefused(string purpose, string algorithm)
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        const string ring = "projects/customer-project/locations/us-central1";
        await kit.SendAsync("POST", ring + "/keyRings?keyRingId=cmektools", []);
        await kit.SendAsync(
            "POST",
            $"{ring}/keyRings/cmektools/cryptoKeys?cryptoKeyId=other",
            new() { ["purpose"] = purpose, ["versionTemplate"] = new System.Text.Json.Nodes.JsonObject { ["algorithm"] = algorithm } });
        kit.Server.ClearExchanges();
        CmekException e = await Assert.ThrowsAsync<CmekException>(
            () => kit.KeyAsync(new KeyOptions { KeyName = "other", EnableRotation = true }));
        Assert.Equal("KeyNotSymmetric", e.ErrorId);
        Assert.Contains(purpose, e.Message, StringComparison.Ordinal);
        Assert.Empty(kit.Writes);
    }

    [Fact]
    public async Task AFarLocationIsWarnedAbout()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        TestOperationHost host = new();
        CmekKey key = await kit.Gcp.EnsureKeyAsync(kit.Cluster, "us-central1", new KeyOptions { Location = "europe-west1" }, kit.Run(host));
        Assert.Contains("europe-west1 is far from us-central1", Assert.Single(host.Warnings), StringComparison.Ordinal);
        Assert.Equal("europe-west1", key.Location);
    }

    [Fact]
    public void NamesFitWhateverTheClusterIsCalled()
    {
        foreach (string name in (string[])["a", "ledger", "Ledger of the very large company with a very long name indeed", "---", "ж"])
        {
            CmekCluster cluster = Ledger with { Name = name };
            GcpNames.RequireName(GcpNames.KeyName(cluster, "northamerica-northeast1"), "KeyName");
            GcpNames.RequireAccountId(GcpNames.AccountId(cluster));
        }

        Assert.Equal("crl-kms-user-a1b2c3d4e5f6@crl-prod-abc.iam.gserviceaccount.com", GcpNames.ClusterPrincipal(Ledger));
        Assert.Equal(
            GcpNames.ClusterPrincipal(Ledger),
            GcpNames.ClusterPrincipal(
                Ledger with { Id = Ledger.Id.Replace("-", string.Empty, StringComparison.Ordinal).ToUpperInvariant() }));
        Assert.Equal(
            new GcpAccountName("cmek-x", "example.com:shop", CanBeMade: true),
            GcpNames.ParseAccount(GcpNames.Email("cmek-x", "example.com:shop")));
    }

    // https://cloud.google.com/iam/docs/service-account-types: the accounts that Google makes for a project.
    [Theory]
    [InlineData("123456789012-compute@developer.gserviceaccount.com", "123456789012")]
    [InlineData("customer-project@appspot.gserviceaccount.com", "customer-project")]
    public void TheAccountsThatGoogleMakesAreNamesToo(string email, string project)
    {
        using EngineKit kit = EngineKit.Create();
        kit.Session.GetProvider(CmekProvider.GCP).ValidatePrincipal(email);
        Assert.Equal((project, false), (GcpNames.ParseAccount(email).Project, GcpNames.ParseAccount(email).CanBeMade));
    }

    [Fact]
    public void AProjectGoesByItsNumberTooInAKey()
    {
        using EngineKit kit = EngineKit.Create();
        kit.Session.GetProvider(CmekProvider.GCP).ValidateKeyUri(
            "projects/123456789012/locations/us-central1/keyRings/r/cryptoKeys/k",
            Ledger,
            "us-central1");
    }

    private static async Task<string> GrantFailsAsync(GoogleKit kit, CmekKey key, CmekCluster cluster, PrincipalOptions options) =>
        (await Assert.ThrowsAsync<CmekException>(() => kit.Gcp.GrantAsync(cluster, key, GoogleKit.Region, options, kit.Run()))).ErrorId;
}
