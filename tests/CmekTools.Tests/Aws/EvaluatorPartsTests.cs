using System.Text.Json.Nodes;
using CmekTools.Engine.Aws;
using CmekTools.Engine.Aws.Policies;
using Xunit;

namespace CmekTools.Tests.Aws;

/// <summary>
/// The parts of a verdict by themselves: operators, condition keys, patterns, ARNs, variables. Source: the IAM User Guide,
/// reference_policies_elements_condition_operators, reference_policies_condition-keys and reference_policies_variables.
/// </summary>
public sealed class EvaluatorPartsTests
{
    private const string Key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    private const string MultiRegionKey = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab";
    private const string Role = "arn:aws:iam::111122223333:role/shop";
    private static readonly DateTimeOffset s_now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    // 2026-06-01T12:00:00Z is 1780315200.
    [Theory]
    [InlineData("NumericEquals", "1780315199", "1780315200", "1780315201", "No Yes No")]
    [InlineData("NumericNotEquals", "1780315199", "1780315200", "1780315201", "Yes No Yes")]
    [InlineData("NumericLessThan", "1780315199", "1780315200", "1780315201", "No No Yes")]
    [InlineData("NumericLessThanEquals", "1780315199", "1780315200", "1780315201", "No Yes Yes")]
    [InlineData("NumericGreaterThan", "1780315199", "1780315200", "1780315201", "Yes No No")]
    [InlineData("NumericGreaterThanEquals", "1780315199", "1780315200", "1780315201", "Yes Yes No")]
    [InlineData("DateEquals", "1780315199", "1780315200", "1780315201", "No Yes No")]
    [InlineData("DateLessThan", "1780315199", "1780315200", "1780315201", "No No Yes")]
    [InlineData("DateLessThanEquals", "1780315199", "1780315200", "1780315201", "No Yes Yes")]
    [InlineData("DateGreaterThan", "1780315199", "1780315200", "1780315201", "Yes No No")]
    [InlineData("DateGreaterThanEquals", "1780315199", "1780315200", "1780315201", "Yes Yes No")]
    [InlineData("DateGreaterThan", "2026-06-01T11:59:59Z", "2026-06-01T12:00:00Z", "2026-06-01T14:00:01+02:00", "Yes No No")]
    [InlineData("DateLessThan", "2026-06-01T11:59:59Z", "2026-06-01T12:00:00Z", "2026-06-01T12:00:01", "No No Yes")]
    [InlineData("DateLessThan", "soon", "253402300799", "253402300800", "Perhaps Yes Perhaps")]
    [InlineData("NumericLessThan", "soon", "1780315200.5", "1,780,315,201", "Perhaps Yes Yes")]
    public void NumbersAndTimesAreOrdered(string name, string before, string same, string after, string expected)
    {
        string key = name.StartsWith("Date", StringComparison.Ordinal) ? "aws:CurrentTime" : "aws:EpochTime";
        Assert.Equal(expected, string.Join(' ', new[] { before, same, after }.Select(v => Holds(name, key, v))));
    }

