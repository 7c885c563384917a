using System.Text.Json.Nodes;
using CmekTools.Engine.Aws;
using CmekTools.Engine.Aws.Policies;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Aws;

/// <summary>What is ours in a policy and what is not, what an edit leaves, and how a change is shown.</summary>
public sealed class PolicyEditsTests
{
    private const string Role = "arn:aws:iam::111122223333:role/shop";
    private const string RoleId = "AROAEXAMPLE0000000001";
    private const string Key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    private static readonly string s_use = OurStatements.UseSid(TestClusters.Shop);
    private static readonly string s_root = OurStatements.Root("aws", "111122223333").ToJsonString();
    private static readonly string s_ours = OurStatements.Use(s_use, Role).ToJsonString();

    [Fact]
    public void TheStatementsAreTheVendors()
    {
        Assert.Equal(
            """{"Sid":"EnableIAMUserPermissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","""
                + "\"Resource\":\"*\"}",
            s_root);
        Assert.Equal(
            $$"""{"Sid":"{{s_use}}","Effect":"Allow","Principal":{"AWS":"{{Role}}"},"Action":"""
                + """["kms:Encrypt","kms:Decrypt","kms:GenerateDataKey*","kms:DescribeKey","kms:ReEncrypt*"],"Resource":"*"}""",
            s_ours);
        Assert.Equal(
            """{"Sid":"t","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:root"},"Action":"sts:AssumeRole","Condition":"""
                + """{"StringEquals":{"sts:ExternalId":"org"}}}""",
            OurStatements.Trust("t", "aws", "999988887777", "org").ToJsonString());
        Assert.Equal(
            """{"Version":"2012-10-17","Statement":[""" + s_root + "]}",
            PolicyDocument.Create(OurStatements.Root("aws", "111122223333")).Text());
    }

    /// <summary>A policy, and the statements that a grant leaves in it.</summary>
    public static TheoryData<string, string> Grants => new()
    {
        { s_root, s_root + "," + s_ours },
        { s_root + "," + s_ours, s_root + "," + s_ours },
        { s_ours.Replace(Role, RoleId, StringComparison.Ordinal), s_ours.Replace(Role, RoleId, StringComparison.Ordinal) },
        { s_ours.Replace("\"kms:Decrypt\",", string.Empty, StringComparison.Ordinal), s_ours },
        { s_ours.Replace(s_use, "Theirs", StringComparison.Ordinal), s_ours.Replace(s_use, "Theirs", StringComparison.Ordinal) },
        {
            s_ours.Replace("\"kms:Decrypt\"", "\"kms:Sign\"", StringComparison.Ordinal),
            s_ours.Replace("\"kms:Decrypt\"", "\"kms:Sign\"", StringComparison.Ordinal) + ","
                + s_ours.Replace(s_use, s_use + "x2", StringComparison.Ordinal)
        },
        {
            s_ours.Replace("\"Resource\":\"*\"", "\"Resource\":\"x\"", StringComparison.Ordinal),
            s_ours.Replace("\"Resource\":\"*\"", "\"Resource\":\"x\"", StringComparison.Ordinal) + ","
                + s_ours.Replace(s_use, s_use + "x2", StringComparison.Ordinal)
        },
        {
            s_ours.Replace(Role, Role + "2", StringComparison.Ordinal),
            s_ours.Replace(Role, Role + "2", StringComparison.Ordinal) + "," + s_ours.Replace(s_use, s_use + "x2", StringComparison.Ordinal)
        },
        {
            s_ours.Replace(s_use, "Theirs", StringComparison.Ordinal).Replace(
                "\"Resource\":\"*\"",
                "\"Resource\":\"*\",\"Condition\":{}",
                StringComparison.Ordinal),
            s_ours.Replace(s_use, "Theirs", StringComparison.Ordinal).Replace(
                "\"Resource\":\"*\"",
                "\"Resource\":\"*\",\"Condition\":{}",
                StringComparison.Ordinal)
                + "," + s_ours
        },
        {
            s_ours.Replace(s_use, "Theirs", StringComparison.Ordinal).Replace("Allow", "Deny", StringComparison.Ordinal),
            s_ours.Replace(s_use, "Theirs", StringComparison.Ordinal).Replace("Allow", "Deny", StringComparison.Ordinal) + "," + s_ours
        },
    };

