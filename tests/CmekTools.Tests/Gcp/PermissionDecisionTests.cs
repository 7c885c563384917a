using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp;
using CmekTools.Engine.Gcp.Policies;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Gcp;

/// <summary>What is said of a decision, which of two counts, and the deny policy of a cut.</summary>
public sealed class PermissionDecisionTests
{
    private const string Member = "serviceAccount:cmek@p.iam.gserviceaccount.com";
    private const string Key = "projects/p/locations/us-east1/keyRings/r/cryptoKeys/k";
    private static readonly DateTimeOffset s_now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly ResourcePolicy s_key = IamEvaluatorTests.Level(Key, ResourceKind.Key, []);
    private static readonly CmekCluster s_cluster = TestClusters.Shop with { Provider = CmekProvider.GCP, AccountId = "crl-prod-abc" };

    /// <summary>
    /// Policies on the key and on its project, as JSON, and the conditions' time; what is said of using, reading and becoming.
    /// </summary>
    private static readonly Dictionary<string, (string Key, string Project, string Denies)> s_scenes = new()
    {
        ["nothing"] = ("", "", ""),
        ["bound on the key"] = (Bind("roles/cloudkms.cryptoKeyEncrypterDecrypter", Member), "", ""),
        ["bound to everybody"] = (Bind("roles/cloudkms.cryptoKeyDecrypter", "allUsers"), "", ""),
        ["bound to a group"] = (Bind("roles/cloudkms.cryptoKeyDecrypter", "group:g@x.com"), "", ""),
        ["bound for a while"] = (
            Bind("roles/cloudkms.cryptoKeyDecrypter", Member, "request.time < timestamp('2030-01-01T00:00:00Z')"), "", ""),
        ["bound for a while that is over"] = (
            Bind("roles/cloudkms.cryptoKeyDecrypter", Member, "request.time < timestamp('2020-01-01T00:00:00Z')"), "", ""),
        ["bound from a time on"] = (
            Bind("roles/cloudkms.cryptoKeyDecrypter", Member, "request.time > timestamp('2030-01-01T00:00:00Z')"), "", ""),
        ["bound for a while, and without end above"] = (
            Bind("roles/cloudkms.cryptoKeyDecrypter", Member, "request.time < timestamp('2030-01-01T00:00:00Z')"),
            Bind("roles/cloudkms.cryptoKeyDecrypter", Member), ""),
        ["a condition that cannot be judged"] = (Bind("roles/cloudkms.cryptoKeyDecrypter", Member, "resource.matchTag('a','b')"), "", ""),
        ["a condition by the project's number"] = (
            "", Bind("roles/cloudkms.cryptoKeyDecrypter", Member, "resource.name.startsWith('projects/123/locations/')"), ""),
        ["a condition by the project's name"] = (
            "", Bind("roles/cloudkms.cryptoKeyDecrypter", Member, "resource.name.startsWith('projects/p/locations/')"), ""),
        ["administers the key"] = (Bind("roles/cloudkms.admin", Member), "", ""),
        ["makes tokens of the project's accounts"] = ("", Bind("roles/iam.serviceAccountTokenCreator", Member), ""),
        ["denied on the project"] = (
            Bind("roles/cloudkms.cryptoKeyEncrypterDecrypter", Member), "", Deny("cloudkms.googleapis.com/*.*", Principal)),
        ["denied on the project, and administers it"] = (
            Bind("roles/cloudkms.cryptoKeyEncrypterDecrypter", Member), Bind("roles/owner", Member),
            Deny("cloudkms.googleapis.com/cryptoKeyVersions.*", Principal)),
        ["denied to all, with an exception that may take it in"] = (
            Bind("roles/cloudkms.cryptoKeyEncrypterDecrypter", Member), "",
            Deny("cloudkms.googleapis.com/*.useToDecrypt", "principalSet://goog/public:all", "principalSet://goog/group/g@x.com")),
        ["denied to somebody else"] = (
            Bind("roles/cloudkms.cryptoKeyEncrypterDecrypter", Member), "",
            Deny("cloudkms.googleapis.com/*.*", "principal://goog/subject/a@x.com")),
        ["a rule of an unknown kind"] = (
            Bind("roles/cloudkms.cryptoKeyEncrypterDecrypter", Member), "", """{"policies":[{"rules":[{"other":{}}]}]}"""),
        ["deny policies that cannot be read"] = (Bind("roles/cloudkms.cryptoKeyEncrypterDecrypter", Member), "", "unread"),
    };

    private static string Principal => IamMembers.ForDeny(Member);

