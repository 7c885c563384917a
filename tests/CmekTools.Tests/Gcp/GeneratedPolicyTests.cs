using System.Globalization;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp;
using CmekTools.Engine.Gcp.Policies;
using CmekTools.Tests.Gcp.Model;
using Xunit;

namespace CmekTools.Tests.Gcp;

/// <summary>
/// Over worlds that are made up from a seed, nothing is called usable that is not, and nothing cut that is open, where a model that
/// knows everything sees it otherwise. benchmarks/google-policies.ps1 runs more of them.
/// </summary>
public sealed class GeneratedPolicyTests(ITestOutputHelper output)
{
    private static readonly CmekCluster s_cluster = new()
    {
        Id = "5d7c1c3a-0b1f-4b6e-8f52-a1b2c3d4e5f6",
        Name = "ledger",
        Provider = CmekProvider.GCP,
        Plan = "ADVANCED",
        State = "CREATED",
        AccountId = "crl-prod-abc",
        Regions = [new CmekRegion { Name = "us-east1", NodeCount = 3 }],
    };

    private static readonly AccessTarget s_target = new(s_cluster, "o", "us-east1", GoogleWorld.Key, GoogleWorld.AccountEmail);
    private const string Account = "serviceAccount:" + GoogleWorld.AccountEmail;
    private const string Own = "serviceAccount:crl-kms-user-a1b2c3d4e5f6@crl-prod-abc.iam.gserviceaccount.com";

    [Fact]
    public void NothingIsClaimedThatIsNotSo()
    {
        int count = int.Parse(Environment.GetEnvironmentVariable("CMEKTOOLS_POLICIES") ?? "1500", CultureInfo.InvariantCulture);
        int first = int.Parse(Environment.GetEnvironmentVariable("CMEKTOOLS_SEED") ?? "1", CultureInfo.InvariantCulture);
        Dictionary<string, int> said = [];
        List<string> wrong = [];
        for (int seed = first; seed < first + count; seed++)
        {
            GoogleWorld world = new WorldMaker(seed, Account, Own).Make();
            AccessDecision decision = GcpDecisions.Decide(s_target, Evidence(world));
            bool use = new GoogleModel(world, Account, Own).CanUse();
            bool read = new GoogleModel(world, Account, Own).CanEverRead();
            string told = $"use {decision.Use}, {decision.Cut}";
            said[told] = said.GetValueOrDefault(told) + 1;
            bool untrue = (decision.Use == Decision.Allowed && !use) || (decision.Use == Decision.Denied && use)
                || (decision.Cut == CmekCutState.Cut && read)
                || (decision.ExplicitlyStopped && read);
            if (untrue)
            {
                wrong.Add($"seed {seed}: {told} (use {use}, reads {read}); {string.Join("; ", decision.Reasons)}; {Text(world)}");
            }
        }

        foreach ((string told, int times) in said.OrderByDescending(s => s.Value))
        {
            output.WriteLine($"{times,7}  {told}");
        }

        output.WriteLine($"{wrong.Count,7}  wrong of {count}, seeds {first} to {first + count - 1}");
        Assert.True(wrong.Count == 0, $"{wrong.Count} wrong; {string.Join(Environment.NewLine, wrong.Take(5))}");
        // Saying "perhaps" to everything would be right too, and of no use.
        Assert.True(said.Where(s => s.Key.EndsWith("Cut", StringComparison.Ordinal)).Sum(s => s.Value) > count / 10);
        Assert.True(said.Where(s => s.Key.StartsWith("use Allowed", StringComparison.Ordinal)).Sum(s => s.Value) > count / 20);
    }