    [Theory]
    [MemberData(nameof(Grants))]
    public void AGrantLeavesOurStatementOnceAndTheRestAsItWas(string before, string after)
    {
        PolicyDocument policy = Parse(before);
        for (int times = 0; times < 2; times++)
        {
            OurPolicyEdits.AllowUse(policy, TestClusters.Shop, Role, RoleId);
            Assert.Equal(P(after), policy.Text());
        }
    }

    [Fact]
    public void ARestorationWithoutWhatWasThereBeforeIsAGrant()
    {
        PolicyDocument policy = Parse(s_root);
        OurPolicyEdits.Cut(policy, TestClusters.Shop, Role);
        PolicyDocument cut = policy.Clone();
        OurPolicyEdits.Restore(policy, null, TestClusters.Shop, Role, RoleId);
        Assert.Equal(P(s_root + "," + s_ours), policy.Text());

        // Whoever ran it once more has the Deny as "what was there before".
        policy = cut.Clone();
        OurPolicyEdits.Restore(policy, cut, TestClusters.Shop, Role, RoleId);
        Assert.Equal(P(s_root + "," + s_ours), policy.Text());
    }

    [Fact]
    public void ASidThatSomebodyTookSinceIsLeftToHim()
    {
        string theirs = $$"""{"Sid":"{{s_use}}","Effect":"Deny","Principal":"*","Action":"kms:Sign","Resource":"*"}""";
        PolicyDocument policy = Parse(s_root + "," + theirs);
        OurPolicyEdits.Restore(policy, Parse(s_root + "," + s_ours), TestClusters.Shop, Role, RoleId);
        Assert.Equal(P(s_root + "," + s_ours.Replace(s_use, s_use + "x2", StringComparison.Ordinal) + "," + theirs), policy.Text());
    }

    // Two who write at once take the first Sid that is free, and both take the same one.
    [Fact]
    public void WhatTwoGaveUnderOneSidStaysBothAndOnce()
    {
        string his = s_ours.Replace(Role, Role + "2", StringComparison.Ordinal);
        PolicyDocument policy = Parse(s_ours);
        JsonObject[] both = [JsonNode.Parse(his)!.AsObject(), JsonNode.Parse(s_ours)!.AsObject()];
        OurPolicyEdits.PutIn(policy, both);
        OurPolicyEdits.PutIn(policy, both);
        string wanted = s_ours + "," + his.Replace(s_use, s_use + "x2", StringComparison.Ordinal);
        Assert.Equal(P(wanted), policy.Text());
    }

    // Else a cut does not know it again.
    [Fact]
    public void ANumberBehindASidIsReplacedAndNotFollowedByAnother()
    {
        PolicyDocument policy = Parse(s_ours + "," + s_ours.Replace(s_use, s_use + "x2", StringComparison.Ordinal));
        Assert.Equal(s_use + "x3", policy.FreeSid(s_use + "x2"));
    }

    [Fact]
    public void ARestorationGivesNothingTwiceThatIsInUnderAnotherSid()
    {
        PolicyDocument policy = Parse(s_ours.Replace(s_use, s_use + "x5", StringComparison.Ordinal));
        string there = policy.Text();
        OurPolicyEdits.Restore(policy, Parse(s_root + "," + s_ours), TestClusters.Shop, Role, RoleId);
        Assert.Equal(there, policy.Text());
    }

    [Fact]
    public void ARoleThatWasCutOffIsNotLetInByAGrant()
    {
        PolicyDocument policy = Parse(s_root);
        KeyArn key = AwsNames.TryParseKey(Key)!;
        OurPolicyEdits.RequireNotRevoked(policy, TestClusters.Shop, key, "shop");
        OurPolicyEdits.Cut(policy, TestClusters.Shop, Role);
        OurPolicyEdits.RequireNotRevoked(policy, TestClusters.Shop, key, "other");
        Assert.Equal(
            "AccessRevoked",
            Assert.Throws<CmekException>(() => OurPolicyEdits.RequireNotRevoked(policy, TestClusters.Shop, key, "shop")).ErrorId);
    }