    [Fact]
    public void WhatIsSaidOfEachSceneIsAsApproved() => Approved.Lines("PermissionDecisions.txt", s_scenes.SelectMany(Lines));

    [Fact]
    public void OfTwoTheStrongerCountsAndThenTheOneThatLasts()
    {
        PermissionDecision allowed = Made(Decision.Allowed);
        PermissionDecision allowedFor = Made(Decision.Allowed, "a while");
        PermissionDecision perhaps = Made(Decision.Perhaps);
        Assert.Same(allowed, PermissionDecision.Stronger(perhaps, allowed));
        Assert.Same(allowed, PermissionDecision.Stronger(allowed, perhaps));
        Assert.Same(allowed, PermissionDecision.Stronger(allowedFor, allowed));
        Assert.Same(allowed, PermissionDecision.Stronger(allowed, allowedFor));
        Assert.Same(allowed, PermissionDecision.Stronger(allowed, Made(Decision.Allowed)));
        Assert.Same(allowedFor, PermissionDecision.Stronger(allowedFor, Made(Decision.Allowed, "another")));
        Assert.Same(
            PermissionDecision.None,
            PermissionDecision.Stronger(PermissionDecision.None, PermissionDecision.None with { Condition = "x" }));
        PermissionDecision nowhere = PermissionDecision.None with { Condition = "x" };
        Assert.Same(nowhere, PermissionDecision.Stronger(nowhere, Made(Decision.Denied)));
        Assert.Same(allowedFor, PermissionDecision.Stronger(allowedFor, allowed with { Level = null }));
        Assert.Same(allowedFor, PermissionDecision.Stronger(allowedFor, perhaps));
        Assert.Same(perhaps, PermissionDecision.Weaker(allowed, perhaps));
        Assert.Same(perhaps, PermissionDecision.Weaker(perhaps, allowed));
        Assert.Same(allowed, PermissionDecision.Weaker(allowed, Made(Decision.Allowed)));
        Assert.Equal(Decision.Perhaps, allowed.AtMost(Decision.Perhaps).Decision);
        Assert.Same(perhaps, perhaps.AtMost(Decision.Perhaps));
        Assert.Same(perhaps, perhaps.AtMost(Decision.Allowed));
    }

    [Fact]
    public void TheDenyPolicyOfACutIsKnownAgain()
    {
        AccessTarget target = new(s_cluster, "o", "us-east1", Key, "cmek@p.iam.gserviceaccount.com");
        JsonObject policy = DenyPolicy.For(target, DenyPolicy.Everything);
        string own = IamMembers.ForDeny("serviceAccount:" + GcpNames.ClusterPrincipal(s_cluster));
        JsonObject wanted = new()
        {
            ["displayName"] = "CmekTools cut shop",
            ["rules"] = new JsonArray(new JsonObject
            {
                ["description"] = "Revoke-CmekAccess; Restore-CmekAccess takes it away.",
                ["denyRule"] = new JsonObject
                {
                    ["deniedPrincipals"] = new JsonArray(Principal, own),
                    ["deniedPermissions"] = new JsonArray(
                        "cloudkms.googleapis.com/cryptoKeyVersions.useToDecrypt",
                        "cloudkms.googleapis.com/cryptoKeyVersions.useToEncrypt",
                        "cloudkms.googleapis.com/cryptoKeyVersions.useToDecryptViaDelegation",
                        "cloudkms.googleapis.com/cryptoKeyVersions.update",
                        "cloudkms.googleapis.com/cryptoKeys.setIamPolicy",
                        "cloudkms.googleapis.com/keyRings.setIamPolicy",
                        "cloudresourcemanager.googleapis.com/projects.setIamPolicy"),
                },
            }),
        };
        Assert.True(JsonNode.DeepEquals(wanted, policy), policy.ToJsonString());
        Assert.True(DenyPolicy.IsSame(policy, target));
        Assert.True(DenyPolicy.IsSame(DenyPolicy.For(target, DenyPolicy.Least), target));
        Assert.False(DenyPolicy.IsSame(DenyPolicy.For(target, [Permissions.Decrypt]), target));
        Assert.False(DenyPolicy.IsSame(policy, target with { AuthPrincipal = "other@p.iam.gserviceaccount.com" }));
        Assert.False(DenyPolicy.IsSame([], target));
        Assert.Equal(63, DenyPolicy.For(Named(63), [])["displayName"]!.GetValue<string>().Length);
        Assert.Equal("CmekTools cut " + new string('n', 49), DenyPolicy.For(Named(49), [])["displayName"]!.GetValue<string>());

        AccessTarget Named(int letters) => target with { Cluster = s_cluster with { Name = new string('n', letters) } };
    }

