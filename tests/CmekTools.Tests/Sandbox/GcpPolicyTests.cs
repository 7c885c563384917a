using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Gcp;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>The sandbox's Google IAM on the wire: policies, their etags, conditions and members.</summary>
public sealed class GcpPolicyTests
{
    private const string Crypter = "roles/cloudkms.cryptoKeyEncrypterDecrypter";
    private const string Auditor = "user:auditor@example.com";

    [Fact]
    public async Task TheSecondOfTwoWritersIsToldToReadAgain()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        string etag = (string)(await wire.OkAsync("GET", GcpWire.Key + ":getIamPolicy?options.requestedPolicyVersion=3"))["etag"]!;
        JsonObject mine = GcpWire.Policy(Crypter, Auditor);
        mine["etag"] = etag;
        JsonObject theirs = GcpWire.Policy("roles/cloudkms.viewer", Auditor);
        theirs["etag"] = etag;
        Assert.NotEqual(
            etag,
            (string?)(await wire.OkAsync("POST", GcpWire.Key + ":setIamPolicy", new JsonObject { ["policy"] = theirs }))["etag"]);
        string message = await wire.FailAsync(409, "ABORTED", "POST", GcpWire.Key + ":setIamPolicy", new JsonObject { ["policy"] = mine });
        Assert.StartsWith(
            "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.",
            message,
            StringComparison.Ordinal);
        string now = (string)(await wire.OkAsync("GET", GcpWire.Key + ":getIamPolicy"))["etag"]!;
        Assert.Equal(now, Convert.ToBase64String(Convert.FromBase64String(now)));
        mine["etag"] = string.Empty;
        JsonObject written = await wire.OkAsync("POST", GcpWire.Key + ":setIamPolicy", new JsonObject { ["policy"] = mine.DeepClone() });
        Assert.Equal(Crypter, (string?)Assert.Single(written["bindings"]!.AsArray())!["role"]);
    }

    [Fact]
    public async Task ConditionsAreShownAndKeptForVersionThreeOnly()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        await wire.BindAsync(GcpWire.Key, Crypter, Auditor, "request.time < timestamp(\"2099-01-01T00:00:00Z\")");
        JsonObject blind = await wire.OkAsync("GET", GcpWire.Key + ":getIamPolicy");
        Assert.Equal(1, (int)blind["version"]!);
        Assert.Null(blind["bindings"]![0]!["condition"]);
        Assert.StartsWith(Crypter + "_withcond_", (string?)blind["bindings"]![0]!["role"], StringComparison.Ordinal);
        await wire.FailAsync(
            400,
            "INVALID_ARGUMENT",
            "POST",
            GcpWire.Key + ":setIamPolicy",
            new JsonObject { ["policy"] = blind.DeepClone() });
        JsonObject whole = await wire.OkAsync("GET", GcpWire.Key + ":getIamPolicy?options.requestedPolicyVersion=3");
        Assert.Equal(3, (int)whole["version"]!);
        Assert.Equal("limit", (string?)whole["bindings"]![0]!["condition"]!["title"]);
        await wire.OkAsync("POST", GcpWire.Key + ":setIamPolicy", new JsonObject { ["policy"] = whole.DeepClone() });
    }

    [Fact]
    public async Task AuditSettingsSurviveAWriterWhoDoesNotKnowThem()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        JsonObject policy = GcpWire.Policy(Crypter, Auditor);
        policy["auditConfigs"] = new JsonArray(new JsonObject { ["service"] = "cloudkms.googleapis.com" });
        await wire.OkAsync("POST", GcpWire.Key + ":setIamPolicy", new JsonObject { ["policy"] = policy });
        JsonObject after = await wire.BindAsync(GcpWire.Key, "roles/cloudkms.viewer", Auditor);
        Assert.Equal("cloudkms.googleapis.com", (string?)after["auditConfigs"]![0]!["service"]);
    }

    [Theory]
    [InlineData("request.time < timestamp(\"2020-01-01T00:00:00Z\")", false)]
    [InlineData("request.time > timestamp('2020-01-01T00:00:00Z')", true)]
    [InlineData("resource.name == \"" + GcpWire.Key + "\"", true)]
    [InlineData("resource.name.startsWith(\"" + GcpWire.Ring + "/cryptoKeys/other\")", false)]
    [InlineData("true && (false || resource.name.startsWith(\"" + GcpWire.Ring + "\"))", true)]
    [InlineData("(true || true) && false", false)]
    [InlineData("true || false && false", true)]
    [InlineData("true || request.auth.claims.sub == 'x'", false)]
    [InlineData("true)", false)]
    [InlineData("request.time < timestamp(\"soon\")", false)]
    [InlineData("", false)]
    public void AConditionHoldsOrGrantsNothing(string expression, bool expected) =>
        Assert.Equal(expected, GcpConditions.Holds(expression, GcpWire.Key, DateTimeOffset.UtcNow));

    [Fact]
    public async Task AnExpiredConditionCutsAndAStandingOneGrants()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        string token = wire.Google.Tokens.Add(Auditor);
        JsonObject body = new() { ["plaintext"] = "AA==" };
        await wire.BindAsync(GcpWire.Ring, Crypter, Auditor, "request.time < timestamp(\"2020-01-01T00:00:00Z\")");
        string message = await wire.FailAsync(403, "PERMISSION_DENIED", "POST", GcpWire.Key + ":encrypt", body, token);
        Assert.Equal(
            $"Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied on resource '{GcpWire.Key}' (or it may not exist).",
            message);
        await wire.BindAsync(GcpWire.Ring, Crypter, Auditor, "request.time < timestamp(\"2099-01-01T00:00:00Z\")");
        await wire.OkAsync("POST", GcpWire.Key + ":encrypt", body, token);
        await wire.FailAsync(403, "PERMISSION_DENIED", "GET", GcpWire.Key, token: token);
    }

    [Theory]
    [InlineData("domain:example.com")]
    [InlineData("group:auditors@example.com")]
    [InlineData("allAuthenticatedUsers")]
    [InlineData("allUsers")]
    public async Task AMemberCanBeMeantInSeveralWays(string member)
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        wire.Google.Authorizer.AddGroup("auditors@example.com", Auditor);
        wire.Google.Authorizer.AddCustomRole("projects/customer-project/roles/onlySeal", "cloudkms.cryptoKeyVersions.useToEncrypt");
        string token = wire.Google.Tokens.Add(Auditor);
        await wire.BindAsync(GcpWire.Key, "projects/customer-project/roles/onlySeal", member);
        await wire.OkAsync("POST", GcpWire.Key + ":encrypt", new JsonObject { ["plaintext"] = "AA==" }, token);
        JsonObject may = await wire.OkAsync(
            "POST",
            GcpWire.Key + ":testIamPermissions",
            new JsonObject { ["permissions"] = new JsonArray(
                "cloudkms.cryptoKeyVersions.useToEncrypt",
                "cloudkms.cryptoKeyVersions.useToDecrypt") },
            token);
        Assert.Equal("cloudkms.cryptoKeyVersions.useToEncrypt", (string?)Assert.Single(may["permissions"]!.AsArray()));
        Assert.Empty(
            (
                await wire.OkAsync(
                    "POST",
                    GcpWire.Ring + ":testIamPermissions",
                    new JsonObject { ["permissions"] = new JsonArray("cloudkms.keyRings.get") },
                    token))["permissions"]!.AsArray());
    }

    [Fact]
    public async Task ANewAccountIsUnknownUntilIamHasCaughtUp()
    {
        await using GcpWire wire = await GcpWire.WithAccountAsync(new SandboxOptions { IamLag = TimeSpan.FromHours(1) });
        JsonObject body = new() { ["policy"] = GcpWire.Policy(Crypter, GcpWire.Member) };
        string message = await wire.FailAsync(400, "INVALID_ARGUMENT", "POST", GcpWire.Key + ":setIamPolicy", (JsonObject)body.DeepClone());
        Assert.Equal($"Service account {GcpWire.Email} does not exist.", message);
        string token = wire.Google.Tokens.Add(Auditor);
        await wire.BindAsync(GcpWire.Key, Crypter, Auditor);
        Assert.Equal(Crypter, (string?)(await wire.OkAsync("GET", GcpWire.Key + ":getIamPolicy"))["bindings"]![0]!["role"]);
        await wire.FailAsync(403, "PERMISSION_DENIED", "POST", GcpWire.Key + ":encrypt", new JsonObject { ["plaintext"] = "AA==" }, token);
        wire.Server.Options = wire.Server.Options with { IamLag = TimeSpan.Zero };
        await wire.OkAsync("POST", GcpWire.Key + ":encrypt", new JsonObject { ["plaintext"] = "AA==" }, token);
        await wire.OkAsync("POST", GcpWire.Key + ":setIamPolicy", body);
    }

    [Fact]
    public async Task TheProjectsPolicyIsReadAndWrittenToo()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        string token = wire.Google.Tokens.Add(Auditor);
        JsonObject policy = await wire.OkAsync(
            "POST",
            $"projects/{GcpWire.Project}:getIamPolicy",
            new JsonObject { ["options"] = new JsonObject { ["requestedPolicyVersion"] = 3 } });
        policy["bindings"]!.AsArray().Add(new JsonObject { ["role"] = "roles/cloudkms.viewer", ["members"] = new JsonArray(Auditor) });
        await wire.OkAsync("POST", $"projects/{GcpWire.Project}:setIamPolicy", new JsonObject { ["policy"] = policy.DeepClone() });
        await wire.OkAsync("GET", GcpWire.Key, token: token);
        Assert.Equal("gcp-crm", wire.Server.Exchanges[^2].Request.Service);
    }

    [Fact]
    public async Task APolicyIsOfVersionThreeOnlyWithConditions()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        JsonObject policy = GcpWire.Policy(Crypter, Auditor);
        policy["version"] = 3;
        Assert.Equal(
            1,
            (int)(await wire.OkAsync("POST", GcpWire.Key + ":setIamPolicy", new JsonObject { ["policy"] = policy }))["version"]!);
        JsonObject two = GcpWire.Policy(Crypter, Auditor);
        two["version"] = 2;
        await wire.FailAsync(400, "INVALID_ARGUMENT", "POST", GcpWire.Key + ":setIamPolicy", new JsonObject { ["policy"] = two });
    }

    [Fact]
    public async Task ARoleWithAHiddenConditionCannotBeWrittenBack()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        await wire.BindAsync(GcpWire.Key, Crypter, Auditor, "request.time < timestamp(\"2099-01-01T00:00:00Z\")");
        JsonObject blind = await wire.OkAsync("GET", GcpWire.Key + ":getIamPolicy");
        blind["version"] = 3;
        await wire.FailAsync(400, "INVALID_ARGUMENT", "POST", GcpWire.Key + ":setIamPolicy", new JsonObject { ["policy"] = blind });
        JsonObject whole = await wire.OkAsync("GET", GcpWire.Key + ":getIamPolicy?options.requestedPolicyVersion=3");
        Assert.NotNull(whole["bindings"]![0]!["condition"]);
    }

    [Theory]
    [InlineData("serviceAccount:crl-kms-user-abcdef012345@crl-prod-abc.iam.gserviceaccount.com", true)]
    [InlineData("serviceAccount:service-12@gcp-sa-cloudkms.iam.gserviceaccount.com", true)]
    [InlineData("serviceAccount:12-compute@developer.gserviceaccount.com", true)]
    [InlineData("deleted:serviceAccount:cmek-user@customer-project.iam.gserviceaccount.com?uid=7", true)]
    [InlineData("serviceAccount:crl-kms-user-abcdef012345@customer-project.iam.gserviceaccount.com", false)]
    [InlineData("serviceAccount:clr-kms-user-abcdef012345@crl-prod-abc.iam.gserviceaccount.com", false)]
    [InlineData("serviceAccount:nobody@customer-project.iam.gserviceaccount.com", false)]
    [InlineData("somebody@example.com", false)]
    [InlineData(null, false)]
    public async Task OnlyWhoExistsCanBeAMember(string? member, bool expected)
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        (int status, JsonObject answer) = await wire.SendAsync("POST", GcpWire.Key + ":setIamPolicy", new JsonObject
        {
            ["policy"] = new JsonObject { ["bindings"] = new JsonArray(
                new JsonObject { ["role"] = Crypter, ["members"] = new JsonArray((JsonNode?)member) }) },
        });
        Assert.True(status == (expected ? 200 : 400), answer.ToJsonString());
    }
}