    /// <summary>A statement, and what is left of it when the ids of deleted principals are taken out.</summary>
    [Theory]
    [InlineData("""{"Principal":{"AWS":"AROADEADDEADDEADDEAD1"}}""", "")]
    [InlineData("""{"Principal":{"AWS":["AIDADEADDEADDEADDEAD1","AROADEADDEADDEADDEAD1"]}}""", "")]
    [InlineData("""{"Principal":{"AWS":["a","AIDADEADDEADDEADDEAD1"]}}""", """{"Principal":{"AWS":"a"}}""")]
    [InlineData("""{"Principal":{"AWS":["a","AIDADEADDEADDEADDEAD1","b"]}}""", """{"Principal":{"AWS":["a","b"]}}""")]
    [
        InlineData(
            """{"Principal":{"AWS":"AROADEADDEADDEADDEAD1","Service":"s3.amazonaws.com"}}""",
            """{"Principal":{"Service":"s3.amazonaws.com"}}"""),
    ]
    [InlineData("""{"NotPrincipal":{"AWS":"AROADEADDEADDEADDEAD1"}}""", """{"Principal":"*"}""")]
    [InlineData("""{"NotPrincipal":{"AWS":["a","AROADEADDEADDEADDEAD1"]}}""", """{"NotPrincipal":{"AWS":"a"}}""")]
    [InlineData("""{"Principal":{"AWS":"AIDA:x"}}""", """{"Principal":{"AWS":"AIDA:x"}}""")]
    [InlineData("""{"Principal":"*"}""", """{"Principal":"*"}""")]
    public void TheDeadAreTakenOut(string statement, string left)
    {
        PolicyDocument policy = Parse(statement);
        OurPolicyEdits.TakeDeadOut(policy);
        Assert.Equal(P(left), policy.Text());
        Assert.Empty(OurPolicyEdits.DeadPrincipals(policy));
    }

    [Fact]
    public void ATrustIsOursBySidAndShape()
    {
        string sid = OurStatements.TrustSid(TestClusters.Shop);
        string ours = OurStatements.Trust(sid, "aws", "999988887777", "org").ToJsonString();
        Assert.NotNull(OurStatements.FindTrust(Parse(s_root + "," + ours), TestClusters.Shop));
        Assert.NotNull(OurStatements.FindTrust(Parse(ours.Replace(sid, sid + "x12", StringComparison.Ordinal)), TestClusters.Shop));
        foreach (
            string other in new[]
            {
                s_root,
                ours.Replace(sid, sid + "x1y", StringComparison.Ordinal),
                ours.Replace(sid, sid + "y", StringComparison.Ordinal),
                ours.Replace("Allow", "Deny", StringComparison.Ordinal),
                ours.Replace("sts:AssumeRole", "sts:*", StringComparison.Ordinal),
                ours.Replace("\"Effect\"", "\"Resource\":\"*\",\"Effect\"", StringComparison.Ordinal),
                ours.Replace("{\"AWS\":\"arn:aws:iam::999988887777:root\"}", "\"*\"", StringComparison.Ordinal),
            })
        {
            Assert.Null(OurStatements.FindTrust(Parse(other), TestClusters.Shop));
        }
    }

    [Fact]
    public void APolicyThatKmsWouldNotTakeIsNotSent()
    {
        int frame = PolicyDocument.Parse("""{"Id":""}""", Key).Text().Length;
        PolicyDocument.Parse($$"""{"Id":"{{new string('x', PolicyDocument.SizeLimit - frame)}}"}""", Key).RequireSize(Key);
        PolicyDocument large = PolicyDocument.Parse($$"""{"Id":"{{new string('x', PolicyDocument.SizeLimit - frame + 1)}}"}""", Key);
        Assert.Equal("PolicyTooLarge", Assert.Throws<CmekException>(() => large.RequireSize(Key)).ErrorId);
    }

    [Fact]
    public void AStatementIsPutInWhereItBelongs()
    {
        JsonObject added = new() { ["Sid"] = "new" };
        Assert.Equal("new,a", Sids(Single("a"), 0));
        Assert.Equal("a,new", Sids(Single("a"), 1));
        Assert.Equal("a,new,b", Sids(Parse("""{"Sid":"a"},{"Sid":"b"}"""), 1));
        Assert.Equal("a,b,new", Sids(Parse("""{"Sid":"a"},{"Sid":"b"}"""), 9));
        Assert.Equal("new", Sids(PolicyDocument.Parse("{}", Key), 3));

        string Sids(PolicyDocument policy, int at)
        {
            policy.Insert(at, (JsonObject)added.DeepClone());
            return string.Join(',', policy.Statements.Select(s => s["Sid"]!.GetValue<string>()));
        }
    }

