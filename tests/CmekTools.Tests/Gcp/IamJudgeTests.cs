using CmekTools.Engine.Gcp.Policies;
using System.Text.Json.Nodes;
using CmekTools.Sandbox.Gcp;
using Xunit;

namespace CmekTools.Tests.Gcp;

/// <summary>What a policy gives is decided as Google decides, and left open where it cannot be known.</summary>
public sealed class IamJudgeTests
{
    private const string Me = "serviceAccount:cmek@p.iam.gserviceaccount.com";
    private const string Key = "projects/p/locations/us-east1/keyRings/r/cryptoKeys/k";
    private static readonly DateTimeOffset s_now = new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("true", true)]
    [InlineData("false", false)]
    [InlineData("request.time < timestamp(\"2030-01-01T00:00:00Z\")", true)]
    [InlineData("request.time < timestamp('2020-01-01T00:00:00Z')", false)]
    [InlineData("request.time<=timestamp( '2020-01-01T00:00:00Z' )", false)]
    [InlineData("request.time > timestamp(\"2020-01-01T00:00:00Z\") && request.time < timestamp(\"2030-01-01T00:00:00Z\")", true)]
    [InlineData("resource.name == \"projects/p/locations/us-east1/keyRings/r/cryptoKeys/k\"", true)]
    [InlineData("resource.name == \"projects/p\"", false)]
    [InlineData("resource.name != \"projects/p\"", true)]
    [InlineData("resource.name.startsWith(\"projects/p/locations/us-east1\")", true)]
    [InlineData("resource.name.startsWith('projects/q')", false)]
    [InlineData("!resource.name.startsWith('projects/q')", true)]
    [InlineData("false || true", true)]
    [InlineData("true && false || true", true)]
    [InlineData("true && (false || false)", false)]
    [InlineData("(request.time < timestamp('2020-01-01T00:00:00Z')) || resource.name == 'projects/p'", false)]
    [InlineData("request.auth.claims.x == 'y'", null)]
    [InlineData("request.auth.claims.x == 'y' && false", false)]
    [InlineData("false && request.auth.claims.x == 'a && b'", false)]
    [InlineData("request.auth.claims.x == 'y' || true", true)]
    [InlineData("request.auth.claims.x == 'y' && true", null)]
    [InlineData("(f(a, b) || false) && true", null)]
    [InlineData("false ? true : true", null)]
    [InlineData("resource.name == 'projects/p' + '/x'", null)]
    [InlineData("request.time < timestamp('soon')", null)]
    [InlineData("(true", null)]
    [InlineData("true)", null)]
    [InlineData("true &", null)]
    [InlineData("", null)]
    public void ConditionsAreJudgedAsFarAsTheyCanBe(string expression, bool? holds)
    {
        Assert.Equal(holds, IamCondition.Holds(expression, Key, s_now));
        if (holds == true && !expression.Contains('!', StringComparison.Ordinal) && !expression.Contains("claims", StringComparison.Ordinal))
        {
            // The sandbox, which was written by itself, agrees.
            Assert.True(GcpConditions.Holds(expression, Key, s_now));
        }
    }

    [Fact]
    public void TheEndOfAConditionIsSeen()
    {
        Assert.Equal(new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero), IamCondition.Ends("request.time < timestamp('2030-01-01T00:00:00Z') && request.time < timestamp('2027-01-01T00:00:00Z')", s_now));
        Assert.Null(IamCondition.Ends("request.time > timestamp('2030-01-01T00:00:00Z')", s_now));
    }

    // No, Maybe, Yes as 0, 1, 2: what the policy gives for use, and for decrypting alone.
    [Theory]
    [InlineData("roles/cloudkms.cryptoKeyEncrypterDecrypter", Me, 2, 2)]
    [InlineData("roles/cloudkms.cryptoKeyDecrypter", Me, 0, 2)]
    [InlineData("roles/cloudkms.cryptoKeyEncrypter", Me, 0, 0)]
    [InlineData("roles/owner", Me, 2, 2)]
    [InlineData("roles/cloudkms.admin", Me, 0, 0)]
    [InlineData("roles/cloudkms.cryptoOperator", Me, 1, 1)]
    [InlineData("projects/p/roles/custom", Me, 1, 1)]
    [InlineData("roles/cloudkms.cryptoKeyEncrypterDecrypter", "allUsers", 2, 2)]
    [InlineData("roles/cloudkms.cryptoKeyEncrypterDecrypter", "group:g@x.com", 1, 1)]
    [InlineData("roles/cloudkms.cryptoKeyEncrypterDecrypter", "user:a@x.com", 0, 0)]
    [InlineData("roles/cloudkms.cryptoKeyEncrypterDecrypter", "deleted:" + Me + "?uid=1", 0, 0)]
    public void RolesAndMembersAreTold(string role, string member, int use, int decrypt)
    {
        JsonObject policy = new() { ["bindings"] = new JsonArray(new JsonObject { ["role"] = role, ["members"] = new JsonArray(member) }) };
        Assert.Equal((Standing)use, IamJudge.Crypto(policy, Me, Key, s_now, onKey: false).Standing);
        Assert.Equal((Standing)decrypt, IamJudge.Decrypt(policy, Me, Key, s_now, onKey: false).Standing);
    }

    [Fact]
    public void TwoHalvesAreAWhole()
    {
        JsonObject policy = IamTreeTests.Parse($$"""{"bindings":[{"role":"roles/cloudkms.cryptoKeyEncrypter","members":["{{Me}}"]},{"role":"roles/cloudkms.cryptoKeyDecrypter","members":["{{Me}}"]}]}""");
        Assert.Equal(Standing.Yes, IamJudge.Crypto(policy, Me, Key, s_now, onKey: false).Standing);
    }
}