    /// <summary>
    /// A deny policy on the account's decrypting, which the cluster's own principal may take away (the world of seed 16925): they act
    /// together. And one on the setting of a policy, behind which there is a way to read.
    /// </summary>
    [Theory]
    [InlineData("account", "cryptoKeyVersions.useToDecrypt", "roles/cloudkms.cryptoKeyEncrypterDecrypter", "own")]
    [InlineData("account", "cryptoKeys.setIamPolicy cryptoKeyVersions.useToDecryptViaDelegation", "roles/cloudkms.admin", "account")]
    [InlineData("own", "cryptoKeys.setIamPolicy cryptoKeyVersions.useToDecryptViaDelegation", "roles/cloudkms.admin", "account")]
    public void WhatADenyPolicyStopsIsNoCutWhereOneOfTheTwoMayTakeItAway(string stopped, string permissions, string role, string lifts)
    {
        string Member(string who) => who == "own" ? Own : Account;
        JsonObject Binding(string of, string member) => new()
        {
            ["bindings"] = new JsonArray(new JsonObject { ["role"] = of, ["members"] = new JsonArray(member) }),
        };
        JsonObject denies = new()
        {
            ["policies"] = new JsonArray(new JsonObject
            {
                ["rules"] = new JsonArray(new JsonObject
                {
                    ["denyRule"] = new JsonObject
                    {
                        ["deniedPrincipals"] = new JsonArray(
                            "principal://iam.googleapis.com/projects/-/serviceAccounts/" + Member(stopped).Split(':')[1]),
                        ["deniedPermissions"] = new JsonArray(
                            [.. permissions.Split(' ').Select(p => (JsonNode)("cloudkms.googleapis.com/" + p))]),
                    },
                }),
            }),
        };
        CmekCutState Cut(JsonObject organization)
        {
            PolicyLevel At(string resource, LevelKind kind, JsonObject policy, JsonObject? deny) => new(
                resource,
                kind,
                new Evidence(policy, false, null, "x", resource),
                deny is null ? null : new Evidence(deny, false, null, "x", resource));
            PolicyLevel[] above =
            [
                At("projects/p", LevelKind.Project, [], denies),
                At("organizations/2", LevelKind.Organization, organization, new JsonObject { ["policies"] = new JsonArray() }),
            ];
            PolicyLevel[] chain =
            [
                At(GoogleWorld.Key, LevelKind.Key, Binding(role, Member(stopped)), null),
                At("projects/p/locations/us-east1/keyRings/r", LevelKind.KeyRing, [], null),
                .. above,
            ];
            PolicyLevel account = At(
                GoogleWorld.Account,
                LevelKind.Account,
                Binding("roles/iam.serviceAccountTokenCreator", Own),
                null);
            Evidence there = new([], false, null, "x", GoogleWorld.Account);
            IamJudge judge = new(new Dictionary<string, RoleContents>(), [], GoogleModel.Times[0]);
            return GcpDecisions.Decide(
                s_target,
                new AccessEvidence(new Evidence([], false, null, "x", GoogleWorld.Key), there, chain, [account, .. above], judge)).Cut;
        }

        Assert.Equal(CmekCutState.Cut, Cut([]));
        Assert.Equal(CmekCutState.Perhaps, Cut(Binding("roles/iam.denyAdmin", Member(lifts))));
    }

