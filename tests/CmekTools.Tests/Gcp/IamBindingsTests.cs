using CmekTools.Engine.Gcp.Policies;
using System.Text.Json.Nodes;
using Xunit;

namespace CmekTools.Tests.Gcp;

/// <summary>Policies as people have them: ours goes in, out and back, and nothing else moves.</summary>
public sealed class IamBindingsTests
{
    private const string Me = "serviceAccount:cmek@p.iam.gserviceaccount.com";
    private const string Role = IamBindings.CryptoRole;
    private const string Dead = "deleted:" + Me + "?uid=1";

    /// <summary>Policies in which the member stands somewhere; ME, ROLE and DEAD are put in.</summary>
    public static TheoryData<string> Policies =>
    [
        """{"bindings":[{"role":"ROLE","members":["ME"]}]}""",
        """{"version":1,"etag":"BwX=","bindings":[{"role":"ROLE","members":["user:a@x.com","ME"]}]}""",
        """{"version":1,"bindings":[{"role":"ROLE","members":["ME","user:a@x.com"]}]}""",
        """{"version":1,"bindings":[{"role":"ROLE","members":["user:a@x.com","ME","group:g@x.com"]}]}""",
        """{"bindings":[{"role":"roles/viewer","members":["user:a@x.com"]},{"role":"ROLE","members":["ME"]}]}""",
        """{"bindings":[{"role":"ROLE","members":["ME"]},{"role":"roles/viewer","members":["user:a@x.com"]}]}""",
        """{"bindings":[{"role":"roles/a","members":["user:a@x.com"]},{"role":"ROLE","members":["ME"]},{"role":"roles/z","members":"""
            + """["user:a@x.com"]}]}""",
        """{"bindings":[{"role":"ROLE","members":["ME"]},{"role":"roles/viewer","members":["ME"]}]}""",
        """{"bindings":[{"role":"roles/viewer","members":["ME"]},{"role":"ROLE","members":["ME"]},"""
            + """{"role":"roles/cloudkms.viewer","members":["ME","user:a@x.com"]}]}""",
        """{"bindings":[{"role":"roles/cloudkms.cryptoKeyEncrypter","members":["ME"]},"""
            + """{"role":"roles/cloudkms.cryptoKeyDecrypter","members":["ME"]}]}""",
        """{"version":3,"bindings":[{"role":"ROLE","members":["ME"],"condition":{"title":"t","expression":"true"}}]}""",
        """{"version":3,"bindings":[{"role":"ROLE","members":["user:a@x.com","ME"],"condition":"""
            + """{"title":"t","description":"d","expression":"request.time < timestamp(\"2030-01-01T00:00:00Z\")"}}]}""",
        """{"version":3,"bindings":[{"role":"ROLE","members":["ME"]},{"role":"ROLE","members":["ME"],"condition":"""
            + """{"title":"t","expression":"true"}}]}""",
        """{"version":3,"bindings":[{"role":"ROLE","members":["user:a@x.com"],"condition":{"title":"a","expression":"true"}},"""
            + """{"role":"ROLE","members":["ME"],"condition":{"title":"b","expression":"true"}}]}""",
        """{"version":3,"bindings":[{"role":"ROLE","members":["ME"],"condition":{"title":"a","expression":"true","location":"f.cel"}},"""
            + """{"role":"ROLE","members":["user:a@x.com","ME"]}]}""",
        """{"bindings":[{"role":"ROLE","members":["ME"]}],"auditConfigs":[{"service":"allServices","auditLogConfigs":["""
            + """{"logType":"DATA_READ","exemptedMembers":["user:a@x.com"]}]}]}""",
        """{"bindings":[{"role":"ROLE","members":["ME"],"future":{"n":1.10}}],"rules":[{"x":1}],"other":1.10}""",
        """{"bindings":[{"role":"projects/p/roles/narrow","members":["ME"]}]}""",
        """{"bindings":[{"role":"organizations/1/roles/narrow","members":["ME","allUsers"]}]}""",
        """{"bindings":[{"role":"ROLE","members":["allUsers","ME"]},{"role":"roles/owner","members":["ME"]}]}""",
        """{"bindings":[{"role":"ROLE","members":["deleted:serviceAccount:cmek@p.iam.gserviceaccount.community?uid=3","ME"]}]}""",
        """{"bindings":[{"role":"ROLE","members":"""
            + """["serviceAccount:xcmek@p.iam.gserviceaccount.com","ME","serviceAccount:cmek@p2.iam.gserviceaccount.com"]}]}""",
        """{"bindings":[{"role":"ROLE","members":["user:a@x.com"]},{"role":"ROLE","members":["ME"]}]}""",
        """{"bindings":[{"role":"ROLE","members":["ME"]},{"role":"ROLE","members":["user:a@x.com"]}]}""",
        """{"bindings":[{"role":"ROLE","members":["user:b@x.com","ME"]},{"role":"ROLE","members":["user:a@x.com","ME"]}]}""",
        """{"bindings":[{"role":"roles/empty","members":[]},{"role":"ROLE","members":["ME"]}]}""",
        """{"bindings":[{"role":"roles/none"},{"role":"ROLE","members":["ME"]}]}""",
        """{"bindings":[{"role":"ROLE","members":"""
            + """["principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/s","ME"]}]}""",
        """{"bindings":[{"role":"ROLE","members":["user:á@x.com","ME"],"condition":null}]}""",
        """{"etag":"AAA=","bindings":[{"members":["ME"],"role":"ROLE"},{"members":["ME"],"role":"roles/browser"},{"members":"""
            + """["ME"],"role":"roles/viewer"}]}""",
    ];

