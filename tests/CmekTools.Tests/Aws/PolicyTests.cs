using CmekTools.Tests.Kit;
using CmekTools.Engine.Aws.Policies;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws;
using Xunit;

namespace CmekTools.Tests.Aws;

/// <summary>Policies as people have them: what a grant, a cut and a restoration do to them, and how they are evaluated.</summary>
public sealed class PolicyTests
{
    private const string Role = "arn:aws:iam::111122223333:role/cmektools-shop-3f1c2b7a";
    private const string Key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    private const string Root = """{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":"""
        + """{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}""";
    private const string Ours = $$"""{"Sid":"CmekToolsUse3f1c2b7a","Effect":"Allow","Principal":{"AWS":"{{Role}}"},"Action":"""
        + $$"""["kms:Encrypt","kms:Decrypt","kms:GenerateDataKey*","kms:DescribeKey","kms:ReEncrypt*"],"Resource":"*"}""";

    /// <summary>Statements that stand in policies of other people, at any place beside ours.</summary>
    public static TheoryData<string> Policies => new(
        P(Root, Ours),
        P(Ours, Root),
        P(Root),
        """{"Version":"2012-10-17","Statement":""" + Ours + "}",
        """{"Version":"2012-10-17","Id":"key-default-1","Statement":[""" + Root + "," + Ours + "]}",
        """{"Statement":[""" + Ours + "," + Root + """],"Id":"odd order","Version":"2008-10-17"}""",
        P(Root, Ours.Replace("[\"kms:Encrypt\",\"kms:Decrypt\",", "[\"kms:Decrypt\",\"kms:Encrypt\",", StringComparison.Ordinal)),
        P(Root, Ours.Replace("{\"AWS\":\"" + Role + "\"}", "{\"AWS\":[\"" + Role + "\"]}", StringComparison.Ordinal)),
        P(
            Root,
            Ours,
            """{"Effect":"Allow","Principal":{"AWS":"""
                + """["arn:aws:iam::111122223333:role/app","arn:aws:iam::111122223333:user/eve"]},"Action":"""
                + """["kms:Decrypt"],"Resource":["*"]}"""),
        P(
            Root,
            Ours,
            """{"Sid":"Grants","Effect":"Allow","Principal":"""
                + """{"AWS":"111122223333"},"Action":"kms:CreateGrant","Resource":"*","Condition":{"Bool":"""
                + """{"kms:GrantIsForAWSResource":true}}}"""),
        P(
            Root,
            """{"Sid":"S3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"""
                + """["kms:Decrypt","kms:GenerateDataKey"],"Resource":"*","Condition":{"StringEquals":"""
                + """{"aws:SourceAccount":"111122223333"}}}""",
            Ours),
        P(
            Root,
            Ours,
            """{"Sid":"NoOutsiders","Effect":"Deny","NotPrincipal":{"AWS":"""
                + """["arn:aws:iam::111122223333:root","arn:aws:iam::111122223333:role/cmektools-shop-3f1c2b7a"]},"Action":"kms:"""
                + """Decrypt","Resource":"*"}"""),
        P(
            Root,
            Ours,
            """{"Sid":"OnlyTls","Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"Bool":"""
                + """{"aws:SecureTransport":"false"}}}"""),
        P(
            Root,
            Ours,
            """{"Sid":"Org","Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:DescribeKey","Resource":"*","Condition":"""
                + """{"StringEquals":{"aws:PrincipalOrgID":["o-1","o-2"]}}}"""),
        P(
            Root,
            """{"Sid":"CmekToolsUse3f1c2b7a","Effect":"Allow","Principal":"""
                + """{"AWS":"arn:aws:iam::111122223333:role/other"},"Action":"kms:Sign","Resource":"*"}"""),
        P(
            Root,
            """{"Sid":"CmekToolsUse3f1c2b7a","Effect":"Deny","Principal":"""
                + """{"AWS":"arn:aws:iam::111122223333:role/other"},"Action":"kms:*","Resource":"*"}""",
            Ours.Replace("3f1c2b7a\",\"Effect", "3f1c2b7ax2\",\"Effect", StringComparison.Ordinal)),
        P(
            Root,
            """{"Sid":"CmekToolsRevoke3f1c2b7a","Effect":"Deny","Principal":"""
                + """{"AWS":"arn:aws:iam::111122223333:role/old"},"Action":"kms:*","Resource":"*"}""",
            Ours),
        P(
            Root,
            Ours,
            Ours.Replace(
                "CmekToolsUse3f1c2b7a\"",
                "CmekToolsUse99999999\"",
                StringComparison.Ordinal).Replace("role/cmektools-shop", "role/cmektools-bank", StringComparison.Ordinal)),
        P(
            Root,
            $$"""{"Sid":"Terraform","Effect":"Allow","Principal":{"AWS":"{{Role}}"},"Action":"""
                + $$"""["kms:ReEncrypt*","kms:GenerateDataKey*","kms:Encrypt","kms:DescribeKey","kms:Decrypt"],"Resource":"*"}"""),
        P(Root, $$"""{"Effect":"Allow","Principal":{"AWS":"{{Role}}"},"Action":"kms:*","Resource":"*"}"""),
        P(
            Root,
            $$"""{"Sid":"Several","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/app","{{Role}}"]},"Action":"""
                + $$"""["kms:Encrypt","kms:Decrypt","kms:GenerateDataKey*","kms:DescribeKey","kms:ReEncrypt*"],"Resource":"*"}""",
            Ours),
        P(
            Root,
            Ours,
            """{"Sid":"Unknown","Effect":"Allow","Principal":"""
                + """{"AWS":"arn:aws:iam::111122223333:role/x"},"Action":"kms:Decrypt","Resource":"*","Future":{"a":"""
                + """[1,2.50,null,true]}}"""),
        P(
            Root,
            Ours,
            """{"Sid":"Umlaut","Effect":"Allow","Principal":"""
                + """{"AWS":"arn:aws:iam::111122223333:role/b"},"Action":"kms:Decrypt","Resource":"*","Condition":{"StringLike":"""
                + """{"kms:EncryptionContext:Straße":"ü<>&'*"}}}"""),
        P(
            Root,
            Ours,
            """{"Sid":"Admins","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/Admin"},"NotAction":"""
                + """["kms:Decrypt","kms:Encrypt"],"Resource":"*"}"""),
        P(
            Root,
            Ours,
            """{"Sid":"Via","Effect":"Allow","Principal":{"AWS":"*"},"Action":"""
                + """["kms:Encrypt","kms:Decrypt"],"Resource":"*","Condition":{"StringEquals":"""
                + """{"kms:CallerAccount":"111122223333","kms:ViaService":"rds.us-east-1.amazonaws.com"}}}"""),
        P(
            Ours,
            Root,
            Ours.Replace(
                "3f1c2b7a\",\"Effect",
                "3f1c2b7ax2\",\"Effect",
                StringComparison.Ordinal).Replace(Role, "arn:aws:iam::111122223333:role/second", StringComparison.Ordinal)));