    /// <summary>
    /// A deleted account that the cluster's own principal may bring back, and an account in another project than the key, whose other
    /// accounts it may act as: neither is cut off for certain.
    /// </summary>
    [Theory]
    [InlineData("p", true, "roles/iam.serviceAccountAdmin", CmekCutState.Perhaps)]
    [InlineData("p", true, "roles/iam.serviceAccountViewer", CmekCutState.Cut)]
    [InlineData("other", false, "roles/iam.serviceAccountTokenCreator", CmekCutState.Perhaps)]
    [InlineData("other", false, "roles/iam.serviceAccountViewer", CmekCutState.Cut)]
    public void WhatTheProjectOfTheAccountLetsTheClustersOwnDoIsNoCut(string project, bool deleted, string role, CmekCutState cut)
    {
        JsonObject crypto = new()
        {
            ["bindings"] = new JsonArray(new JsonObject { ["role"] = IamTree.CryptoRole, ["members"] = new JsonArray(Account) }),
        };
        JsonObject admin = new()
        {
            ["bindings"] = new JsonArray(new JsonObject { ["role"] = role, ["members"] = new JsonArray(Own) }),
        };
        PolicyLevel At(string resource, LevelKind kind, JsonObject policy) => new(
            resource,
            kind,
            new Evidence(policy, false, null, "x", resource),
            kind < LevelKind.Project ? null : new Evidence(new JsonObject { ["policies"] = new JsonArray() }, false, null, "x", resource));
        PolicyLevel[] chain =
        [
            At(GoogleWorld.Key, LevelKind.Key, deleted ? crypto : []),
            At("projects/p/locations/us-east1/keyRings/r", LevelKind.KeyRing, []),
            At("projects/p", LevelKind.Project, project == "p" ? admin : []),
        ];
        PolicyLevel[] ofAccount =
        [
            At(GoogleWorld.Account, LevelKind.Account, []),
            project == "p" ? chain[2] : At("projects/" + project, LevelKind.Project, admin),
        ];
        Evidence account = new(deleted ? null : [], deleted, deleted ? "not found" : null, "x", GoogleWorld.Account);
        IamJudge judge = new(new Dictionary<string, RoleContents>(), [], GoogleModel.Times[0]);
        Assert.Equal(
            cut,
            GcpDecisions.Decide(
                s_target,
                new AccessEvidence(new Evidence([], false, null, "x", GoogleWorld.Key), account, chain, ofAccount, judge)).Cut);
    }

    private static string Text(GoogleWorld world) =>
        string.Join(
            " | ",
            world.KeyChain.Append(world.AccountLevel).Select(
                l => $"{l.Resource.Split('/')[^2]}{(l.Visible ? string.Empty : " hidden")} {l.Policy()["bindings"]!.ToJsonString()} "
                    + $"{(l.Denies.Count > 0 ? l.DenyPolicies().ToJsonString() : string.Empty)}"));

    private static AccessEvidence Evidence(GoogleWorld world)
    {
        LevelKind[] kinds = [LevelKind.Key, LevelKind.KeyRing, LevelKind.Project, LevelKind.Folder, LevelKind.Organization];
        PolicyLevel[] chain = [.. world.KeyChain.Select((l, i) => Level(l, kinds[i]))];
        PolicyLevel[] ofAccount = [Level(world.AccountLevel, LevelKind.Account), .. chain[2..]];
        Evidence account = world.AccountMissing
            ? new Evidence(null, true, "not found", "x", GoogleWorld.Account)
            : new Evidence(new JsonObject { ["disabled"] = world.AccountDisabled ? true : null }, false, null, "x", GoogleWorld.Account);
        Dictionary<string, RoleContents> roles = world.ReadableRoles.ToDictionary(r => r, r => RoleContents.From(new JsonObject
        {
            ["includedPermissions"] = new JsonArray([.. world.CustomRoles[r].Select(p => (JsonNode)p)]),
        })!);
        IamJudge judge = new(roles, [new ProjectNames("p", GoogleWorld.Number, null)], GoogleModel.Times[0]);
        return new AccessEvidence(new Evidence([], false, null, "x", GoogleWorld.Key), account, chain, ofAccount, judge);
    }

    private static PolicyLevel Level(ModelLevel level, LevelKind kind) => new(
        level.Resource,
        kind,
        level.Visible
            ? new Evidence(level.Policy(), false, null, "x", level.Resource)
            : Engine.Gcp.Evidence.Unread("cannot be seen", "x", level.Resource),
        kind < LevelKind.Project
            ? null
            : level.DeniesVisible
            ? new Evidence(level.DenyPolicies(), false, null, "x", level.Resource)
            : Engine.Gcp.Evidence.Unread("cannot be seen", "x", level.Resource));
}
