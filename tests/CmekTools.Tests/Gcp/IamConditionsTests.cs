using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;
using CmekTools.Sandbox.Gcp;
using Xunit;

namespace CmekTools.Tests.Gcp;

/// <summary>
/// Conditions are decided as Google decides them, and left open where that cannot be known. Sources: cel-spec (langdef), and
/// https://cloud.google.com/iam/docs/conditions-attribute-reference.
/// </summary>
public sealed class IamConditionsTests
{
    private const string Key = "projects/p/locations/us-east1/keyRings/r/cryptoKeys/k";
    private static readonly DateTimeOffset s_now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly ConditionScope s_scope = new([Key], "cloudkms.googleapis.com/CryptoKey", s_now);

    [Theory]
    [InlineData("true", Decision.Allowed)]
    [InlineData("false", Decision.Denied)]
    [InlineData("request.time < timestamp(\"2030-01-01T00:00:00Z\")", Decision.Allowed)]
    [InlineData("request.time < timestamp('2020-01-01T00:00:00Z')", Decision.Denied)]
    [InlineData("request.time<=timestamp( '2020-01-01T00:00:00Z' )", Decision.Denied)]
    [
        InlineData(
            "request.time > timestamp(\"2020-01-01T00:00:00Z\") && request.time < timestamp(\"2030-01-01T00:00:00Z\")",
            Decision.Allowed),
    ]
    [InlineData("timestamp('2026-06-01T14:30:00+02:00') > request.time", Decision.Allowed)]
    [InlineData("timestamp('2026-06-01T13:30:00+02:00') > request.time", Decision.Denied)]
    [InlineData("request.time.getHours('Europe/Berlin') == 14", Decision.Allowed)]
    [InlineData("request.time - timestamp('2026-06-01T11:00:00Z') < duration('2h')", Decision.Allowed)]
    [InlineData("resource.name == \"" + Key + "\"", Decision.Allowed)]
    [InlineData("resource.name == \"projects/p\"", Decision.Denied)]
    [InlineData("resource.name != \"projects/p\"", Decision.Allowed)]
    [InlineData("resource.name.startsWith(\"projects/p/locations/us-east1\")", Decision.Allowed)]
    [InlineData("resource.name.startsWith('projects/q')", Decision.Denied)]
    [InlineData("!resource.name.startsWith('projects/q')", Decision.Allowed)]
    [InlineData("resource.type == 'cloudkms.googleapis.com/CryptoKey' && resource.service == 'cloudkms.googleapis.com'", Decision.Allowed)]
    [InlineData("resource.service == 'storage.googleapis.com'", Decision.Denied)]
    [InlineData("false || true", Decision.Allowed)]
    [InlineData("true && false || true", Decision.Allowed)]
    [InlineData("true && (false || false)", Decision.Denied)]
    // The hand-written reader was wrong on these: a comment, a choice behind an "or", a timestamp that is none.
    [InlineData("false // || true", Decision.Denied)]
    [InlineData("resource.name == 'a' // not this one\n || true", Decision.Allowed)]
    [InlineData("false || true ? false : true", Decision.Denied)]
    [InlineData("false ? true : true", Decision.Allowed)]
    [InlineData("resource.name == 'projects/p' + '/locations/us-east1/keyRings/r/cryptoKeys/k'", Decision.Allowed)]
    [InlineData("request.time < timestamp('2030-01-01')", Decision.Perhaps)]
    [InlineData("request.time < timestamp('soon')", Decision.Perhaps)]
    // What is not given here may be anything.
    [InlineData("request.auth.claims.x == 'y'", Decision.Perhaps)]
    [InlineData("request.auth.claims.x != 'y'", Decision.Perhaps)]
    [InlineData("has(request.auth)", Decision.Perhaps)]
    [InlineData("!has(request.auth)", Decision.Perhaps)]
    [InlineData("'x' in request", Decision.Perhaps)]
    [InlineData("resource['labels'] == 'x'", Decision.Perhaps)]
    [InlineData("destination.ip == '10.0.0.1'", Decision.Perhaps)]
    [InlineData("resource.matchTag('1/env', 'prod')", Decision.Perhaps)]
    [InlineData("api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['roles/x'])", Decision.Perhaps)]
    [InlineData("resource.name.extract('projects/{p}/') == 'p'", Decision.Perhaps)]
    [InlineData("\"acc\" in request.auth.access_levels", Decision.Perhaps)]
    [InlineData("resource.type == 'cloudkms.googleapis.com/CryptoKeyVersion'", Decision.Perhaps)]
    [InlineData("(true", Decision.Perhaps)]
    [InlineData("true)", Decision.Perhaps)]
    [InlineData("true &", Decision.Perhaps)]
    [InlineData("1", Decision.Perhaps)]
    [InlineData("", Decision.Perhaps)]
    [InlineData("// nothing", Decision.Perhaps)]
    public void ConditionsAreJudgedAsFarAsTheyCanBe(string expression, object holds)
    {
        Assert.Equal(holds, IamConditions.Holds(expression, s_scope));
        if (GcpConditions.Holds(expression, Key, s_now))
        {
            // The sandbox, whose own reader knows less, grants nothing that is denied here.
            Assert.NotEqual<object>(Decision.Denied, holds);
        }
    }