    /// <summary>Operator, key, value, whether it holds for a role's session.</summary>
    [Theory]
    [InlineData("StringEquals", "aws:PrincipalAccount", "111122223333", "Yes")]
    [InlineData("StringEquals", "aws:PrincipalAccount", "1111*", "No")]
    [InlineData("StringLike", "aws:PrincipalAccount", "1111*", "Yes")]
    [InlineData("StringEquals", "aws:SecureTransport", "true", "Yes")]
    [InlineData("StringEquals", "aws:PrincipalIsAWSService", "false", "Yes")]
    [InlineData("StringEquals", "aws:PrincipalType", "AssumedRole", "Yes")]
    [InlineData("StringEquals", "aws:PrincipalType", "assumedrole", "No")]
    [InlineData("StringEqualsIgnoreCase", "aws:PrincipalType", "assumedrole", "Yes")]
    [InlineData("StringNotEqualsIgnoreCase", "aws:PrincipalType", "assumedrole", "No")]
    [InlineData("StringEquals", "aws:PrincipalArn", Role, "Yes")]
    [InlineData("StringEquals", "aws:RequestedRegion", "us-east-1", "Yes")]
    [InlineData("StringEquals", "aws:RequestedRegion", "us-west-2", "No")]
    [InlineData("StringEquals", "aws:CurrentTime", "2026-06-01T12:00:00Z", "Yes")]
    [InlineData("StringEquals", "aws:EpochTime", "1780315200", "Yes")]
    [InlineData("StringEquals", "kms:CallerAccount", "111122223333", "Yes")]
    [InlineData("StringEquals", "aws:ResourceAccount", "111122223333", "Yes")]
    [InlineData("Bool", "aws:ViaAWSService", "false", "Yes")]
    [InlineData("Bool", "aws:ViaAWSService", "FALSE", "Yes")]
    [InlineData("Bool", "kms:MultiRegion", "false", "Yes")]
    [InlineData("Bool", "kms:MultiRegion", "true", "No")]
    [InlineData("Null", "kms:ViaService", "true", "Yes")]
    [InlineData("Null", "kms:ViaService", "TRUE", "Yes")]
    [InlineData("Null", "kms:ViaService", "false", "No")]
    [InlineData("Null", "aws:PrincipalAccount", "true", "No")]
    [InlineData("Null", "aws:PrincipalAccount", "false", "Yes")]
    [InlineData("Null", "aws:SourceVpc", "true", "Perhaps")]
    [InlineData("Null", "aws:username", "true", "Yes")]
    [InlineData("Null", "kms:GrantOperations", "true", "Yes")]
    [InlineData("Null", "aws:CalledViaFirst", "true", "Yes")]
    [InlineData("StringEquals", "aws:userid", "AROAEXAMPLE0000000001:one", "Perhaps")]
    [InlineData("StringEquals", "aws:userid", "AROAEXAMPLE0000000002:one", "No")]
    [InlineData("StringNotEquals", "aws:userid", "AROAEXAMPLE0000000002:one", "Yes")]
    [InlineData("StringEqualsIgnoreCase", "aws:userid", "aroaexample0000000001:one", "Perhaps")]
    [InlineData("StringEquals", "aws:userid", "aroaexample0000000001:one", "No")]
    [InlineData("StringLike", "aws:userid", "AROAEXAMPLE0000000001:*", "Yes")]
    [InlineData("StringLike", "aws:userid", "AROA*", "Yes")]
    [InlineData("StringLike", "aws:userid", "*", "Yes")]
    [InlineData("StringLike", "aws:userid", "*:one", "Perhaps")]
    [InlineData("StringLike", "aws:userid", "AROAEXAMPLE0000000001:?", "Perhaps")]
    [InlineData("StringLike", "aws:userid", "AROAEXAMPLE0000000001:one", "Perhaps")]
    [InlineData("StringLike", "aws:userid", "AIDA*", "No")]
    [InlineData("StringEquals", "aws:userid", "AROAEXAMPLE0000000001:*", "Perhaps")]
    [InlineData("ArnEquals", "aws:userid", "AROAEXAMPLE0000000001:one", "Perhaps")]
    public void AConditionHoldsByWhatIsKnownOfTheRequest(string name, string key, string value, string expected) =>
        Assert.Equal(expected, Holds(name, key, value));

    [Fact]
    public void AMultiRegionKeyAndACreateGrantAreKnownAsSuch()
    {
        PolicyContext key = PolicyContext.ForKey(AwsNames.TryParseKey(MultiRegionKey)!, Who, s_now);
        Assert.Equal(new ContextValue(ContextKind.Known, "true"), key.Look("kms:MultiRegion"));
        Assert.Equal(new ContextValue(ContextKind.Known, "false"), key.For("kms:CreateGrant").Look("kms:GrantIsForAWSResource"));
        Assert.Equal(ContextKind.Unknown, key.For("kms:CreateGrant").Look("kms:GrantOperations").Kind);
        Assert.Equal(ContextKind.Absent, key.For("kms:Decrypt").Look("kms:GrantIsForAWSResource").Kind);
    }

