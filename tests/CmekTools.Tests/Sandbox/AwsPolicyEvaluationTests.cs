using System.Text.Json.Nodes;
using CmekTools.Sandbox.Aws;
using CmekTools.Sandbox.Aws.Policies;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>The rules of single policies, without a wire.</summary>
public sealed class AwsPolicyEvaluationTests
{
    private const string Role = "arn:aws:iam::111122223333:role/store";
    private const string Key = "arn:aws:kms:us-east-1:111122223333:key/k";

    [Theory]
    [InlineData("StringEquals", "x", "[\"a\",\"b\"]", "b", true)]
    [InlineData("StringEquals", "x", "\"a\"", null, false)]
    [InlineData("StringEqualsIfExists", "x", "\"a\"", null, true)]
    [InlineData("StringEqualsIfExists", "x", "\"a\"", "b", false)]
    [InlineData("StringEqualsIgnoreCase", "X", "\"A\"", "a", true)]
    [InlineData("StringNotEquals", "x", "\"a\"", null, true)]
    [InlineData("StringNotEquals", "x", "[\"a\",\"b\"]", "b", false)]
    [InlineData("StringLike", "x", "\"a*c?\"", "abbcd", true)]
    [InlineData("StringLike", "x", "\"a*c?\"", "abbc", false)]
    [InlineData("StringNotLike", "x", "\"a*\"", "abc", false)]
    [InlineData("ArnEquals", "x", "\"arn:aws:iam::*:role/store\"", Role, true)]
    [InlineData("ArnLike", "x", "\"arn:aws:iam::1111*:role/*\"", Role, true)]
    [InlineData("ArnLike", "x", "\"arn:aws:*:role/store\"", Role, false)]
    [InlineData("ArnNotEquals", "x", "\"arn:aws:iam::111122223333:role/store\"", Role, false)]
    [InlineData("Bool", "x", "true", "true", true)]
    [InlineData("Bool", "x", "\"false\"", "true", false)]
    [InlineData("Null", "x", "\"true\"", null, true)]
    [InlineData("Null", "x", "\"true\"", "a", false)]
    [InlineData("Null", "x", "false", "a", true)]
    [InlineData("IpAddress", "x", "\"127.0.0.0/8\"", "127.0.0.1", true)]
    [InlineData("IpAddress", "x", "\"10.0.0.0/8\"", "127.0.0.1", false)]
    [InlineData("NotIpAddress", "x", "\"10.0.0.0/8\"", "127.0.0.1", true)]
    [InlineData("DateGreaterThan", "x", "\"2026-01-01T00:00:00Z\"", "2026-06-01T00:00:00Z", true)]
    [InlineData("DateLessThan", "x", "\"2026-01-01T00:00:00Z\"", "2026-06-01T00:00:00Z", false)]
    [InlineData("NumericLessThanEquals", "x", "3", "3", true)]
    [InlineData("ForAllValues:StringEquals", "x", "\"a\"", null, true)]
    [InlineData("ForAnyValue:StringEquals", "x", "\"a\"", null, false)]
    [InlineData("ForAnyValue:StringLike", "x", "\"a*\"", "ab", true)]
    public void AConditionHoldsOrNot(string @operator, string key, string values, string? given, bool holds)
    {
        PolicyDocument policy = Read(
            "{\"Effect\":\"Allow\",\"Action\":\"kms:Encrypt\",\"Resource\":\"*\",\"Condition\":"
                + "{\"" + @operator + "\":{\"" + key + "\":" + values + "}}}",
            PolicyKind.Identity);
        PolicyQuestion question = Ask("kms:Encrypt");
        Questions.Add(question, "x", given);
        Assert.Equal(holds, PolicyEvaluation.Evaluate(policy, question, PolicyKind.Identity).Allows == Reach.Caller);
    }

    [Theory]
    [InlineData("\"Action\":\"kms:Enc*\",\"Resource\":\"*\"", true)]
    [InlineData("\"Action\":\"KMS:encrypt\",\"Resource\":\"*\"", true)]
    [InlineData("\"Action\":[\"kms:Decrypt\",\"kms:*\"],\"Resource\":\"*\"", true)]
    [InlineData("\"Action\":\"kms:ReEncrypt*\",\"Resource\":\"*\"", false)]
    [InlineData("\"NotAction\":\"kms:Encrypt\",\"Resource\":\"*\"", false)]
    [InlineData("\"NotAction\":\"kms:Decrypt\",\"Resource\":\"*\"", true)]
    [InlineData("\"Action\":\"*\",\"Resource\":\"arn:aws:kms:*:111122223333:key/*\"", true)]
    [InlineData("\"Action\":\"*\",\"Resource\":\"arn:aws:kms:us-west-2:111122223333:key/k\"", false)]
    [InlineData("\"Action\":\"*\",\"NotResource\":\"arn:aws:kms:us-east-1:111122223333:key/k\"", false)]
    public void AStatementCoversAnActionOrNot(string what, bool covers)
    {
        PolicyDocument policy = Read("{\"Effect\":\"Allow\"," + what + "}", PolicyKind.Identity);
        Assert.Equal(covers, PolicyEvaluation.Evaluate(policy, Ask("kms:Encrypt"), PolicyKind.Identity).Allows == Reach.Caller);
    }

    [Theory]
    [InlineData("\"Principal\":\"*\"", "Caller")]
    [InlineData("\"Principal\":{\"AWS\":\"*\"}", "Caller")]
    [InlineData("\"Principal\":{\"AWS\":[\"arn:aws:iam::111122223333:root\",\"AROASTORE\"]}", "Role")]
    [InlineData("\"Principal\":{\"AWS\":\"arn:aws:iam::111122223333:root\"}", "Account")]
    [InlineData("\"Principal\":{\"AWS\":\"arn:aws:sts::111122223333:assumed-role/store/s\"}", "Caller")]
    [InlineData("\"Principal\":{\"AWS\":\"arn:aws:sts::111122223333:assumed-role/store/other\"}", "None")]
    [InlineData("\"Principal\":{\"AWS\":\"AROAANOTHER\"}", "None")]
    [InlineData("\"Principal\":{\"Service\":\"ec2.amazonaws.com\"}", "None")]
    [InlineData("\"NotPrincipal\":{\"AWS\":\"AROASTORE\"}", "None")]
    [InlineData("\"NotPrincipal\":{\"AWS\":\"AROAANOTHER\"}", "Caller")]
    public void APrincipalReachesASession(string principal, string reach)
    {
        PolicyDocument policy = Read("{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"," + principal + "}", PolicyKind.Key);
        Assert.Equal(reach, PolicyEvaluation.Evaluate(policy, Ask("kms:Encrypt"), PolicyKind.Key).Allows.ToString());
    }

    private static PolicyQuestion Ask(string action) =>
        new(
            new AwsCaller(
                "111122223333",
                "arn:aws:sts::111122223333:assumed-role/store/s",
                "AROASTORE:s",
                Role,
                "AROASTORE",
                [],
                null,
                null),
            action,
            Key);

    private static PolicyDocument Read(string statement, PolicyKind kind) =>
        PolicyDocument.Read(JsonNode.Parse("{\"Version\":\"2012-10-17\",\"Statement\":" + statement + "}")!.AsObject(), kind);
}
