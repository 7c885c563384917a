using System.Text.Json.Nodes;
using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp;
using CmekTools.Engine.Gcp.Policies;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Gcp;

/// <summary>Google Cloud as it really answers; each test names where that was seen or is written.</summary>
public sealed class GcpRealityTests
{
    private const string Organization = "organizations/334455667788";

    // hashicorp/terraform-provider-google#3349, #11208; sethvargo/vault-on-gke#33: 403 "denied on resource (or it may not exist)" for
    // what does not exist.
    [Fact]
    public async Task AMissingAccountIsRefusedLikeAForbiddenOneAndTheFirstGrantMakesIt()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync(
            new SandboxOptions { MissingIsDenied = true, StaleReads = TimeSpan.FromMilliseconds(300) });
        AccessTarget target = await kit.GrantedAsync();
        Assert.Contains(kit.Server.Exchanges, e => e.Status == 403 && e.Request.Operation == "serviceAccounts.get");
        Assert.Null(kit.Try(target));
        await kit.SendAsync("DELETE", GoogleKit.AccountResource(target));
        AccessDecision decision = await kit.Gcp.EvaluateAsync(target, kit.Run());
        Assert.Equal(Decision.Denied, decision.Use);
        Assert.Contains(decision.Reasons, r => r.Contains("does not exist", StringComparison.Ordinal));
        Assert.Contains("Fail GcpServiceAccount", await kit.OffAsync(target));
    }

    [Fact]
    public async Task WhereNothingOfAnAccountCanBeSeenMakingItTells()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync(
            timings: Timings.Sandbox with { PropagationLimit = TimeSpan.FromMilliseconds(200) });
        AccessTarget target = await kit.GrantedAsync();
        GcpDefectTests.Forbid(kit, "serviceAccounts.get serviceAccounts.list");
        kit.Server.ClearExchanges();
        CmekAccess access = await kit.Gcp.GrantAsync(
            kit.Cluster,
            await kit.KeyAsync(),
            GoogleKit.Region,
            new PrincipalOptions(),
            kit.Run());
        Assert.Equal((false, target.AuthPrincipal), (access.Planned, access.AuthPrincipal));
        Assert.Contains(kit.Server.Exchanges, e => e.Status == 409 && e.Request.Operation == "serviceAccounts.create");
        Assert.Equal(Decision.Unread, await kit.DecideAsync(target));
    }

    // https://cloud.google.com/iam/docs/access-change-propagation: a read right after a write may give the policy before it.
    [Fact]
    public async Task AnOldReadIsToldFromAnothersChange()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync(new SandboxOptions { StaleReads = TimeSpan.FromMilliseconds(300) });
        AccessTarget target = await kit.GrantedAsync();
        Assert.Equal(Decision.Allowed, await kit.DecideAsync(target));
        await kit.Gcp.CutAsync(target, new CutOptions(false), kit.Run());
        Assert.Equal(CmekCutState.Cut, (await kit.Gcp.EvaluateAsync(target, kit.Run())).Cut);

        // Somebody else's write in the same moment is no old read.
        bool done = false;
        kit.Server.Options = kit.Server.Options with { StaleReads = TimeSpan.Zero };
        kit.Server.After = (request, _) =>
        {
            if (request.Operation == "cryptoKeys.setIamPolicy" && !done)
            {
                done = true;
                kit.Put(target.KeyUri, []);
            }

            return Task.FromResult<SandboxResponse?>(null);
        };
        CmekException e = await Assert.ThrowsAsync<CmekException>(() => kit.Gcp.RestoreAsync(target, null, kit.Run()));
        Assert.Equal("PolicyNotAsWritten", e.ErrorId);
    }

    // KeyCut was once True with the cluster's own principal as Decrypter on the key.
    [Fact]
    public async Task TheClustersOwnPrincipalOnTheKeyIsCutTooAndComesBack()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        string own = "serviceAccount:" + GcpNames.ClusterPrincipal(kit.Cluster);
        kit.Bind(target.KeyUri, "roles/cloudkms.cryptoKeyDecrypter", own);
        AccessSnapshot before = await kit.Gcp.CaptureAsync(target, kit.Run());
        await kit.Gcp.CutAsync(target, new CutOptions(false), kit.Run());
        Assert.DoesNotContain(own, kit.Policy(target.KeyUri).ToJsonString(), StringComparison.Ordinal);
        Assert.Equal(CmekCutState.Cut, (await kit.Gcp.EvaluateAsync(target, kit.Run())).Cut);
        await kit.Gcp.RestoreAsync(target, before, kit.Run());
        Assert.Contains(own, kit.Policy(target.KeyUri).ToJsonString(), StringComparison.Ordinal);

        // On the ring it is not ours to take away, and no cut; a disabled account changes nothing about it.
        kit.Bind(
            target.KeyUri[..target.KeyUri.IndexOf("/cryptoKeys/", StringComparison.Ordinal)],
            "roles/cloudkms.cryptoKeyDecrypter",
            own);
        TestOperationHost host = new();
        await kit.Gcp.CutAsync(target, new CutOptions(true), kit.Run(host));
        Assert.Contains(own, Assert.Single(host.Errors).Message, StringComparison.Ordinal);
        Assert.Equal(CmekCutState.Open, (await kit.Gcp.EvaluateAsync(target, kit.Run())).Cut);
    }

    // https://cloud.google.com/iam/docs/roles-permissions: what these give above the key, and what an account with them does next.
    [Theory]
    [InlineData(Organization, "roles/cloudkms.admin")]
    [InlineData("folders/223344556677", "roles/cloudkms.cryptoKeyDecrypter")]
    [InlineData(GoogleKit.ProjectPolicy, "roles/admin")]
    [InlineData(GoogleKit.ProjectPolicy, "roles/resourcemanager.projectIamAdmin")]
    [InlineData(GoogleKit.ProjectPolicy, "roles/iam.serviceAccountTokenCreator")]
    public async Task WhoCanLetHimselfInAgainIsNotCut(string on, string role)
    {
        await using GoogleKit kit = await GoogleKit.StartAsync(
            new SandboxOptions { GoogleAncestors = ["folders/223344556677", Organization] });
        AccessTarget target = await kit.GrantedAsync();
        kit.Bind(on, role, "serviceAccount:" + target.AuthPrincipal);
        await kit.Gcp.CutAsync(target, new CutOptions(false), kit.Run());
        Assert.True((await kit.Gcp.EvaluateAsync(target, kit.Run())).Cut is CmekCutState.Open or CmekCutState.Perhaps);
    }

    [Theory]
    [InlineData("folders.getIamPolicy")]
    [InlineData("organizations.getIamPolicy")]
    [InlineData("projects.getAncestry")]
    public async Task ALevelAboveTheProjectThatCannotBeSeenLeavesTheCutUnproven(string call)
    {
        await using GoogleKit kit = await GoogleKit.StartAsync(
            new SandboxOptions { GoogleAncestors = ["folders/223344556677", Organization] });
        AccessTarget target = await kit.GrantedAsync();
        await kit.Gcp.CutAsync(target, new CutOptions(false), kit.Run());
        Assert.Equal(CmekCutState.Cut, (await kit.Gcp.EvaluateAsync(target, kit.Run())).Cut);
        GcpDefectTests.Forbid(kit, call);
        AccessDecision decision = await kit.Gcp.EvaluateAsync(target, kit.Run());
        Assert.Equal((CmekCutState.Unread, false), (decision.Cut, decision.ExplicitlyStopped));
    }

    // https://cloud.google.com/iam/docs/deny-overview: a deny policy wins over groups, inherited grants and what is granted later.
    [Fact]
    public async Task TheCutDeniesOnTheProjectWhereItMayAndTheRestoreTakesThatBack()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        string member = "serviceAccount:" + target.AuthPrincipal;
        kit.Bind(GoogleKit.ProjectPolicy, "roles/iam.denyAdmin", "user:admin@example.com");
        kit.Server.Exclusively(() =>
        {
            kit.Google.Authorizer.AddGroup("everybody@example.com", member, "serviceAccount:" + GcpNames.ClusterPrincipal(kit.Cluster));
            return 0;
        });
        kit.Bind(GoogleKit.ProjectPolicy, IamBindings.CryptoRole, "group:everybody@example.com");
        kit.Bind(GoogleKit.ProjectPolicy, "roles/iam.serviceAccountTokenCreator", "group:everybody@example.com");
        AccessSnapshot before = await kit.Gcp.CaptureAsync(target, kit.Run());
        Assert.Contains("/denypolicies/cmektools-cut-", before.Data["deny_policy"]!.ToString(), StringComparison.Ordinal);

        // What a group gives is still there after the bindings are taken away.
        kit.Server.ClearExchanges();
        TestOperationHost host = new();
        await kit.Gcp.CutAsync(target, new CutOptions(false), kit.Run(host));
        Assert.Equal(
            ["cryptoKeys.setIamPolicy", "denypolicies.create", "serviceAccounts.setIamPolicy"],
            kit.Writes.Where(w => w != "cryptoKeys.patch"));
        Assert.Contains("useToEncrypt", kit.Try(target), StringComparison.Ordinal);
        AccessDecision decision = await kit.Gcp.EvaluateAsync(target, kit.Run());
        Assert.Equal(Decision.Denied, decision.Use);
        // The group may hold another account's tokens too: that is left open, and said.
        Assert.Contains(host.Warnings, w => w.Contains("group:everybody@example.com", StringComparison.Ordinal));
        Assert.Contains("Fail GcpDenyPolicies", await kit.OffAsync(target));

        // Once more changes nothing; whatever is granted later is of no use.
        TestOperationHost again = new();
        await kit.Gcp.CutAsync(target, new CutOptions(false), kit.Run(again));
        Assert.Empty(again.Questions);
        kit.Bind(target.KeyUri, IamBindings.CryptoRole, member);
        Assert.NotNull(kit.Try(target));
        await kit.Gcp.RestoreAsync(target, before, kit.Run());
        Assert.Null(kit.Try(target));
        Assert.Contains("denypolicies.delete", kit.Writes);
    }

    [Fact]
    public async Task ADenyPolicyIsProofAtOnceAndARefusedOneDoesNotHoldTheCutUp()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        kit.Bind(GoogleKit.ProjectPolicy, "roles/iam.denyAdmin", "user:admin@example.com");
        kit.Server.Before = r => Task.FromResult(r.Operation == "denypolicies.create"
            ? new SandboxResponse { Status = 403, Body = """{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}""" }
            : null);
        TestOperationHost host = new();
        await kit.Gcp.CutAsync(target, new CutOptions(false), kit.Run(host));
        Assert.Contains("deny policy could not be written", Assert.Single(host.Warnings), StringComparison.Ordinal);
        AccessDecision cut = await kit.Gcp.EvaluateAsync(target, kit.Run());
        Assert.Equal((CmekCutState.Cut, false), (cut.Cut, cut.ExplicitlyStopped));
        kit.Server.Before = null;
        await kit.Gcp.CutAsync(target, new CutOptions(false), kit.Run());
        cut = await kit.Gcp.EvaluateAsync(target, kit.Run());
        Assert.Equal((CmekCutState.Cut, true), (cut.Cut, cut.ExplicitlyStopped));
    }

    [Fact]
    public async Task ADisabledKeyIsProofUnlessSomebodyMayEnableIt()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        await kit.Gcp.DisableKeyAsync(target.KeyUri, kit.Run());
        AccessDecision decision = await kit.Gcp.EvaluateAsync(target, kit.Run());
        Assert.Equal((CmekCutState.Cut, true), (decision.Cut, decision.ExplicitlyStopped));
        kit.Bind(target.KeyUri, "roles/cloudkms.admin", "serviceAccount:" + target.AuthPrincipal);
        decision = await kit.Gcp.EvaluateAsync(target, kit.Run());
        Assert.Equal((CmekCutState.Perhaps, false), (decision.Cut, decision.ExplicitlyStopped));
    }

    /// <summary>Whoever may set the project's policy gives himself the right to enable a version.</summary>
    [Fact]
    public async Task ADisabledKeyIsNoProofWhereTheClusterMayGiveItselfTheRightToEnableIt()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        string own = "serviceAccount:" + GcpNames.ClusterPrincipal(kit.Cluster);
        kit.Bind(GoogleKit.ProjectPolicy, "roles/resourcemanager.projectIamAdmin", own);
        await kit.Gcp.DisableKeyAsync(target.KeyUri, kit.Run());
        AccessDecision decision = await kit.Gcp.EvaluateAsync(target, kit.Run());
        Assert.Equal((CmekCutState.Perhaps, false), (decision.Cut, decision.ExplicitlyStopped));
    }

    // https://cloud.google.com/kms/docs/consistency: a new primary version is used within a minute as a rule.
    /// <summary>Whoever may act as another account of the project may enable a version as that one.</summary>
    [Theory]
    [InlineData("roles/iam.serviceAccountTokenCreator", true)]
    [InlineData("roles/iam.serviceAccountTokenCreator", false)]
    [InlineData("roles/iam.serviceAccountUser", true)]
    public async Task ADisabledKeyIsNoProofWhereTheClusterMayActAsAnotherAccount(string role, bool own)
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        string who = "serviceAccount:" + (own ? GcpNames.ClusterPrincipal(kit.Cluster) : target.AuthPrincipal);
        kit.Bind(GoogleKit.ProjectPolicy, role, who);
        await kit.Gcp.DisableKeyAsync(target.KeyUri, kit.Run());
        AccessDecision decision = await kit.Gcp.EvaluateAsync(target, kit.Run());
        Assert.Equal((CmekCutState.Perhaps, false), (decision.Cut, decision.ExplicitlyStopped));
    }

    /// <summary>A deny policy under our name that somebody has written more into is not ours alone to delete.</summary>
    [Fact]
    public async Task ADenyPolicyThatSomebodyHasAddedToStaysAndIsNamed()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        kit.Bind(GoogleKit.ProjectPolicy, "roles/iam.denyAdmin", "user:admin@example.com");
        AccessSnapshot before = await kit.Gcp.CaptureAsync(target, kit.Run());
        await kit.Gcp.CutAsync(target, new CutOptions(false), kit.Run());
        string name = DenyPolicy.NameFor(target);
        kit.Server.Before = r =>
        {
            if (r.Operation != "denypolicies.get")
            {
                return Task.FromResult<SandboxResponse?>(null);
            }

            // The security team has denied somebody else the project's keys in the same policy.
            JsonObject policy = DenyPolicy.For(target, DenyPolicy.Everything);
            JsonNode other = policy["rules"]![0]!.DeepClone();
            other["denyRule"]!["deniedPrincipals"] = new JsonArray("principal://goog/subject/mallory@example.com");
            policy["rules"]!.AsArray().Add(other);
            policy["name"] = name;
            return Task.FromResult<SandboxResponse?>(new SandboxResponse { Status = 200, Body = policy.ToJsonString() });
        };
        TestOperationHost host = new();
        await kit.Gcp.RestoreAsync(target, before, kit.Run(host));
        Assert.DoesNotContain("denypolicies.delete", kit.Writes);
        Assert.Contains(host.Warnings, w => w.Contains(name, StringComparison.Ordinal));
        kit.Server.Before = null;
        await kit.Gcp.RestoreAsync(target, before, kit.Run());
        Assert.Contains("denypolicies.delete", kit.Writes);
        Assert.Null(kit.Try(target));
    }

    [Fact]
    public async Task ARotationWaitsUntilTheNewVersionEncrypts()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync(new SandboxOptions { IamLag = TimeSpan.FromMilliseconds(400) });
        CmekKey key = await kit.KeyAsync();
        await kit.Gcp.RotateKeyAsync(key.KeyUri!, kit.Run());
        kit.Server.ClearExchanges();
        Assert.Equal("3", (await kit.Gcp.RotateKeyAsync(key.KeyUri!, kit.Run()))?.After);
        SandboxExchange[] looks = [.. kit.Server.Exchanges.Where(e => e.Request.Operation == "cryptoKeys.encrypt")];
        Assert.True(looks.Length > 1);
        Assert.Contains("cryptoKeyVersions/3", looks[^1].ResponseBody, StringComparison.Ordinal);
        GcpDefectTests.Forbid(kit, "cryptoKeys.encrypt");
        TestOperationHost host = new();
        Assert.Equal("4", (await kit.Gcp.RotateKeyAsync(key.KeyUri!, kit.Run(host)))?.After);
        Assert.Contains("was not seen", Assert.Single(host.Warnings), StringComparison.Ordinal);
    }

    // https://cloud.google.com/kms/docs/importing-a-key, …/ekm: such keys have no material of Google's making.
    [Theory]
    [InlineData("importOnly", "true")]
    [InlineData("protectionLevel", "\"EXTERNAL\"")]
    public async Task AKeyWithMaterialFromOutsideIsNotRotated(string field, string value)
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        CmekKey key = await kit.KeyAsync();
        kit.Server.After = (request, response) => Task.FromResult(request.Operation == "cryptoKeys.get"
            ? new SandboxResponse { Status = 200, Body = response.Body.Replace(
                "\"purpose\"",
                $"\"{(field == "importOnly" ? field : "x")}\":{value},\"purpose\"",
                StringComparison.Ordinal).Replace("SOFTWARE", field == "importOnly" ? "SOFTWARE" : "EXTERNAL", StringComparison.Ordinal) }
            : null);
        kit.Server.ClearExchanges();
        CmekException e = await Assert.ThrowsAsync<CmekException>(() => kit.Gcp.RotateKeyAsync(key.KeyUri!, kit.Run()));
        Assert.Equal("KeyRotationUnsupported", e.ErrorId);
        Assert.Empty(kit.Writes);
    }

    // https://cloud.google.com/kms/docs/control-key-destruction: constraints/cloudkms.disableBeforeDestroy; automatic rotation goes on
    // until it is taken off.
    [Fact]
    public async Task ADeletionDisablesFirstStopsTheRotationAndNamesTheWait()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync(new SandboxOptions { DisableBeforeDestroy = true });
        AccessTarget target = await kit.GrantedAsync();
        AccessSnapshot before = await kit.Gcp.CaptureAsync(target, kit.Run());
        TestOperationHost host = new();
        await kit.Gcp.ScheduleDeletionAsync(target.KeyUri, 7, kit.Run(host));
        Assert.Contains(host.Questions, q => q.Action.Contains("in 30 days", StringComparison.Ordinal));
        CmekKey key = await kit.Gcp.GetKeyAsync(target.KeyUri, kit.Run());
        Assert.Equal((CmekKeyState.PendingDeletion, false), (key.State, key.RotationEnabled));
        await kit.Gcp.RestoreAsync(target, before, kit.Run());
        key = await kit.Gcp.GetKeyAsync(target.KeyUri, kit.Run());
        Assert.Equal((CmekKeyState.Enabled, (int?)90), (key.State, key.RotationPeriodDays));
        Assert.Null(kit.Try(target));
    }

    [Fact]
    public async Task ATokenFollowsNoRedirectAndGoesInTheOpenOnThisMachineOnly()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        CmekKey key = await kit.KeyAsync();
        kit.Server.ClearExchanges();
        SandboxResponse away = new()
        {
            Status = 307,
            Body = string.Empty,
            Headers = new Dictionary<string, string> { ["Location"] = kit.Server.BaseAddress + "v1/projects/elsewhere" },
        };
        kit.Server.Before = r => Task.FromResult<SandboxResponse?>(r.RawPath.Contains("elsewhere", StringComparison.Ordinal) ? null : away);
        CmekServiceException e = await Assert.ThrowsAsync<CmekServiceException>(() => kit.Gcp.GetKeyAsync(key.KeyUri!, kit.Run()));
        Assert.Equal(("GoogleAnswerInvalid", 307), (e.ErrorId, e.StatusCode));
        Assert.Contains("redirect", e.RecommendedAction, StringComparison.Ordinal);
        Assert.DoesNotContain(kit.Server.Exchanges, x => x.Request.RawPath.Contains("elsewhere", StringComparison.Ordinal));

        using EngineKit open = EngineKit.Create(
            new ProviderOptions { GoogleKmsEndpoint = new Uri("http://kms.example.com/"), GoogleAccessToken = "t" });
        CmekException refused = await Assert.ThrowsAsync<CmekException>(
            () => open.Session.GetProvider(CmekProvider.GCP).GetKeyAsync(key.KeyUri!, open.Run(new TestOperationHost())));
        Assert.Equal("GoogleEndpointInvalid", refused.ErrorId);
    }

    [Fact]
    public async Task AKeyIsTheSameByTheProjectsNumber()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        string byNumber = target.KeyUri.Replace(GoogleKit.Project, "123456789012", StringComparison.Ordinal);
        KeyIdentity one = await kit.Gcp.IdentifyAsync(target.KeyUri, kit.Run());
        Assert.Equal(one, await kit.Gcp.IdentifyAsync(byNumber, kit.Run()));
        Assert.Equal((target.KeyUri, byNumber), (one.Uri, one.Material));
        Assert.Equal(Decision.Allowed, await kit.DecideAsync(target with { KeyUri = byNumber }));
        CmekAccess access = await kit.Gcp.GrantAsync(
            kit.Cluster,
            await kit.Gcp.GetKeyAsync(byNumber, kit.Run()),
            GoogleKit.Region,
            new PrincipalOptions(),
            kit.Run());
        Assert.Equal((target.AuthPrincipal, 0), (access.AuthPrincipal, access.Changes.Count));
    }

    [Fact]
    public async Task WhoElseActsAsTheAccountIsNamed()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        OtherAccess other = await kit.Gcp.ReadOtherAccessAsync(target.KeyUri, kit.Run());
        Assert.Equal(
            (0, 0, 0, 0, CmekKeyState.Enabled),
            (other.Replicas.Count, other.Grants.Count, other.Others.Count, other.Unread.Count, other.State));
        await kit.SendAsync("POST", GoogleKit.AccountResource(target) + "/keys", []);
        kit.Bind(
            GoogleKit.AccountResource(target),
            "roles/iam.workloadIdentityUser",
            "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/*");
        other = await kit.Gcp.ReadOtherAccessAsync(target.KeyUri, kit.Run());
        Assert.Equal(2, other.Others.Count);
        GcpDefectTests.Forbid(kit, "serviceAccountKeys.list projects.getIamPolicy");
        Assert.Equal(2, (await kit.Gcp.ReadOtherAccessAsync(target.KeyUri, kit.Run())).Unread.Count);
    }
}