    [Theory]
    [MemberData(nameof(Policies))]
    public void WhatIsTakenOutComesBackExactly(string text)
    {
        JsonObject was = Parse(text);
        JsonObject policy = Parse(text);
        Assert.True(IamBindings.Remove(policy, Me));
        Assert.DoesNotContain(Quoted(Me), policy.ToJsonString(), StringComparison.Ordinal);
        Assert.False(IamBindings.Remove(policy, Me));
        Assert.True(IamBindings.PutBack(policy, was, Me));
        Assert.Equal(was.ToJsonString(), policy.ToJsonString());
        Assert.False(IamBindings.PutBack(policy, was, Me));
        Assert.Equal(was.ToJsonString(), policy.ToJsonString());
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void WhatOthersDidInBetweenStays(string text)
    {
        JsonObject was = Parse(text);
        JsonObject policy = Parse(text);
        IamBindings.Remove(policy, Me);
        (policy["bindings"] as JsonArray)!.Insert(
            0,
            new JsonObject { ["role"] = "roles/new", ["members"] = new JsonArray("user:new@x.com") });
        policy["etag"] = "new";
        IamBindings.PutBack(policy, was, Me);
        Assert.Equal("new", (string?)policy["etag"]);
        JsonArray bindings = policy["bindings"]!.AsArray();
        JsonNode added = bindings.First(b => (string?)b!["role"] == "roles/new")!;
        Assert.Equal(["user:new@x.com"], added["members"]!.AsArray().Select(m => (string?)m));
        bindings.Remove(added);
        Assert.Equal(Sorted(was), Sorted(policy));
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void AGrantTouchesNoConditionAndNothingOfOthers(string text)
    {
        JsonObject policy = Parse(text);
        IamBindings.Remove(policy, Me);
        JsonObject before = policy.DeepClone().AsObject();
        Assert.True(IamBindings.Add(policy, Role, Me));
        Assert.True(IamBindings.Has(policy, Role, Me));
        Assert.False(IamBindings.Add(policy, Role, Me));
        Assert.True(IamBindings.Remove(policy, Me));
        Assert.Equal(Sorted(before), Sorted(policy));
        Assert.Equal(Conditional(before), Conditional(policy));
    }

    [Fact]
    public void APolicyWithoutBindingsGetsOne()
    {
        JsonObject policy = Parse("""{"etag":"ACAB"}""");
        Assert.True(IamBindings.Add(policy, Role, Me));
        Assert.Equal(Parse("""{"etag":"ACAB","bindings":[{"role":"ROLE","members":["ME"]}]}""").ToJsonString(), policy.ToJsonString());
    }

    [Fact]
    public void ADeadNamesakeGivesItsPlaceToTheLivingOneButNotUnderACondition()
    {
        JsonObject policy = Parse(
            """{"bindings":[{"role":"ROLE","members":["DEAD","user:a@x.com"],"condition":{"expression":"true"}},"""
                + """{"role":"ROLE","members":["DEAD","user:a@x.com"]}]}""");
        Assert.Equal([Dead], IamBindings.Dead(policy, Role, Me));
        Assert.True(IamBindings.Add(policy, Role, Me));
        Assert.Equal(
            Parse(
                """{"bindings":[{"role":"ROLE","members":["DEAD","user:a@x.com"],"condition":{"expression":"true"}},"""
                    + """{"role":"ROLE","members":["ME","user:a@x.com"]}]}""").ToJsonString(),
            policy.ToJsonString());
        Assert.True(IamBindings.Add(Parse("""{"bindings":[{"role":"ROLE","members":["ME","DEAD"]}]}"""), Role, Me));
    }

    [Fact]
    public void ADeadNamesakeIsReplacedUnderAConditionThatASnapshotHadTheMemberIn()
    {
        JsonObject was = Parse(
            """{"version":3,"bindings":[{"role":"ROLE","members":["user:a@x.com","ME"],"condition":{"expression":"true"}}]}""");
        JsonObject policy = Parse(
            """{"version":3,"bindings":[{"role":"ROLE","members":["user:a@x.com","DEAD"],"condition":{"expression":"true"}}]}""");
        Assert.True(IamBindings.PutBack(policy, was, Me));
        Assert.Equal(was.ToJsonString(), policy.ToJsonString());
    }

    [Fact]
    public void ConditionsAreWrittenInVersion3()
    {
        JsonObject policy = Parse("""{"version":1,"bindings":[{"role":"ROLE","members":["ME"]}]}""");
        IamBindings.SetVersion(policy);
        Assert.Equal(1, (int)policy["version"]!);
        policy["bindings"]![0]!["condition"] = new JsonObject { ["expression"] = "true" };
        IamBindings.SetVersion(policy);
        Assert.Equal(3, (int)policy["version"]!);
    }

    [Fact]
    public void TheDifferenceIsWhatChanges()
    {
        JsonObject before = Parse("""{"bindings":[{"role":"roles/viewer","members":["user:a@x.com"]}]}""");
        JsonObject after = before.DeepClone().AsObject();
        IamBindings.Add(after, Role, Me);
        Assert.Equal(Fill("""+ {"role":"ROLE","members":["ME"]}"""), IamBindings.Difference(before, after));
    }

    internal static JsonObject Parse(string text, string member = Me, string role = Role) =>
        JsonNode.Parse(Fill(text, member, role))!.AsObject();

    private static string Fill(string text, string member = Me, string role = Role) => text
        .Replace("\"ME\"", Quoted(member), StringComparison.Ordinal)
        .Replace("\"DEAD\"", Quoted(Dead), StringComparison.Ordinal)
        .Replace("\"ROLE\"", Quoted(role), StringComparison.Ordinal);

    private static string Quoted(string text) => $"\"{text}\"";

    private static string[] Sorted(JsonObject policy) =>
        [
            .. policy["bindings"]!.AsArray().Where(
                b => b!["members"] is JsonArray { Count: > 0 }).Select(b => b!.ToJsonString()).Order(StringComparer.Ordinal),
        ];

    private static string[] Conditional(JsonObject policy) =>
        [.. policy["bindings"]!.AsArray().Where(b => b!["condition"] is not null).Select(b => b!.ToJsonString())];
}
