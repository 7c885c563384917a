using CmekTools.Engine.Gcp.Policies;
using System.Text.Json.Nodes;
using CmekTools.Engine.Gcp;
using CmekTools.Engine.Access;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Gcp;

/// <summary>The Google Cloud provider against the project's own sandbox, which evaluates bindings.</summary>
public sealed class GcpSandboxTests
{
    [Fact]
    public async Task FromNothingToAccessAndASecondRunSendsNoWrite()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        TestOperationHost host = new();
        CmekKey key = await kit.Gcp.EnsureKeyAsync(
            kit.Cluster,
            GoogleKit.Region,
            new KeyOptions { RotationPeriodDays = 30, EnableRotation = true, Tags = new Dictionary<string, string> { ["team"] = "db" } },
            kit.Run(host));
        Assert.Equal(
            ("ENCRYPT_DECRYPT", "GOOGLE_SYMMETRIC_ENCRYPTION", "SOFTWARE", 30, CmekKeyState.Enabled, "1"),
            (key.KeyUsage, key.KeySpec, key.ProtectionLevel, key.RotationPeriodDays, key.State, key.PrimaryVersion));
        Assert.Equal(
            ("db", kit.Cluster.Id, GoogleKit.Region),
            (key.Tags["team"], key.Tags[GcpNames.ClusterLabel], key.Tags[GcpNames.RegionLabel]));
        Assert.Equal(2, key.Changes.Count);
        CmekAccess access = await kit.Gcp.GrantAsync(kit.Cluster, key, GoogleKit.Region, new PrincipalOptions(), kit.Run(host));
        AccessTarget target = kit.Target(access);
        Assert.Equal(3, access.Changes.Count);
        Assert.Equal(
            ["keyRings.create", "cryptoKeys.create", "serviceAccounts.create", "serviceAccounts.setIamPolicy", "cryptoKeys.setIamPolicy"],
            kit.Writes);
        Assert.Null(kit.Try(target));
        Assert.Equal(Decision.Allowed, await kit.DecideAsync(target));
        Assert.Empty(await kit.OffAsync(target));