    [Fact]
    public void OfTheCallThatAssumesTheRoleThisIsKnown()
    {
        PolicyContext with = PolicyContext.ForTrust(new PolicyPrincipal("999988887777"), "org", s_now);
        Assert.Equal(new ContextValue(ContextKind.Known, "org"), with.Look("sts:ExternalId"));
        Assert.Equal(new ContextValue(ContextKind.Known, "999988887777"), with.Look("aws:PrincipalAccount"));
        Assert.Equal(ContextKind.Absent, with.Look("aws:SourceArn").Kind);
        Assert.Equal(
            ContextKind.Absent,
            PolicyContext.ForTrust(new PolicyPrincipal("999988887777"), null, s_now).Look("sts:ExternalId").Kind);
        foreach (string unknown in new[] { "aws:PrincipalArn", "aws:PrincipalType", "aws:RequestedRegion", "aws:MultiFactorAuthPresent" })
        {
            Assert.Equal(ContextKind.Unknown, with.Look(unknown).Kind);
        }
    }

    [Theory]
    [InlineData("", "", true)]
    [InlineData("*", "", true)]
    [InlineData("", "a", false)]
    [InlineData("a*", "a", true)]
    [InlineData("a**", "a", true)]
    [InlineData("a*b", "ab", true)]
    [InlineData("a*b", "axxbxb", true)]
    [InlineData("a*b", "axxbx", false)]
    [InlineData("a?", "a", false)]
    [InlineData("a?", "ab", true)]
    [InlineData("ab", "a", false)]
    [InlineData("*a?c*", "xxabcxx", true)]
    public void WildcardsStandForWhatTheyStandFor(string pattern, string text, bool fits) =>
        Assert.Equal(fits, PolicyPatterns.Like(pattern, text));

    [Theory]
    [InlineData("arn:aws:iam::111122223333:role/*", Role, "Yes")]
    [InlineData("arn:aws:iam::*:role/*", Role, "Yes")]
    [InlineData("arn:*:role/shop", Role, "Perhaps")]
    [InlineData("arn:aws:iam", Role, "No")]
    [InlineData("*", Role, "Perhaps")]
    [InlineData("arn:aws:iam::444455556666:role/*", Role, "No")]
    [InlineData(Role, "shop", "No")]
    [InlineData("sh*", "shop", "Perhaps")]
    [InlineData("shop", "shop", "No")]
    public void ArnsAreComparedPartByPart(string pattern, string arn, string expected) =>
        Assert.Equal(expected, PolicyPatterns.ArnLike(pattern, arn).ToString());