    [Fact]
    public void AStatementThatStandsByItselfIsReplacedAndTakenOut()
    {
        PolicyDocument policy = Single("a");
        policy.Replace(policy.Statements[0], new JsonObject { ["Sid"] = "b" });
        Assert.Equal("""{"Statement":{"Sid":"b"}}""", policy.Text());
        policy.Remove(policy.Statements[0]);
        Assert.Equal("""{"Statement":[]}""", policy.Text());
    }

    /// <summary>Two documents, and the lines by which they differ.</summary>
    public static TheoryData<string?, string?, string> Changes => new()
    {
        { null, """{"a":1}""", "+ {|+   \"a\": 1|+ }" },
        { """{"a":1}""", null, "- {|-   \"a\": 1|- }" },
        { """{"a":1}""", """{"a":1}""", "  {|    \"a\": 1|  }" },
        { """{"a":1}""", """{"a":1,"b":2}""", "  {|    \"a\": 1,|+   \"b\": 2|  }" },
        { """{"a":1,"b":2}""", """{"b":2}""", "  {|-   \"a\": 1,|    \"b\": 2|  }" },
        { """{"a":1}""", """{"b":1}""", "  {|-   \"a\": 1|+   \"b\": 1|  }" },
        {
            """{"a":1,"b":2,"c":3}""",
            """{"x":1,"a":1,"c":3,"d":4}""",
            "  {|+   \"x\": 1,|    \"a\": 1,|-   \"b\": 2,|    \"c\": 3,|+   \"d\": 4|  }"
        },
        { """{"a":1,"b":2,"c":3}""", """{"b":2,"a":1,"c":3}""", "  {|-   \"a\": 1,|    \"b\": 2,|+   \"a\": 1,|    \"c\": 3|  }" },
        { """{"a":"<'é>"}""", """{"a":"<'é>"}""", "  {|    \"a\": \"<'é>\"|  }" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void AChangeIsShownAsItsLines(string? before, string? after, string lines) => Assert.Equal(
        lines.Split('|'),
        PolicyJson.Diff(
            before is null ? null : JsonNode.Parse(before),
            after is null ? null : JsonNode.Parse(after)).Split('\n'));

    [Theory]
    [InlineData("""{"a":{"b":1,"c":2}}""", """{"a":{"c":2,"b":1}}""", true)]
    [InlineData("""{"a":[1,2]}""", """{"a":[2,1]}""", false)]
    [InlineData("""{"a":[1,[2,3]]}""", """{"a":[[1,2],3]}""", false)]
    [InlineData("""{"a":[12]}""", """{"a":[1,2]}""", false)]
    [InlineData("""{"a":null}""", """{"a":"null"}""", false)]
    [InlineData("""{"a":1}""", """{"a":2}""", false)]
    [InlineData("""{"Statement":[{"Action":["a","a","b"]}]}""", """{"Statement":[{"Action":["b","a"]}]}""", true)]
    [InlineData("""{"Statement":[{"x":{"Action":["a","b"]}}]}""", """{"Statement":[{"x":{"Action":["b","a"]}}]}""", true)]
    [
        InlineData(
            """{"Statement":[{"Condition":{"Bool":{"Action":["a","b"]}}}]}""",
            """{"Statement":[{"Condition":{"Bool":{"Action":["b","a"]}}}]}""",
            true),
    ]
    public void MeaningIsComparedToTheLetter(string left, string right, bool same) =>
        Assert.Equal(same, PolicyJson.Same(JsonNode.Parse(left), JsonNode.Parse(right)));

    private static PolicyDocument Parse(string statements) => PolicyDocument.Parse(P(statements), Key);

    private static PolicyDocument Single(string sid) => PolicyDocument.Parse($$$"""{"Statement":{"Sid":"{{{sid}}}"}}""", Key);

    private static string P(string statements) => $$"""{"Version":"2012-10-17","Statement":[{{statements}}]}""";
}