        kit.Server.ClearExchanges();
        TestOperationHost again = new();
        CmekKey same = await kit.Gcp.EnsureKeyAsync(
            kit.Cluster,
            GoogleKit.Region,
            new KeyOptions { EnableRotation = true },
            kit.Run(again));
        CmekAccess once = await kit.Gcp.GrantAsync(kit.Cluster, same, GoogleKit.Region, new PrincipalOptions(), kit.Run(again));
        Assert.False(same.Changed || once.Changed);
        Assert.Empty(kit.Writes);
        Assert.Empty(again.Questions);
        Assert.Empty(again.Warnings.Concat(host.Warnings));
    }

    [Fact]
    public async Task WhatIfSendsNoWriteAndShowsEachChange()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        TestOperationHost host = new() { WhatIf = true };
        CmekKey key = await kit.Gcp.EnsureKeyAsync(kit.Cluster, GoogleKit.Region, new KeyOptions { EnableRotation = true }, kit.Run(host));
        CmekAccess access = await kit.Gcp.GrantAsync(kit.Cluster, key, GoogleKit.Region, new PrincipalOptions(), kit.Run(host));
        Assert.Equal((CmekKeyState.Planned, true), (key.State, access.Planned));
        Assert.Equal(5, host.Questions.Count);
        Assert.Contains(host.Questions, q => q.Action.Contains("\"rotationPeriod\": \"7776000s\"", StringComparison.Ordinal));
        Assert.Contains(
            host.Questions,
            q => q.Action.Contains(
                $"+ {{\"role\":\"{IamBindings.CryptoRole}\",\"members\":[\"serviceAccount:{access.AuthPrincipal}\"]}}",
                StringComparison.Ordinal));
        AccessTarget target = await kit.GrantedAsync();
        AccessSnapshot snapshot = await kit.Gcp.CaptureAsync(target, kit.Run());
        kit.Server.ClearExchanges();
        await kit.Gcp.CutAsync(target, new CutOptions(DisablePrincipal: true), kit.Run(host));
        Assert.Null(await kit.Gcp.RotateKeyAsync(target.KeyUri, kit.Run(host)));
        Assert.Null(await kit.Gcp.ScheduleDeletionAsync(target.KeyUri, 7, kit.Run(host)));
        await kit.Gcp.RestoreAsync(target, snapshot, kit.Run(host));
        Assert.Empty(kit.Writes);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ACutIsUndoneExactly(bool disable)
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        string member = "serviceAccount:" + target.AuthPrincipal;
        JsonObject policy = kit.Policy(target.KeyUri);
        policy["bindings"]!.AsArray().Insert(
            0,
            JsonNode.Parse($$"""{"role":"roles/cloudkms.viewer","members":["{{member}}","user:auditor@example.com"]}"""));
        policy["bindings"]!.AsArray().Add(
            JsonNode.Parse(
                $$"""{"role":"{{IamBindings.CryptoRole}}","members":["user:b@example.com","{{member}}"],"condition":"""
                    + $$"""{"title":"t","expression":"request.time < timestamp(\"2099-01-01T00:00:00Z\")"},"future":1.10}"""));
        policy["auditConfigs"] = JsonNode.Parse("""[{"service":"cloudkms.googleapis.com","auditLogConfigs":[{"logType":"DATA_READ"}]}]""");
        policy["version"] = 3;
        kit.Put(target.KeyUri, policy);
        (string Key, string Account) before = (Bare(kit.Policy(target.KeyUri)), Bare(kit.Policy(GoogleKit.AccountResource(target))));

        AccessSnapshot snapshot = await kit.Gcp.CaptureAsync(target, kit.Run());
        TestOperationHost host = new();
        await kit.Gcp.CutAsync(target, new CutOptions(disable), kit.Run(host));
        Assert.DoesNotContain(member, kit.Policy(target.KeyUri).ToJsonString(), StringComparison.Ordinal);
        Assert.Equal(Decision.Denied, await kit.DecideAsync(target));
        Assert.NotNull(kit.Try(target));
        Assert.Empty(host.Errors);
        TestOperationHost again = new();
        await kit.Gcp.CutAsync(target, new CutOptions(disable), kit.Run(again));
        Assert.Empty(again.Questions);
        if (disable)
        {
            CmekException e = await Assert.ThrowsAsync<CmekException>(
                () => kit.Gcp.GrantAsync(
                    kit.Cluster,
                    new CmekKey { KeyUri = target.KeyUri, Location = GoogleKit.Region },
                    GoogleKit.Region,
                    new PrincipalOptions(),
                    kit.Run()));
            Assert.Equal("AccessRevoked", e.ErrorId);
            Assert.Contains("Restore-CmekAccess", e.RecommendedAction, StringComparison.Ordinal);
        }

        await kit.Gcp.RestoreAsync(target, snapshot, kit.Run());
        Assert.Equal(before, (Bare(kit.Policy(target.KeyUri)), Bare(kit.Policy(GoogleKit.AccountResource(target)))));
        Assert.Equal(Decision.Allowed, await kit.DecideAsync(target));
        Assert.Null(kit.Try(target));
        await kit.Gcp.RestoreAsync(target, snapshot, kit.Run(again));
        Assert.Empty(again.Questions);
    }

    [Theory]
    [MemberData(nameof(IamBindingsTests.Policies), MemberType = typeof(IamBindingsTests))]
    public async Task PoliciesAsPeopleHaveThemComeBackOverTheWire(string text)
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        string resource = GoogleKit.AccountResource(target);
        JsonObject onKey = IamBindingsTests.Parse(text, "serviceAccount:" + target.AuthPrincipal, IamBindings.CryptoRole);
        JsonObject onAccount = IamBindingsTests.Parse(
            text,
            "serviceAccount:" + GcpNames.ClusterPrincipal(kit.Cluster),
            IamBindings.TokenRole);
        kit.Put(target.KeyUri, onKey);
        kit.Put(resource, onAccount);
        AccessSnapshot snapshot = await kit.Gcp.CaptureAsync(target, kit.Run());
        await kit.Gcp.CutAsync(target, new CutOptions(false), kit.Run());
        // Who is let in with everybody stays in: that binding is not the cluster's.
        Assert.Equal(text.Contains("[\"allUsers\"", StringComparison.Ordinal), kit.Try(target) is null);
        await kit.Gcp.RestoreAsync(target, snapshot, kit.Run());
        Assert.Equal(Filled(onKey), Filled(kit.Policy(target.KeyUri)));
        Assert.Equal(Filled(onAccount), Filled(kit.Policy(resource)));
    }

    [Fact]
    public async Task VersionsComeBackAsTheyWere()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        for (int i = 2; i <= 4; i++)
        {
            Assert.Equal($"{i}", (await kit.Gcp.RotateKeyAsync(target.KeyUri, kit.Run()))?.After);
        }

        await kit.SendAsync("PATCH", $"{target.KeyUri}/cryptoKeyVersions/2?updateMask=state", new JsonObject { ["state"] = "DISABLED" });
        await kit.SendAsync("POST", $"{target.KeyUri}/cryptoKeyVersions/3:destroy", []);
        AccessSnapshot snapshot = await kit.Gcp.CaptureAsync(target, kit.Run());
        TestOperationHost host = new();
        DateTimeOffset? gone = await kit.Gcp.ScheduleDeletionAsync(target.KeyUri, 7, kit.Run(host));
        Assert.True(gone > DateTimeOffset.UtcNow.AddDays(1));
        // Three versions, and the automatic rotation that would make a fourth.
        Assert.Equal(4, host.Questions.Count);
        Assert.Contains(host.Verbose, v => v.Contains("7 days cannot be asked for", StringComparison.Ordinal));
        Assert.Equal(Decision.Denied, await kit.DecideAsync(target));
        CmekKey key = await kit.Gcp.GetKeyAsync(target.KeyUri, kit.Run());
        Assert.Equal("KeyPendingDeletion", Assert.Throws<CmekException>(() => kit.Gcp.RequireUsable(key)).ErrorId);
        await kit.Gcp.RestoreAsync(target, snapshot, kit.Run());
        JsonNode now = (await kit.Gcp.CaptureAsync(target, kit.Run())).Data;
        Assert.Equal(snapshot.Data["versions"]!.ToJsonString(), now["versions"]!.ToJsonString());

        await kit.Gcp.ScheduleDeletionAsync(target.KeyUri, 7, kit.Run());
        await kit.Gcp.ReviveKeyAsync(target.KeyUri, Revival.ForUse, kit.Run());
        now = (await kit.Gcp.CaptureAsync(target, kit.Run())).Data;
        Assert.All(now["versions"]!.AsArray(), v => Assert.Equal("ENABLED", (string?)v!["state"]));
        TestOperationHost again = new();
        await kit.Gcp.ReviveKeyAsync(target.KeyUri, Revival.ForUse, kit.Run(again));
        Assert.Empty(again.Questions);
    }

    [Fact]
    public async Task AnInterruptedRotationIsFinishedWithTheVersionThatItMade()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        CmekKey key = await kit.KeyAsync();
        TestOperationHost stopped = new() { Answer = (_, action) => !action.Contains("primary", StringComparison.Ordinal) };
        Assert.Null(await kit.Gcp.RotateKeyAsync(key.KeyUri!, kit.Run(stopped)));
        Assert.Equal("2", (await kit.Gcp.RotateKeyAsync(key.KeyUri!, kit.Run()))?.After);
        CmekKey now = await kit.Gcp.GetKeyAsync(key.KeyUri!, kit.Run());
        Assert.Equal("2", now.PrimaryVersion);
        Assert.NotNull(now.LastRotation);
        Assert.Equal("3", (await kit.Gcp.RotateKeyAsync(key.KeyUri!, kit.Run()))?.After);
    }

    [Fact]
    public async Task AnAccountThatWasDeletedIsBroughtBackAsThePrincipalThatItWas()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        AccessSnapshot snapshot = await kit.Gcp.CaptureAsync(target, kit.Run());
        await kit.Gcp.CutAsync(target, new CutOptions(false), kit.Run());
        await kit.SendAsync("DELETE", GoogleKit.AccountResource(target));
        Assert.Equal(Decision.Denied, await kit.DecideAsync(target));
        await kit.Gcp.RestoreAsync(target, snapshot, kit.Run());
        AccessSnapshot now = await kit.Gcp.CaptureAsync(target, kit.Run());
        Assert.Equal(snapshot.Data["service_account"]!.ToJsonString(), now.Data["service_account"]!.ToJsonString());
        Assert.Null(kit.Try(target));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnAccountThatWasMadeAnewIsAnotherPrincipalAndThePolicyIsMended(bool withSnapshot)
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        AccessSnapshot snapshot = await kit.Gcp.CaptureAsync(target, kit.Run());
        await kit.SendAsync("DELETE", GoogleKit.AccountResource(target));
        await kit.SendAsync(
            "POST",
            $"projects/{GoogleKit.Project}/serviceAccounts",
            new JsonObject { ["accountId"] = target.AuthPrincipal.Split('@')[0] });
        Assert.Equal(["Fail GcpDeletedMembers", "Fail GcpTokenCreator"], await kit.OffAsync(target));
        TestOperationHost host = new();
        await kit.Gcp.RestoreAsync(target, withSnapshot ? snapshot : null, kit.Run(host));
        Assert.Equal(withSnapshot ? 1 : 0, host.Warnings.Count(w => w.Contains("made anew", StringComparison.Ordinal)));
        Assert.Empty(await kit.OffAsync(target));
        Assert.DoesNotContain("deleted:", kit.Policy(target.KeyUri).ToJsonString(), StringComparison.Ordinal);
        Assert.Null(kit.Try(target));
    }

    [Fact]
    public async Task AGrantReplacesADeadMemberAndSaysSo()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        await kit.SendAsync("DELETE", GoogleKit.AccountResource(target));
        TestOperationHost host = new();
        await kit.Gcp.GrantAsync(kit.Cluster, await kit.KeyAsync(), GoogleKit.Region, new PrincipalOptions(), kit.Run(host));
        Assert.Contains("is gone", Assert.Single(host.Warnings), StringComparison.Ordinal);
        Assert.DoesNotContain("deleted:", kit.Policy(target.KeyUri).ToJsonString(), StringComparison.Ordinal);
        Assert.Null(kit.Try(target));
    }

    [Fact]
    public async Task IamDoesNotKnowANewAccountForAWhileAndTheGrantWaits()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync(new SandboxOptions { IamLag = TimeSpan.FromMilliseconds(700) });
        CmekKey key = await kit.KeyAsync();
        TestOperationHost host = new();
        CmekAccess access = await kit.Gcp.GrantAsync(kit.Cluster, key, GoogleKit.Region, new PrincipalOptions(), kit.Run(host));
        Assert.Equal(3, access.Changes.Count);
        Assert.Contains(host.Progress, p => p.Activity == "Waiting for IAM" && !p.Completed);
        Assert.Contains(host.Progress, p => p.Activity == "Waiting for IAM" && p.Completed);
    }

    [Fact]
    public async Task AClusterPrincipalThatGoogleDoesNotKnowIsNotWaitedFor()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        CmekKey key = await kit.KeyAsync();
        CmekCluster ours = kit.Cluster with { AccountId = GoogleKit.Project };
        CmekServiceException e = await Assert.ThrowsAsync<CmekServiceException>(
            () => kit.Gcp.GrantAsync(ours, key, GoogleKit.Region, new PrincipalOptions(), kit.Run()));
        Assert.Equal(("ClusterPrincipalUnknown", CmekErrorKind.ObjectNotFound), (e.ErrorId, e.Kind));
        Assert.Single(kit.Writes, w => w == "serviceAccounts.setIamPolicy");
    }

    [Theory]
    [
        InlineData(
            "roles/cloudkms.cryptoKeyEncrypterDecrypter",
            "ring",
            "gcloud kms keyrings remove-iam-policy-binding cmektools --location us-central1 --project customer-project"),
    ]
    [InlineData("roles/owner", "project", "gcloud projects remove-iam-policy-binding customer-project")]
    [InlineData("roles/cloudkms.cryptoKeyDecrypter", "project", "gcloud projects remove-iam-policy-binding customer-project")]
    public async Task AnInheritedBindingIsReportedUnlessTheAccountIsDisabled(string role, string place, string remedy)
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        string on = place == "ring"
            ? target.KeyUri[..target.KeyUri.IndexOf("/cryptoKeys/", StringComparison.Ordinal)]
            : GoogleKit.ProjectPolicy;
        kit.Bind(on, role, "serviceAccount:" + target.AuthPrincipal);
        TestOperationHost host = new();
        await kit.Gcp.CutAsync(target, new CutOptions(false), kit.Run(host));
        CmekException e = Assert.Single(host.Errors);
        Assert.Equal("InheritedAccess", e.ErrorId);
        Assert.Contains(remedy, e.RecommendedAction, StringComparison.Ordinal);
        Assert.True(await kit.DecideAsync(target) is Decision.Perhaps or Decision.Unread or Decision.Denied);
        TestOperationHost again = new();
        await kit.Gcp.CutAsync(target, new CutOptions(true), kit.Run(again));
        Assert.Empty(again.Errors);
        Assert.Equal(Decision.Denied, await kit.DecideAsync(target));
    }

    [Fact]
    public async Task WhoMayBeInAGroupIsNotCalledOut()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        kit.Bind(GoogleKit.ProjectPolicy, IamBindings.CryptoRole, "group:everybody@example.com");
        Assert.Equal(Decision.Allowed, await kit.DecideAsync(target));
        TestOperationHost host = new();
        await kit.Gcp.CutAsync(target, new CutOptions(false), kit.Run(host));
        // The account and the cluster's own principal: either may be in it.
        Assert.Equal(2, host.Warnings.Count);
        Assert.All(host.Warnings, w => Assert.Contains("group:everybody@example.com", w, StringComparison.Ordinal));
        Assert.True(await kit.DecideAsync(target) is Decision.Perhaps or Decision.Unread or Decision.Denied);
    }

    [Fact]
    public async Task AVersionThatSomebodySwitchedOffBetweenTwoRevocationsOfOneMachineStaysOff()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        await kit.Gcp.RotateKeyAsync(target.KeyUri, kit.Run());
        await kit.Gcp.DisableKeyAsync(target.KeyUri, kit.Run());
        await kit.Gcp.MarkRevokedAsync(target.KeyUri, [kit.Cluster], kit.Run());

        // Brought back by another machine, and then one version switched off by hand.
        using (EngineKit elsewhere = kit.Another())
        {
            IKeyProvider other = elsewhere.Session.GetProvider(CmekProvider.GCP);
            await other.ReviveKeyAsync(target.KeyUri, Revival.ForUse, elsewhere.Run(new TestOperationHost()));
            await other.UnmarkRevokedAsync(target.KeyUri, elsewhere.Run(new TestOperationHost()));
        }

        await kit.SendAsync("PATCH", $"{target.KeyUri}/cryptoKeyVersions/1?updateMask=state", new JsonObject { ["state"] = "DISABLED" });
        AccessSnapshot snapshot = await kit.Gcp.CaptureAsync(target, kit.Run());
        await kit.Gcp.DisableKeyAsync(target.KeyUri, kit.Run());
        await kit.Gcp.MarkRevokedAsync(target.KeyUri, [kit.Cluster], kit.Run());
        await kit.Gcp.RestoreAsync(target with { InUse = true }, snapshot, kit.Run());
        JsonArray now = (await kit.Gcp.CaptureAsync(target, kit.Run())).Data["versions"]!.AsArray();
        Assert.Equal(["DISABLED", "ENABLED"], now.Select(v => (string?)v!["state"]));
    }

    [Fact]
    public async Task AnEnabledOlderVersionStillDecrypts()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        await kit.Gcp.RotateKeyAsync(target.KeyUri, kit.Run());
        await kit.SendAsync("PATCH", $"{target.KeyUri}/cryptoKeyVersions/2?updateMask=state", new JsonObject { ["state"] = "DISABLED" });
        AccessDecision verdict = await kit.Gcp.EvaluateAsync(target, kit.Run());
        Assert.True(
            verdict.Use is Decision.Perhaps or Decision.Unread || verdict.Read is Decision.Perhaps or Decision.Unread,
            verdict.ToString());
        Assert.Contains("version 1 is enabled", verdict.Reasons[1], StringComparison.Ordinal);
        await kit.SendAsync("PATCH", $"{target.KeyUri}/cryptoKeyVersions/1?updateMask=state", new JsonObject { ["state"] = "DISABLED" });
        Assert.Equal(Decision.Denied, await kit.DecideAsync(target));
    }

    [Fact]
    public async Task KeysAreFoundByClusterAndAForeignKeyIsLeftAlone()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        foreach (CmekRegion region in kit.Cluster.Regions)
        {
            await kit.KeyAsync(region: region.Name);
        }

        List<string?> found = [];
        await foreach (CmekKey key in kit.Gcp.FindKeysAsync(kit.Cluster, null, new KeyOptions(), kit.Run()))
        {
            found.Add(key.Region);
        }

        Assert.Equal(["us-central1", "us-east1"], found);
        CmekKey ours = await kit.KeyAsync();
        await kit.SendAsync(
            "PATCH",
            ours.KeyUri + "?updateMask=labels",
            new JsonObject { ["labels"] = new JsonObject { ["owner"] = "others" } });
        kit.Server.ClearExchanges();
        CmekException e = await Assert.ThrowsAsync<CmekException>(() => kit.KeyAsync());
        Assert.Equal(("KeyExists", CmekErrorKind.ResourceExists), (e.ErrorId, e.Kind));
        Assert.Empty(kit.Writes);
        CmekKey named = await kit.KeyAsync(
            new KeyOptions { KeyName = ours.KeyUri!.Split('/')[^1], Tags = new Dictionary<string, string> { ["team"] = "db" } });
        Assert.Equal(ours.KeyUri, named.KeyUri);
        Assert.Equal(["owner", "team"], named.Tags.Keys.Order());
    }

    [Fact]
    public async Task ANarrowerRoleAndAnAccountOfOnesOwnAreUsed()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        kit.Server.Exclusively(() =>
        {
            kit.Google.Authorizer.AddCustomRole(
                "projects/customer-project/roles/cmekOnly",
                "cloudkms.cryptoKeyVersions.useToEncrypt",
                "cloudkms.cryptoKeyVersions.useToDecrypt");
            return 0;
        });
        await kit.SendAsync("POST", $"projects/{GoogleKit.Project}/serviceAccounts", new JsonObject { ["accountId"] = "my-own-one" });
        AccessTarget target = await kit.GrantedAsync(
            new PrincipalOptions { ServiceAccount = "my-own-one", RoleId = "projects/customer-project/roles/cmekOnly" });
        Assert.Equal("my-own-one@customer-project.iam.gserviceaccount.com", target.AuthPrincipal);
        Assert.Single(kit.Writes, w => w == "serviceAccounts.create");
        Assert.Null(kit.Try(target));
        Assert.Empty(await kit.OffAsync(target));
    }

    // What Google itself changes in any write: the etag, the version where there was none, and bindings without members.
    private static string Filled(JsonObject policy)
    {
        JsonObject filled = policy.DeepClone().AsObject();
        filled.Remove("version");
        foreach (JsonNode? empty in filled["bindings"]!.AsArray().Where(b => b!["members"] is not JsonArray { Count: > 0 }).ToArray())
        {
            filled["bindings"]!.AsArray().Remove(empty);
        }

        return Bare(filled);
    }

    private static string Bare(JsonObject policy)
    {
        policy.Remove("etag");
        return policy.ToJsonString();
    }
}