    [Theory]
    [InlineData("cloudkms.googleapis.com/cryptoKeyVersions.useToDecrypt", true)]
    [InlineData("cloudkms.googleapis.com/*.*", true)]
    [InlineData("cloudkms.googleapis.com/cryptoKeyVersions.*", true)]
    [InlineData("cloudkms.googleapis.com/*.useToDecrypt", true)]
    [InlineData("cloudkms.googleapis.com/*.useToEncrypt", false)]
    [InlineData("cloudkms.googleapis.com/cryptoKeys.*", false)]
    [InlineData("storage.googleapis.com/*.*", false)]
    [InlineData("cloudkms.googleapis.com", false)]
    [InlineData("cloudkms.googleapis.com/.useToDecrypt", false)]
    [InlineData("cloudkms.googleapis.com/x", false)]
    public void AGroupOfPermissionsIsKnown(string pattern, bool denied)
    {
        JsonObject denies = JsonNode.Parse(Deny(pattern, "principalSet://goog/public:all"))!.AsObject();
        Assert.Equal(denied ? Decision.Allowed : Decision.Denied, DenyRules.Deny(denies, Member, Permissions.Decrypt));
    }

    [Fact]
    public void OnlyTheRolesOfWhoMayStandForAMemberAreLookedAt()
    {
        JsonObject policy = JsonNode.Parse(
            $$"""{"bindings":[{"role":"a","members":["user:x@x.com","{{Member}}"]},{"role":"b","members":["user:x@x.com"]},"""
                + """{"role":"c","members":["group:g@x.com"]}]}""")!.AsObject();
        Assert.Equal(["a", "c"], IamEvaluator.RolesFor([IamEvaluatorTests.Level(Key, ResourceKind.Key, policy)], [Member, "user:y@x.com"]));
    }

    private static IEnumerable<string> Lines(KeyValuePair<string, (string Key, string Project, string Denies)> scene)
    {
        ResourcePolicy[] chain =
        [
            IamEvaluatorTests.Level(Key, ResourceKind.Key, Policy(scene.Value.Key)),
            IamEvaluatorTests.Level("projects/p", ResourceKind.Project, Policy(scene.Value.Project), scene.Value.Denies switch
            {
                "unread" => null,
                "" => new JsonObject { ["policies"] = new JsonArray() },
                var denies => JsonNode.Parse(denies)!.AsObject(),
            }),
        ];
        ResourcePolicy[] account =
        [
            IamEvaluatorTests.Level("projects/p/serviceAccounts/a", ResourceKind.Account, Policy(scene.Value.Key)),
            chain[1],
        ];
        IamEvaluator evaluator = new(new Dictionary<string, RoleContents>(), [new ProjectNames("p", "123", null)], s_now);
        yield return Line("use", evaluator.Decide(chain, 0, Member, Permissions.Decrypt, Horizon.Now).Say(Member, "use the key"));
        yield return Line("ever", evaluator.Decide(chain, 0, Member, Permissions.Decrypt, Horizon.Ever).Say(Member, "use the key"));
        yield return Line("read", evaluator.Read(chain, Member).Say(Member, "decrypt with the key"));
        yield return Line("become", evaluator.Become(account, Member).Say(Member, "become the account"));

        string Line(string what, string said) => $"{scene.Key}, {what}: {said}";
    }

    private static PermissionDecision Made(Decision decision, string? condition = null) => new(decision, s_key, "r", "m", condition);

    private static JsonObject Policy(string text) => text.Length == 0 ? [] : JsonNode.Parse(text)!.AsObject();

    private static string Bind(string role, string member, string? condition = null)
    {
        JsonObject binding = new() { ["role"] = role, ["members"] = new JsonArray(member) };
        if (condition is not null)
        {
            binding["condition"] = new JsonObject { ["expression"] = condition };
        }

        return new JsonObject { ["bindings"] = new JsonArray(binding) }.ToJsonString();
    }

    private static string Deny(string permission, string principal, string? except = null) => new JsonObject
    {
        ["policies"] = new JsonArray(new JsonObject
        {
            ["rules"] = new JsonArray(new JsonObject
            {
                ["denyRule"] = new JsonObject
                {
                    ["deniedPrincipals"] = new JsonArray(principal),
                    ["deniedPermissions"] = new JsonArray(permission),
                    ["exceptionPrincipals"] = except is null ? [] : new JsonArray(except),
                },
            }),
        }),
    }.ToJsonString();
}
