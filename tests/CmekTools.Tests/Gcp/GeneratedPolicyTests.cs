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
            ResourcePolicy At(string resource, ResourceKind kind, JsonObject policy, JsonObject? deny) => new(
                resource,
                kind,
                new Evidence<JsonObject>(policy, false, null, "x", resource),
                deny is null ? null : new Evidence<JsonObject>(deny, false, null, "x", resource));
            ResourcePolicy[] above =
            [
                At("projects/p", ResourceKind.Project, [], denies),
                At("organizations/2", ResourceKind.Organization, organization, new JsonObject { ["policies"] = new JsonArray() }),
            ];
            ResourcePolicy[] chain =
            [
                At(GoogleWorld.Key, ResourceKind.Key, Binding(role, Member(stopped)), null),
                At("projects/p/locations/us-east1/keyRings/r", ResourceKind.KeyRing, [], null),
                .. above,
            ];
            ResourcePolicy account = At(
                GoogleWorld.Account,
                ResourceKind.Account,
                Binding("roles/iam.serviceAccountTokenCreator", Own),
                null);
            Evidence<JsonObject> there = new([], false, null, "x", GoogleWorld.Account);
            IamEvaluator evaluator = new(new Dictionary<string, RoleContents>(), [], GoogleModel.Times[0]);
            return GcpDecisions.Decide(
                s_target,
                new GcpAccessEvidence(
                    new Evidence<JsonObject>([], false, null, "x", GoogleWorld.Key),
                    there,
                    chain,
                    [account, .. above],
                    evaluator)).Cut;
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
            ["bindings"] = new JsonArray(new JsonObject { ["role"] = IamBindings.CryptoRole, ["members"] = new JsonArray(Account) }),
        };
        JsonObject admin = new()
        {
            ["bindings"] = new JsonArray(new JsonObject { ["role"] = role, ["members"] = new JsonArray(Own) }),
        };
        ResourcePolicy At(string resource, ResourceKind kind, JsonObject policy) => new(
            resource,
            kind,
            new Evidence<JsonObject>(policy, false, null, "x", resource),
            kind < ResourceKind.Project ? null : new Evidence<JsonObject>(
                new JsonObject { ["policies"] = new JsonArray() },
                false,
                null,
                "x",
                resource));
        ResourcePolicy[] chain =
        [
            At(GoogleWorld.Key, ResourceKind.Key, deleted ? crypto : []),
            At("projects/p/locations/us-east1/keyRings/r", ResourceKind.KeyRing, []),
            At("projects/p", ResourceKind.Project, project == "p" ? admin : []),
        ];
        ResourcePolicy[] ofAccount =
        [
            At(GoogleWorld.Account, ResourceKind.Account, []),
            project == "p" ? chain[2] : At("projects/" + project, ResourceKind.Project, admin),
        ];
        Evidence<JsonObject> account = new(deleted ? null : [], deleted, deleted ? "not found" : null, "x", GoogleWorld.Account);
        IamEvaluator evaluator = new(new Dictionary<string, RoleContents>(), [], GoogleModel.Times[0]);
        Assert.Equal(
            cut,
            GcpDecisions.Decide(
                s_target,
                new GcpAccessEvidence(
                    new Evidence<JsonObject>([], false, null, "x", GoogleWorld.Key),
                    account,
                    chain,
                    ofAccount,
                    evaluator)).Cut);
    }

    private static string Text(GoogleWorld world) =>
        string.Join(
            " | ",
            world.KeyChain.Append(world.AccountLevel).Select(
                l => $"{l.Resource.Split('/')[^2]}{(l.Visible ? string.Empty : " hidden")} {l.Policy()["bindings"]!.ToJsonString()} "
                    + $"{(l.Denies.Count > 0 ? l.DenyPolicies().ToJsonString() : string.Empty)}"));

    private static GcpAccessEvidence Evidence(GoogleWorld world)
    {
        ResourceKind[] kinds =
        [
            ResourceKind.Key, ResourceKind.KeyRing, ResourceKind.Project, ResourceKind.Folder, ResourceKind.Organization,
        ];
        ResourcePolicy[] chain = [.. world.KeyChain.Select((l, i) => Level(l, kinds[i]))];
        ResourcePolicy[] ofAccount = [Level(world.AccountLevel, ResourceKind.Account), .. chain[2..]];
        Evidence<JsonObject> account = world.AccountMissing
            ? new Evidence<JsonObject>(null, true, "not found", "x", GoogleWorld.Account)
            : new Evidence<JsonObject>(
                new JsonObject { ["disabled"] = world.AccountDisabled ? true : null },
                false,
                null,
                "x",
                GoogleWorld.Account);
        Dictionary<string, RoleContents> roles = world.ReadableRoles.ToDictionary(r => r, r => RoleContents.From(new JsonObject
        {
            ["includedPermissions"] = new JsonArray([.. world.CustomRoles[r].Select(p => (JsonNode)p)]),
        })!);
        IamEvaluator evaluator = new(roles, [new ProjectNames("p", GoogleWorld.Number, null)], GoogleModel.Times[0]);
        return new GcpAccessEvidence(new Evidence<JsonObject>([], false, null, "x", GoogleWorld.Key), account, chain, ofAccount, evaluator);
    }

    private static ResourcePolicy Level(ModelLevel level, ResourceKind kind) => new(
        level.Resource,
        kind,
        level.Visible
            ? new Evidence<JsonObject>(level.Policy(), false, null, "x", level.Resource)
            : GcpEvidence.Unread("cannot be seen", "x", level.Resource),
        kind < ResourceKind.Project
            ? null
            : level.DeniesVisible
            ? new Evidence<JsonObject>(level.DenyPolicies(), false, null, "x", level.Resource)
            : GcpEvidence.Unread("cannot be seen", "x", level.Resource));
}