    [Theory]
    [InlineData("resource.name == 'projects/p/locations/l/keyRings/r'", Decision.Perhaps)]
    [InlineData("resource.name == 'projects/1234/locations/l/keyRings/r'", Decision.Perhaps)]
    [InlineData("resource.name.startsWith('projects/q/')", Decision.Denied)]
    [InlineData("resource.name.endsWith('/keyRings/r')", Decision.Allowed)]
    public void AProjectHasTwoNamesAndWhatDependsOnThemIsLeftOpen(string expression, object holds) =>
        Assert.Equal(
            holds,
            IamConditions.Holds(
                expression,
                new ConditionScope(
                    ["projects/p/locations/l/keyRings/r", "projects/1234/locations/l/keyRings/r"],
                    "cloudkms.googleapis.com/KeyRing",
                    s_now)));

    [Fact]
    public void ANumberThatIsNotKnownIsLeftOpen() =>
        Assert.Equal(Decision.Perhaps, IamConditions.Holds("resource.name.startsWith('projects/1234/')", s_scope));

    // A cut must not open by itself.
    [Theory]
    [InlineData("request.time > timestamp('2027-01-01T00:00:00Z')", Decision.Perhaps)]
    [InlineData("timestamp('2027-01-01T00:00:00Z') < request.time", Decision.Perhaps)]
    [InlineData("request.time >= timestamp('2027-01-01T00:00:00Z') && request.time < timestamp('2027-01-01T00:00:01Z')", Decision.Perhaps)]
    [InlineData("request.time == timestamp('2027-01-01T00:00:00Z')", Decision.Perhaps)]
    [InlineData("request.time.getHours() == 3", Decision.Perhaps)]
    [InlineData("request.time - timestamp('2026-06-01T11:00:00Z') > duration('2h')", Decision.Perhaps)]
    [InlineData("request.time < timestamp('2026-06-01T11:00:00Z') + duration('9999h')", Decision.Allowed)]
    [InlineData("request.time > timestamp('2026-06-01T11:00:00Z') + duration('9999h')", Decision.Perhaps)]
    [InlineData("request.time.getHours() == 3 // request.time < timestamp('2020-01-01T00:00:00Z')", Decision.Perhaps)]
    [InlineData("request.time.getHours() == 3 && 'request.time < timestamp(\"2020-01-01T00:00:00Z\")' != ''", Decision.Perhaps)]
    [InlineData("request.time < timestamp('2020-01-01T00:00:00Z')", Decision.Denied)]
    [InlineData("request.time < timestamp('2020-01-01T00:00:00Z') || resource.name == 'x'", Decision.Denied)]
    [InlineData("request.time < timestamp('2030-01-01T00:00:00Z')", Decision.Allowed)]
    [InlineData("resource.name == 'x'", Decision.Denied)]
    public void WhatWillHoldOneDayIsNotDenied(string expression, object ever) =>
        Assert.Equal(ever, IamConditions.EverHolds(expression, s_scope));

    [Fact]
    public void TheEndOfAConditionIsSeen()
    {
        DateTimeOffset end = new(2027, 1, 1, 0, 0, 0, TimeSpan.Zero);
        Assert.Equal(
            end,
            IamConditions.Ends(
                "request.time < timestamp('2030-01-01T00:00:00Z') && request.time < timestamp('2027-01-01T00:00:00Z')",
                s_now));
        Assert.Equal(end, IamConditions.Ends("timestamp('2027-01-01T00:00:00Z') > request.time", s_now));
        Assert.Null(IamConditions.Ends("request.time > timestamp('2030-01-01T00:00:00Z')", s_now));
    }
}