    [Theory]
    [InlineData("*", true, "Yes")]
    [InlineData(Key, true, "Yes")]
    [InlineData(Key, false, "Yes")]
    [InlineData("arn:aws:kms", true, "Yes")]
    [InlineData("arn:aws:kms", false, "Perhaps")]
    [InlineData("arn:aws:kms:*", false, "Perhaps")]
    [InlineData("arn:aws:s3", true, "No")]
    [InlineData("arn:aws:s3", false, "No")]
    [InlineData("arn:aws:kms:us-east-1:111122223333", true, "Yes")]
    [InlineData("arn:aws:kms:us-east-1:111122223333:key/*", true, "Yes")]
    [InlineData("arn:aws:kms:us-east-1:111122223333:alias/*", true, "No")]
    [InlineData("arn:aws:*:key/1234abcd-12ab-34cd-56ef-1234567890ab", true, "Perhaps")]
    [InlineData("arn:aws:kms:*:*:*:*", true, "No")]
    [InlineData("*1234567890ab", true, "Perhaps")]
    public void ResourcesAreComparedAsTheServicesDo(string pattern, bool complete, string expected) =>
        Assert.Equal(expected, PolicyPatterns.ResourceLike(pattern, Key, complete).ToString());

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("${aws:PrincipalAccount}", "111122223333")]
    [InlineData("a${aws:PrincipalAccount}b${aws:ResourceAccount}c", "a111122223333b111122223333c")]
    [InlineData("a${aws:PrincipalAccount", "a${aws:PrincipalAccount")]
    [InlineData("${aws:PrincipalTag/team}", null)]
    [InlineData("${aws:username}", null)]
    [InlineData("${aws:username, 'bob'}", "bob")]
    [InlineData("${aws:username,''}", "")]
    [InlineData("${aws:username, bob}", null)]
    [InlineData("${aws:username, 'bob}", null)]
    [InlineData("${aws:username, bob'}", null)]
    [InlineData("${aws:username, '}", null)]
    [InlineData("${aws:PrincipalAccount, 'x'}", "111122223333")]
    [InlineData("${$}{x}", "${x}")]
    public void VariablesAreReplacedByWhatIsKnown(string text, string? expected) =>
        Assert.Equal(expected, PolicyPatterns.Resolve(text, Context, variables: true));

    [Fact]
    public void WhatAVariableMakesLiteralIsNoWildcard()
    {
        string pattern = PolicyPatterns.Resolve("a${*}${?}", Context, variables: true)!;
        Assert.True(PolicyPatterns.Like(pattern, "a*?"));
        Assert.False(PolicyPatterns.Like(pattern, "abc"));
        Assert.Equal("a*?", PolicyPatterns.Literal(pattern));
        Assert.Equal("${aws:PrincipalAccount}", PolicyPatterns.Resolve("${aws:PrincipalAccount}", Context, variables: false));
    }

    [Theory]
    [InlineData("arn:aws:kms:us-east-1:111122223333:key/${x}", true, false)]
    [InlineData("arn:aws:kms:us-east-1:${x}:key/a", true, true)]
    [InlineData("${x}", true, true)]
    [InlineData("${x}", false, false)]
    [InlineData("arn:aws:kms:us-east-1:111122223333:key/a", true, false)]
    public void AVariableStandsOnlyBehindTheFifthColon(string text, bool variables, bool misplaced) =>
        Assert.Equal(misplaced, PolicyPatterns.HasMisplacedVariable(text, variables));

    [Theory]
    [InlineData("""{"ArnEquals":{"aws:PrincipalArn":"x"}}""", true)]
    [InlineData("""{"StringLike":{"aws:principalarn":"x","aws:PrincipalAccount":"1"}}""", true)]
    [InlineData("""{"ArnNotEquals":{"aws:PrincipalArn":"x"}}""", false)]
    [InlineData("""{"ArnEqualsIfExists":{"aws:PrincipalArn":"x"}}""", false)]
    [InlineData("""{"Null":{"aws:PrincipalArn":"false"}}""", false)]
    [InlineData("""{"ArnEquals":{"aws:SourceArn":"x"}}""", false)]
    [InlineData("""{"ArnEquals":"x"}""", false)]
    public void ALimitToPrincipalsByTheirArnIsSeen(string condition, bool limited) =>
        Assert.Equal(limited, PolicyConditions.ByPrincipalArn(JsonNode.Parse(condition)));

    [Fact]
    public void AConditionNamesAKeyWhereverItStands() => Assert.True(PolicyConditions.Names(
        JsonNode.Parse("""{"Bool":{"a":"true","aws:CurrentTime":"x"},"Null":{"b":"true"}}"""),
        PolicyContext.IsTime));

    private static PolicyPrincipal Who => new("111122223333", Role, "AROAEXAMPLE0000000001");

    private static PolicyContext Context => PolicyContext.ForKey(AwsNames.TryParseKey(Key)!, Who, s_now).For("kms:Decrypt");

    private static string Holds(string name, string key, string value) => PolicyConditions.Evaluate(
        new JsonObject { [name] = new JsonObject { [key] = value } },
        Context).Holds.ToString();
}