    [Theory]
    [MemberData(nameof(Policies))]
    public void ACutDeniesAndItsRestorationIsWhatWasThere(string text)
    {
        PolicyDocument before = PolicyDocument.Parse(text, Key);
        PolicyDocument policy = PolicyDocument.Parse(text, Key);
        OurPolicyEdits.Cut(policy, TestClusters.Shop, Role);
        Assert.All(OurStatements.Calls, call => Assert.Equal(PolicyAnswer.Denied, Ask(policy, call).Answer));
        string cut = policy.Text();
        OurPolicyEdits.Cut(policy, TestClusters.Shop, Role);
        Assert.Equal(cut, policy.Text());
        OurPolicyEdits.Restore(policy, before, TestClusters.Shop, Role, "AROAEXAMPLE000000001");
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(text), policy.Root), policy.Text());
        Assert.Equal(before.Text(), policy.Text());
        OurPolicyEdits.Restore(policy, before, TestClusters.Shop, Role, "AROAEXAMPLE000000001");
        Assert.Equal(before.Text(), policy.Text());
    }

    [Fact]
    public void WhatOthersChangedSinceTheCutStays()
    {
        PolicyDocument before = PolicyDocument.Parse(P(Root, Ours), Key);
        PolicyDocument policy = PolicyDocument.Parse(P(Root, Ours), Key);
        OurPolicyEdits.Cut(policy, TestClusters.Shop, Role);
        policy.Add(
            (JsonObject)JsonNode.Parse(
                """{"Sid":"New","Effect":"Allow","Principal":"""
                    + """{"AWS":"arn:aws:iam::111122223333:role/x"},"Action":"kms:Decrypt","Resource":"*"}""")!);
        OurPolicyEdits.Restore(policy, before, TestClusters.Shop, Role, null);
        Assert.Equal(
            ["Enable IAM User Permissions", "CmekToolsUse3f1c2b7a", "New"],
            policy.Statements.Select(s => s["Sid"]!.GetValue<string>()));
    }

    [Fact]
    public void ADeadIdInOurStatementIsWrittenAsTheArn()
    {
        PolicyDocument before = PolicyDocument.Parse(P(Root, Ours.Replace(Role, "AROADEADDEADDEADDEAD1", StringComparison.Ordinal)), Key);
        PolicyDocument policy = before.Clone();
        OurPolicyEdits.Cut(policy, TestClusters.Shop, Role);
        OurPolicyEdits.Restore(policy, before, TestClusters.Shop, Role, "AROAEXAMPLE000000001");
        Assert.Equal(P(Root, Ours), policy.Text());
    }

    /// <summary>Statement, call, what the policy says to the role.</summary>
    public static TheoryData<string, string, string> Answers => new()
    {
        { P(Root), "kms:Decrypt", nameof(PolicyAnswer.Delegated) },
        { P(Root, Ours), "kms:Decrypt", nameof(PolicyAnswer.Allowed) },
        { P(Ours), "kms:GenerateDataKeyWithoutPlaintext", nameof(PolicyAnswer.Allowed) },
        { P(Ours), "kms:Sign", nameof(PolicyAnswer.NotAllowed) },
        { P(S("Allow", "\"*\"", "\"kms:*\"")), "kms:Decrypt", nameof(PolicyAnswer.Allowed) },
        { P(S("Allow", "{\"AWS\":\"*\"}", "\"KMS:decrypt\"")), "kms:Decrypt", nameof(PolicyAnswer.Allowed) },
        { P(S("Allow", "{\"AWS\":\"AROAEXAMPLE000000001\"}", "\"kms:*\"")), "kms:Decrypt", nameof(PolicyAnswer.Allowed) },
        { P(S("Allow", "{\"AWS\":\"AROADEADDEADDEADDEAD1\"}", "\"kms:*\"")), "kms:Decrypt", nameof(PolicyAnswer.NotAllowed) },
        { P(S("Allow", "{\"AWS\":\"arn:aws:iam::444455556666:root\"}", "\"kms:*\"")), "kms:Decrypt", nameof(PolicyAnswer.NotAllowed) },
        { P(S("Allow", "{\"AWS\":\"111122223333\"}", "\"kms:*\"")), "kms:Decrypt", nameof(PolicyAnswer.Delegated) },
        { P(
            S("Allow", "{\"AWS\":\"arn:aws:sts::111122223333:assumed-role/cmektools-shop-3f1c2b7a/one\"}", "\"kms:*\"")),
            "kms:Decrypt",
            nameof(PolicyAnswer.Unknown) },
        { P(
            Ours,
            S("Deny", "{\"AWS\":\"arn:aws:iam::111122223333:root\"}", "\"kms:Decrypt\"")), "kms:Decrypt", nameof(PolicyAnswer.Denied) },
        { P(Ours, S("Deny", "\"*\"", "\"kms:De*\"")), "kms:Encrypt", nameof(PolicyAnswer.Allowed) },
        { P(Ours, S("Deny", "\"*\"", "\"kms:De*\"")), "kms:DescribeKey", nameof(PolicyAnswer.Denied) },
        { P(Ours, N("Deny", $"{{\"AWS\":[\"{Role}\"]}}", "\"kms:*\"")), "kms:Decrypt", nameof(PolicyAnswer.Unknown) },
        { P(Ours, N("Deny", "{\"AWS\":\"arn:aws:iam::111122223333:root\"}", "\"kms:*\"")), "kms:Decrypt", nameof(PolicyAnswer.Unknown) },
        { P(
            Ours,
            N("Deny", "{\"AWS\":\"arn:aws:iam::111122223333:role/other\"}", "\"kms:*\"")), "kms:Decrypt", nameof(PolicyAnswer.Denied) },
        { P(Ours, C("Deny", "{\"Bool\":{\"aws:SecureTransport\":\"false\"}}")), "kms:Decrypt", nameof(PolicyAnswer.Allowed) },
        { P(Ours, C("Deny", "{\"StringNotEquals\":{\"aws:SourceVpce\":\"vpce-1\"}}")), "kms:Decrypt", nameof(PolicyAnswer.Unknown) },
        { P(
            Ours,
            C("Deny", "{\"StringNotEquals\":{\"kms:ViaService\":\"s3.us-east-1.amazonaws.com\"}}")),
            "kms:Decrypt",
            nameof(PolicyAnswer.Denied) },
        { P(
            Ours,
            C("Deny", $"{{\"ArnNotEquals\":{{\"aws:PrincipalArn\":[\"{Role}\",\"arn:aws:iam::111122223333:role/a\"]}}}}")),
            "kms:Decrypt",
            nameof(PolicyAnswer.Allowed) },
        { P(
            Ours,
            C("Deny", "{\"ArnLike\":{\"aws:PrincipalArn\":\"arn:aws:iam::*:role/cmektools-*\"}}")),
            "kms:Decrypt",
            nameof(PolicyAnswer.Denied) },
        { P(C("Allow", "{\"StringEquals\":{\"kms:CallerAccount\":\"111122223333\"}}")), "kms:Decrypt", nameof(PolicyAnswer.Allowed) },
        { P(
            C("Allow", "{\"StringEquals\":{\"kms:ViaService\":\"s3.us-east-1.amazonaws.com\"}}")),
            "kms:Decrypt",
            nameof(PolicyAnswer.NotAllowed) },
        { P(
            C("Allow", "{\"StringEqualsIfExists\":{\"kms:ViaService\":\"s3.us-east-1.amazonaws.com\"}}")),
            "kms:Decrypt",
            nameof(PolicyAnswer.Allowed) },
        { P(C("Allow", "{\"Null\":{\"kms:ViaService\":\"true\"}}")), "kms:Decrypt", nameof(PolicyAnswer.Allowed) },
        { P(C("Allow", "{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/8\"}}")), "kms:Decrypt", nameof(PolicyAnswer.Unknown) },
        { P(
            C("Allow", "{\"DateLessThan\":{\"aws:CurrentTime\":\"2020-01-01T00:00:00Z\"}}")),
            "kms:Decrypt",
            nameof(PolicyAnswer.NotAllowed) },
        { P(C("Allow", "{\"StringLike\":{\"aws:PrincipalTag/team\":\"sre\"}}")), "kms:Decrypt", nameof(PolicyAnswer.Unknown) },
        { P(C("Allow", "{\"Invented\":{\"aws:PrincipalAccount\":\"1\"}}")), "kms:Decrypt", nameof(PolicyAnswer.Unknown) },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public void ThePolicyIsEvaluatedAsAwsDoes(string text, string call, string answer) =>
        Assert.Equal(answer, Ask(PolicyDocument.Parse(text, Key), call).Answer.ToString());

    [Theory]
    [InlineData("""{"StringEquals":{"sts:ExternalId":"org"}}""", nameof(Decision.Allowed), nameof(ExternalIdDemand.Exact))]
    [InlineData("""{"StringEquals":{"sts:ExternalId":["a","org"]}}""", nameof(Decision.Allowed), nameof(ExternalIdDemand.TakesOthers))]
    [InlineData("""{"StringLike":{"sts:ExternalId":"o*"}}""", nameof(Decision.Allowed), nameof(ExternalIdDemand.TakesOthers))]
    [InlineData("""{"StringLike":{"sts:ExternalId":"*"}}""", nameof(Decision.Allowed), nameof(ExternalIdDemand.None))]
    [InlineData("""{"StringEquals":{"sts:ExternalId":"other"}}""", nameof(Decision.Denied), nameof(ExternalIdDemand.TakesOthers))]
    [InlineData("""{}""", nameof(Decision.Allowed), nameof(ExternalIdDemand.None))]
    [InlineData("""{"Bool":{"aws:MultiFactorAuthPresent":"true"}}""", nameof(Decision.Perhaps), nameof(ExternalIdDemand.Unknown))]
    public void TheTrustIsJudgedWithAndWithoutTheExternalId(string condition, string assume, string demand)
    {
        TrustDecision decision = Trust(T("999988887777", condition));
        Assert.Equal((assume, demand), (decision.Assume.ToString(), decision.ExternalId.ToString()));
        Assert.True(decision.AllowedWithoutConditions);
    }

    /// <summary>A statement beside ours, what is then asked of the external ID, and who else may assume the role.</summary>
    public static TheoryData<string, string, string> Trusts => new()
    {
        { T("999988887777", """{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"""), nameof(ExternalIdDemand.Unknown), string.Empty },
        { T("999988887777", "{}"), nameof(ExternalIdDemand.None), string.Empty },
        { """{"Effect":"Allow","Principal":"""
            + """{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}""", nameof(ExternalIdDemand.Exact), "ec2.amazonaws.com" },
        {
            """{"Effect":"Allow","Principal":"""
                + """{"Federated":"arn:aws:iam::111122223333:oidc-provider/x"},"Action":"sts:AssumeRoleWithWebIdentity"}""",
            nameof(ExternalIdDemand.Exact),
            "arn:aws:iam::111122223333:oidc-provider/x"
        },
        { """{"Effect":"Allow","Principal":"""
            + """{"AWS":"444455556666"},"NotAction":"sts:TagSession"}""", nameof(ExternalIdDemand.Exact), "444455556666" },
        { """{"Effect":"Allow","NotPrincipal":"""
            + """{"AWS":"444455556666"},"Action":"sts:*"}""", nameof(ExternalIdDemand.None), "everybody whom NotPrincipal does not name" },
        { """{"Effect":"Allow","Principal":"""
            + """{"AWS":"444455556666"},"Action":"sts:TagSession"}""", nameof(ExternalIdDemand.Exact), string.Empty },
    };

    [Theory]
    [MemberData(nameof(Trusts))]
    public void WhoElseMayAssumeTheRoleIsNamed(string beside, string demand, string others)
    {
        string ours = T("999988887777", """{"StringEquals":{"sts:ExternalId":"org"}}""");
        PolicyDocument trust = PolicyDocument.Parse(P(ours, beside), Role);
        Assert.Equal(demand, TrustEvaluator.Decide(trust, "999988887777", "org", DateTimeOffset.UtcNow).ExternalId.ToString());
        Assert.Equal(others, string.Join(", ", TrustEvaluator.Others(trust, "999988887777")));
    }

    private static TrustDecision Trust(string statement) =>
        TrustEvaluator.Decide(PolicyDocument.Parse(P(statement), Role), "999988887777", "org", DateTimeOffset.UtcNow);

    private static string T(string account, string condition, string action = "sts:AssumeRole") =>
        $$"""{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::{{account}}:root"},"Action":"{{action}}","Condition":{{condition}}}""";

    [Theory]
    [InlineData("""{"Statement":{"Action":"a"}}""", """{"Statement":[{"Action":["a"]}]}""", true)]
    [InlineData("""{"Statement":[{"Action":["a","b"]}]}""", """{"Statement":[{"Action":["b","a"]}]}""", true)]
    [InlineData("""{"Statement":[{"Principal":"*"}]}""", """{"Statement":[{"Principal":{"AWS":["*"]}}]}""", true)]
    [InlineData("""{"Statement":[{"Condition":{"Bool":{"k":true}}}]}""", """{"Statement":[{"Condition":{"Bool":{"k":["true"]}}}]}""", true)]
    [
        InlineData(
            """{"Statement":[{"Condition":{"StringEquals":{"k":["a","b"]}}}]}""",
            """{"Statement":[{"Condition":{"StringEquals":{"k":["b","a"]}}}]}""",
            true),
    ]
    [InlineData("""{"Statement":[{"Action":"a"}]}""", """{"Statement":[{"Action":"A"}]}""", false)]
    [InlineData("""{"Statement":[{"Sid":"1"},{"Sid":"2"}]}""", """{"Statement":[{"Sid":"2"},{"Sid":"1"}]}""", false)]
    public void DocumentsAreComparedByMeaning(string left, string right, bool same) =>
        Assert.Equal(same, PolicyDocument.Parse(left, Key).Same(PolicyDocument.Parse(right, Key)));

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("""{"Statement":[{"Sid":"a","Sid":"b"}]}""")]
    public void AnUnreadablePolicyIsSaidToBeOne(string text) =>
        Assert.Equal("PolicyUnreadable", Assert.Throws<CmekException>(() => PolicyDocument.Parse(text, Key)).ErrorId);

    private static PolicyDecision Ask(PolicyDocument policy, string call)
    {
        PolicyPrincipal who = new("111122223333", Role, "AROAEXAMPLE000000001");
        return PolicyEvaluator.Resource(
            policy,
            who,
            call,
            Key,
            PolicyContext.ForKey(AwsNames.TryParseKey(Key)!, who, DateTimeOffset.UtcNow));
    }

    private static string P(params string[] statements) => $$"""{"Version":"2012-10-17","Statement":[{{string.Join(',', statements)}}]}""";

    private static string S(string effect, string principal, string action) =>
        $$"""{"Effect":"{{effect}}","Principal":{{principal}},"Action":{{action}},"Resource":"*"}""";

    private static string N(string effect, string principal, string action) =>
        $$"""{"Effect":"{{effect}}","NotPrincipal":{{principal}},"Action":{{action}},"Resource":"*"}""";

    private static string C(string effect, string condition) =>
        $$"""{"Effect":"{{effect}}","Principal":"""
            + $$"""{"AWS":"{{(effect == "Allow" ? Role : "*")}}"},"Action":"kms:*","Resource":"*","Condition":{{condition}}}""";
}
