using System.Text.Json.Nodes;
using System.Reflection;
using CmekTools.Engine.Access;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Access;

/// <summary>
/// What every provider has to keep, whatever its cloud: the same sentences, held on each. A further provider is one more row.
/// </summary>
public sealed class ProviderConformanceTests
{
    public static TheoryData<string> Clouds { get; } = ["AWS", "GCP"];

    [Fact]
    public void EveryMemberOfTheInterfaceIsHeldToSomething()
    {
        string[] covered =
        [
            .. typeof(ProviderConformanceTests).GetMethods().SelectMany(m => m.GetCustomAttribute<CoversAttribute>()?.Members ?? []),
        ];
        string[] members =
        [
            .. typeof(IKeyProvider).GetMembers().Where(m => m is not MethodInfo { IsSpecialName: true }).Select(m => m.Name),
        ];
        Assert.Equal(members.Order(StringComparer.Ordinal), covered.Distinct().Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [
        Covers(
            nameof(IKeyProvider.Provider),
            nameof(IKeyProvider.KeyType),
            nameof(IKeyProvider.ValidateKeyUri),
            nameof(IKeyProvider.ValidatePrincipal)),
    ]
    public async Task NamesAreJudgedWithoutARequest(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        AccessTarget target = await scene.GrantedAsync();
        scene.Server.ClearExchanges();
        Assert.Equal(cloud, scene.Provider.Provider.ToString());
        Assert.Matches("^(AWS_KMS|GCP_CLOUD_KMS)$", scene.Provider.KeyType);
        scene.Provider.ValidateKeyUri(target.KeyUri, scene.Cluster, scene.Region);
        scene.Provider.ValidateKeyUri(scene.MissingKey);
        scene.Provider.ValidatePrincipal(target.AuthPrincipal);
        foreach (string wrong in (string[])[scene.ForeignKey, target.KeyUri + "\n", target.KeyUri[..^1] + "/", string.Empty])
        {
            Assert.Equal("KeyUriInvalid", Assert.Throws<CmekException>(() => scene.Provider.ValidateKeyUri(wrong)).ErrorId);
        }

        foreach (string wrong in (string[])[scene.ForeignPrincipal, "*", string.Empty])
        {
            Assert.Equal("PrincipalInvalid", Assert.Throws<CmekException>(() => scene.Provider.ValidatePrincipal(wrong)).ErrorId);
        }

        Assert.Empty(scene.Server.Exchanges);
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [Covers(nameof(IKeyProvider.EnsureKeyAsync), nameof(IKeyProvider.FindKeysAsync), nameof(IKeyProvider.GetKeyAsync))]
    public async Task AKeyIsMadeOnceFoundByItsOwnClusterAndOnlyPlannedWhereDeclined(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        CmekKey planned = await scene.Provider.EnsureKeyAsync(scene.Cluster, scene.Region, new KeyOptions(), scene.Planned());
        Assert.Equal(CmekKeyState.Planned, planned.State);
        Assert.Empty(scene.Writes);

        CmekKey made = await scene.KeyAsync();
        Assert.True(made.Changed);
        scene.Server.ClearExchanges();
        CmekKey again = await scene.KeyAsync();
        Assert.Equal(made.KeyUri, again.KeyUri);
        Assert.False(again.Changed);
        Assert.Empty(scene.Writes);

        CmekKey others = await scene.KeyAsync(scene.Other);
        Assert.NotEqual(made.KeyUri, others.KeyUri);
        Assert.Equal([made.KeyUri!], await scene.FoundAsync(scene.Cluster));
        Assert.Equal([others.KeyUri!], await scene.FoundAsync(scene.Other));
        Assert.Equal(CmekKeyState.Enabled, (await scene.Provider.GetKeyAsync(made.KeyUri!, scene.Run())).State);
        CmekException missing = await Assert.ThrowsAnyAsync<CmekException>(() => scene.Provider.GetKeyAsync(scene.MissingKey, scene.Run()));
        Assert.Equal("KeyNotFound", missing.ErrorId);
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [Covers(nameof(IKeyProvider.DiscoverAsync))]
    public async Task EveryMarkedKeyIsFoundWithWhoIsLetInAndNoOther(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        AccessTarget target = await scene.GrantedAsync();
        CmekKey others = await scene.KeyAsync(scene.Other);
        scene.Server.ClearExchanges();
        CmekKey[] found = await scene.DiscoveredAsync();
        Assert.Equal(
            new[] { target.KeyUri, others.KeyUri! }.Order(StringComparer.Ordinal),
            found.Select(k => k.KeyUri!).Order(StringComparer.Ordinal));
        Assert.Equal([target.AuthPrincipal], found.Single(k => k.KeyUri == target.KeyUri).AuthPrincipals);
        Assert.Empty(found.Single(k => k.KeyUri == others.KeyUri).AuthPrincipals);
        Assert.Empty(scene.Writes);
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [Covers(nameof(IKeyProvider.GrantAsync), nameof(IKeyProvider.EvaluateAsync), nameof(IKeyProvider.CheckAsync))]
    public async Task WhatWasGrantedIsAllowedPassesItsChecksAndIsNotGrantedTwice(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        CmekKey key = await scene.KeyAsync();
        scene.Server.ClearExchanges();
        Assert.True((await scene.Provider.GrantAsync(scene.Cluster, key, scene.Region, new PrincipalOptions(), scene.Planned())).Planned);
        Assert.Empty(scene.Writes);

        AccessTarget target = await scene.GrantedAsync();
        scene.Server.ClearExchanges();
        AccessDecision decision = await scene.Provider.EvaluateAsync(target, scene.Run());
        Assert.Equal(Decision.Allowed, decision.Use);
        Assert.Equal(CmekCutState.Open, decision.Cut);
        CmekCheck[] checks = await scene.ChecksAsync(target);
        Assert.DoesNotContain(checks, c => c.Result == CmekCheckResult.Fail);
        Assert.Contains(checks, c => c.Result == CmekCheckResult.Pass);
        Assert.False((await scene.Provider.GrantAsync(scene.Cluster, key, scene.Region, new PrincipalOptions(), scene.Run())).Changed);
        Assert.Empty(scene.Writes);
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [Covers(nameof(IKeyProvider.EvaluateAsync))]
    public async Task OfAKeyThatIsNotThereNothingIsProven(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        AccessTarget target = (await scene.GrantedAsync()) with { KeyUri = scene.MissingKey };
        AccessDecision decision = await scene.Provider.EvaluateAsync(target, scene.Run());
        Assert.NotEqual(CmekCutState.Cut, decision.Cut);
        Assert.NotEqual(CmekCutState.Open, decision.Cut);
        Assert.False(decision.ExplicitlyStopped);
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [Covers(
        nameof(IKeyProvider.CaptureAsync),
        nameof(IKeyProvider.CutAsync),
        nameof(IKeyProvider.WasCut),
        nameof(IKeyProvider.RestoreAsync),
        nameof(IKeyProvider.CutStandsInPolicy),
        nameof(IKeyProvider.ReadMarksAsync))]
    public async Task ACutIsSeenIsMadeOnceAndIsUndoneToTheLetter(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        AccessTarget target = await scene.GrantedAsync();
        await scene.StrangerAsync(target.KeyUri);
        string before = await scene.PolicyAsync(target.KeyUri);
        scene.Server.ClearExchanges();
        AccessSnapshot snapshot = await scene.Provider.CaptureAsync(target, scene.Run());
        Assert.Empty(scene.Writes);
        Assert.False(scene.Provider.WasCut(target, snapshot));

        // What says nothing of the policy does not say what was there before.
        AccessSnapshot unseen = new(AccessSnapshot.KindOf(scene.Cloud), new JsonObject { ["notSeen"] = "no answer" });
        Assert.True(scene.Provider.WasCut(target, unseen));

        await scene.Provider.CutAsync(target, new CutOptions(false), scene.Run());
        Assert.Equal(CmekCutState.Cut, (await scene.Provider.EvaluateAsync(target, scene.Run())).Cut);
        Assert.Contains(await scene.ChecksAsync(target), c => c.Result == CmekCheckResult.Fail);
        Assert.Contains(scene.Stranger, await scene.PolicyAsync(target.KeyUri), StringComparison.Ordinal);
        AccessSnapshot after = await scene.Provider.CaptureAsync(target, scene.Run());
        Assert.True(scene.Provider.WasCut(target, after) || !scene.Provider.CutStandsInPolicy);
        KeyMarks marks = await scene.Provider.ReadMarksAsync(target.KeyUri, scene.Run());
        Assert.Contains(marks.Marks, m => m.IsOf(scene.Cluster.Id));
        Assert.DoesNotContain(marks.Marks, m => m.IsOf(scene.Other.Id));
        Assert.Contains(marks.Cuts, c => c.IsOf(scene.Cluster.Id));

        scene.Server.ClearExchanges();
        await scene.Provider.CutAsync(target, new CutOptions(false), scene.Run());
        Assert.Empty(scene.Writes);

        await scene.Provider.RestoreAsync(target, snapshot, scene.Run());
        Assert.Equal(before, await scene.PolicyAsync(target.KeyUri));
        Assert.Equal(Decision.Allowed, (await scene.Provider.EvaluateAsync(target, scene.Run())).Use);
        scene.Server.ClearExchanges();
        await scene.Provider.RestoreAsync(target, snapshot, scene.Run());
        Assert.Empty(scene.Writes);
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [Covers(nameof(IKeyProvider.RestoreAsync))]
    public async Task WithoutASnapshotAccessComesBackAndWhatOthersDidMeanwhileStays(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        AccessTarget target = await scene.GrantedAsync();
        await scene.Provider.CutAsync(target, new CutOptions(false), scene.Run());
        await scene.StrangerAsync(target.KeyUri);
        await scene.Provider.RestoreAsync(target, null, scene.Run());
        Assert.Equal(Decision.Allowed, (await scene.Provider.EvaluateAsync(target, scene.Run())).Use);
        Assert.Contains(scene.Stranger, await scene.PolicyAsync(target.KeyUri), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AWS", false)]
    [InlineData("AWS", true)]
    [InlineData("GCP", false)]
    [Covers(nameof(IKeyProvider.ReadNewcomersAsync))]
    public async Task WhoeverWasLetInSinceIsNamedAndNobodyElse(string cloud, bool underOurName)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        AccessTarget target = await scene.GrantedAsync();
        AccessSnapshot snapshot = await scene.Provider.CaptureAsync(target, scene.Run());
        Assert.Empty(await scene.Provider.ReadNewcomersAsync(target, snapshot, scene.Run()));
        await scene.Provider.CutAsync(target, new CutOptions(false), scene.Run());
        Assert.Empty(await scene.Provider.ReadNewcomersAsync(target, snapshot, scene.Run()));
        await scene.StrangerAsync(target.KeyUri, underOurName);
        Assert.StartsWith(
            scene.Stranger,
            Assert.Single(await scene.Provider.ReadNewcomersAsync(target, snapshot, scene.Run())),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AWS", 403)]
    [InlineData("AWS", 503)]
    [InlineData("GCP", 403)]
    [InlineData("GCP", 503)]
    [Covers(nameof(IKeyProvider.ReadNewcomersAsync))]
    public async Task WhoActsAsThePrincipalNowAndCouldNotBeReadIsNotNobody(string cloud, int status)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        AccessTarget target = await scene.GrantedAsync();
        AccessSnapshot snapshot = await scene.Provider.CaptureAsync(target, scene.Run());
        scene.Server.Before = r => Task.FromResult(
            r.Service == "iam" || r.RawPath.Contains("/serviceAccounts/", StringComparison.Ordinal)
                ? new SandboxResponse
                {
                    Status = status,
                    Body = cloud == "AWS"
                        ? "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
                        : """{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}""",
                }
                : null);
        string said = Assert.Single(await scene.Provider.ReadNewcomersAsync(target, snapshot, scene.Run()));
        Assert.StartsWith("whoever", said, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [Covers(nameof(IKeyProvider.DisableKeyAsync), nameof(IKeyProvider.ReviveKeyAsync), nameof(IKeyProvider.RequireUsable))]
    public async Task ADisabledKeyIsCutCannotBeUsedAndIsRevived(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        AccessTarget target = await scene.GrantedAsync();
        scene.Provider.RequireUsable(await scene.Provider.GetKeyAsync(target.KeyUri, scene.Run()));
        await scene.Provider.DisableKeyAsync(target.KeyUri, scene.Run());
        Assert.Equal(CmekCutState.Cut, (await scene.Provider.EvaluateAsync(target, scene.Run())).Cut);
        CmekKey disabled = await scene.Provider.GetKeyAsync(target.KeyUri, scene.Run());
        Assert.Equal(CmekKeyState.Disabled, disabled.State);
        Assert.Throws<CmekException>(() => scene.Provider.RequireUsable(disabled));
        scene.Server.ClearExchanges();
        await scene.Provider.DisableKeyAsync(target.KeyUri, scene.Run());
        Assert.Empty(scene.Writes);

        string policy = await scene.PolicyAsync(target.KeyUri);
        await scene.Provider.ReviveKeyAsync(target.KeyUri, Revival.ForUse, scene.Run());
        Assert.Equal(policy, await scene.PolicyAsync(target.KeyUri));
        Assert.Equal(CmekCutState.Open, (await scene.Provider.EvaluateAsync(target, scene.Run())).Cut);
        scene.Server.ClearExchanges();
        await scene.Provider.ReviveKeyAsync(target.KeyUri, Revival.ForUse, scene.Run());
        Assert.Empty(scene.Writes);
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [Covers(nameof(IKeyProvider.RequireUsable))]
    public async Task EachStateInWhichAKeyEncryptsNothingIsRefusedByTheSameName(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        CmekKey key = await scene.KeyAsync();
        scene.Provider.RequireUsable(key);
        Assert.Equal(
            ["KeyDisabled", "KeyPendingDeletion", "KeyNotReady", "KeyUnusable", "KeyUnusable"],
            new[]
            {
                CmekKeyState.Disabled, CmekKeyState.PendingDeletion, CmekKeyState.Creating, CmekKeyState.Destroyed, CmekKeyState.Unknown,
            }.Select(s => Assert.Throws<CmekException>(() => scene.Provider.RequireUsable(key with { State = s })).ErrorId));
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [Covers(nameof(IKeyProvider.DiscoverAsync))]
    public async Task APlaceThatGoesOnAnsweringIsLookedAtToTheEnd(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        CmekKey key = await scene.KeyAsync();
        TimedClock clock = new();
        using EngineKit kit = EngineKit.Create(scene.Server, time: clock);
        scene.Server.Before = r =>
        {
            if (r.RawPath.EndsWith("/locations", StringComparison.Ordinal) || r.RawPath.Contains("/locations?", StringComparison.Ordinal))
            {
                // One place alone, so that no other one's answers take its time.
                return Task.FromResult<SandboxResponse?>(new SandboxResponse
                {
                    Body = $$"""{"locations":[{"locationId":"{{scene.Region}}"}]}""",
                });
            }

            clock.Advance(kit.Session.Timings.KeyTry * 0.45);
            return Task.FromResult<SandboxResponse?>(null);
        };
        TestOperationHost host = new();
        await kit.Session.GetProvider(scene.Cloud)
            .DiscoverAsync(new DiscoveryPlaces([scene.Region], [scene.Server.Options.GoogleProject]), kit.Run(host));
        scene.Server.Before = null;
        Assert.Empty(host.Errors);
        Assert.Equal(key.KeyUri, Assert.IsType<CmekKey>(Assert.Single(host.Output)).KeyUri);
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [Covers(nameof(IKeyProvider.ScheduleDeletionAsync), nameof(IKeyProvider.ReviveKeyAsync))]
    public async Task ADeletionIsScheduledOnlyWhereNotDeclinedAndCanBeCancelled(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        AccessTarget target = await scene.GrantedAsync();
        scene.Server.ClearExchanges();
        Assert.Null(await scene.Provider.ScheduleDeletionAsync(target.KeyUri, 30, scene.Planned()));
        Assert.Empty(scene.Writes);

        DateTimeOffset? gone = await scene.Provider.ScheduleDeletionAsync(target.KeyUri, 30, scene.Run());
        Assert.True(gone > DateTimeOffset.UtcNow.AddDays(6), $"{gone}");
        CmekKey key = await scene.Provider.GetKeyAsync(target.KeyUri, scene.Run());
        Assert.Equal(CmekKeyState.PendingDeletion, key.State);
        Assert.Throws<CmekException>(() => scene.Provider.RequireUsable(key));
        Assert.Equal(CmekCutState.Cut, (await scene.Provider.EvaluateAsync(target, scene.Run())).Cut);
        await scene.Provider.ReviveKeyAsync(target.KeyUri, Revival.ForUse, scene.Run());
        Assert.Equal(CmekKeyState.Enabled, (await scene.Provider.GetKeyAsync(target.KeyUri, scene.Run())).State);
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [Covers(nameof(IKeyProvider.MarkRevokedAsync), nameof(IKeyProvider.UnmarkRevokedAsync), nameof(IKeyProvider.ReadMarksAsync))]
    public async Task WhatARevocationSwitchesOffSaysSoUntilItIsBack(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        AccessTarget target = await scene.GrantedAsync();
        scene.Server.ClearExchanges();
        await scene.Provider.UnmarkRevokedAsync(target.KeyUri, scene.Run());
        await scene.Provider.MarkRevokedAsync(target.KeyUri, [scene.Cluster], scene.Planned());
        Assert.Empty(scene.Writes);
        Assert.Equal(RetirementMark.None, (await scene.Provider.ReadMarksAsync(target.KeyUri, scene.Run())).Retirement);
        Assert.Equal(RetirementMark.Unread, (await scene.Provider.ReadMarksAsync(scene.MissingKey, scene.Run())).Retirement);

        await scene.Provider.MarkRevokedAsync(target.KeyUri, [scene.Cluster], scene.Run());
        scene.Server.ClearExchanges();
        await scene.Provider.MarkRevokedAsync(target.KeyUri, [scene.Cluster], scene.Run());
        Assert.Empty(scene.Writes);
        KeyMarks marks = await scene.Provider.ReadMarksAsync(target.KeyUri, scene.Run());
        Assert.Equal(RetirementMark.Revocation, marks.Retirement);
        Assert.Contains(marks.Marks, m => m.IsLabel && m.IsOf(scene.Cluster.Id));

        await scene.Provider.ScheduleDeletionAsync(target.KeyUri, 30, scene.Run());
        Assert.Equal(RetirementMark.Revocation, (await scene.Provider.ReadMarksAsync(target.KeyUri, scene.Run())).Retirement);
        await scene.Provider.ReviveKeyAsync(target.KeyUri, Revival.ForUse, scene.Run());
        await scene.Provider.UnmarkRevokedAsync(target.KeyUri, scene.Run());
        marks = await scene.Provider.ReadMarksAsync(target.KeyUri, scene.Run());
        Assert.Equal(RetirementMark.None, marks.Retirement);
        Assert.Contains(marks.Marks, m => m.IsLabel && m.IsOf(scene.Cluster.Id));
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [Covers(nameof(IKeyProvider.MarkRevokedAsync), nameof(IKeyProvider.ReadMarksAsync))]
    public async Task AKeyThatSeveralClustersShareSaysOfEachWhoseRevocationItWas(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        string key = (await scene.KeyAsync()).KeyUri!;
        CmekCluster[] many = [.. Enumerable.Range(0, 9).Select(_ => scene.Other with { Id = Guid.NewGuid().ToString() })];
        await scene.Provider.MarkRevokedAsync(key, [scene.Cluster], scene.Run());
        await scene.Provider.MarkRevokedAsync(key, [scene.Other, scene.Cluster], scene.Run());
        KeyMarks marks = await scene.Provider.ReadMarksAsync(key, scene.Run());
        Assert.True(marks.IsRevokedFor(scene.Cluster.Id) && marks.IsRevokedFor(scene.Other.Id));
        Assert.False(marks.IsRevokedFor(many[0].Id));

        // As many as a tag or a label holds, and a word about the others.
        TestOperationHost host = new();
        await scene.Provider.MarkRevokedAsync(key, many, scene.Run(host));
        marks = await scene.Provider.ReadMarksAsync(key, scene.Run());
        int named = many.Count(c => marks.IsRevokedFor(c.Id));
        Assert.InRange(named, 4, 8);
        Assert.True(marks.IsRevokedFor(scene.Cluster.Id) && marks.IsRevokedFor(scene.Other.Id));
        Assert.Contains(many[named].Id, Assert.Single(host.Warnings), StringComparison.Ordinal);
        scene.Server.ClearExchanges();
        await scene.Provider.MarkRevokedAsync(key, [scene.Other, scene.Cluster], scene.Run());
        Assert.Empty(scene.Writes);
        await scene.Provider.UnmarkRevokedAsync(key, scene.Run());
        marks = await scene.Provider.ReadMarksAsync(key, scene.Run());
        Assert.Empty(marks.RevokedFor);
        Assert.Equal(RetirementMark.None, marks.Retirement);
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [Covers(nameof(IKeyProvider.RotateKeyAsync), nameof(IKeyProvider.RotationChange), nameof(IKeyProvider.ReadRotationBudgetAsync))]
    public async Task ARotationMakesNewMaterialUnderTheSameNameAndOnlyWhereNotDeclined(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        AccessTarget target = await scene.GrantedAsync();
        RotationBudget before = await scene.Provider.ReadRotationBudgetAsync(target.KeyUri, scene.Run());
        scene.Server.ClearExchanges();
        Assert.Null(await scene.Provider.RotateKeyAsync(target.KeyUri, scene.Planned()));
        Assert.Empty(scene.Writes);

        CmekKeyRotation? rotation = await scene.Provider.RotateKeyAsync(target.KeyUri, scene.Run());
        Assert.NotNull(rotation);
        Assert.NotEqual(rotation.Before, rotation.After);
        Assert.Contains(scene.Journal.All, l => (string?)l["kind"] == scene.Provider.RotationChange);
        RotationBudget after = await scene.Provider.ReadRotationBudgetAsync(target.KeyUri, scene.Run());
        Assert.True(after.Seen);
        Assert.True(after.Left == before.Left - 1 || (after.Left == int.MaxValue && before.Left == int.MaxValue), $"{before} {after}");
        Assert.Equal(Decision.Allowed, (await scene.Provider.EvaluateAsync(target, scene.Run())).Use);
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [
        Covers(
            nameof(IKeyProvider.IdentifyAsync),
            nameof(IKeyProvider.MaterialOf),
            nameof(IKeyProvider.ReadOtherAccessAsync),
            nameof(IKeyProvider.RevokeGrantAsync)),
    ]
    public async Task AKeyHasOneIdentityAndWhatCannotBeReadOfItIsNamed(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        AccessTarget target = await scene.GrantedAsync();
        CmekKey others = await scene.KeyAsync(scene.Other);
        KeyIdentity one = await scene.Provider.IdentifyAsync(target.KeyUri, scene.Run());
        Assert.Equal(one, await scene.Provider.IdentifyAsync(one.Uri, scene.Run()));
        Assert.NotEqual(one.Material, (await scene.Provider.IdentifyAsync(others.KeyUri!, scene.Run())).Material);
        Assert.NotEqual(scene.Provider.MaterialOf(target.KeyUri), scene.Provider.MaterialOf(others.KeyUri!));

        OtherAccess other = await scene.Provider.ReadOtherAccessAsync(target.KeyUri, scene.Run());
        Assert.Equal(CmekKeyState.Enabled, other.State);
        Assert.Empty(other.Grants);
        Assert.Empty(other.Unread);
        OtherAccess missing = await scene.Provider.ReadOtherAccessAsync(scene.MissingKey, scene.Run());
        Assert.NotEqual(CmekKeyState.Enabled, missing.State);
        Assert.NotEmpty(missing.Unread);

        // A grant that is gone already is no failure; where a cloud has no grants, nothing claims to have taken one back.
        KeyGrant gone = new(target.KeyUri, new string('0', 64), target.AuthPrincipal, ["Decrypt"]);
        Exception? refused = await Record.ExceptionAsync(() => scene.Provider.RevokeGrantAsync(gone, scene.Run()));
        Assert.True(refused is null or CmekException { ErrorId: "GrantNotSupported" }, refused?.ToString());
        Assert.Equal(scene.Cloud == CmekProvider.AWS, refused is null);
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [Covers(nameof(IKeyProvider.ReadCallerAsync), nameof(IKeyProvider.CheckCutAsync), nameof(IKeyProvider.WriteByHandAsync))]
    public async Task ACutIsLookedAtAndWrittenDownBeforehandWithoutAWrite(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        AccessTarget target = await scene.GrantedAsync();
        scene.Server.ClearExchanges();
        Assert.Contains(
            (await scene.Provider.ReadCallerAsync(target.KeyUri, scene.Run())).Result,
            new[] { CmekCheckResult.Pass, CmekCheckResult.Warn });
        IReadOnlyList<CmekCheck> checks = await scene.Provider.CheckCutAsync([target], scene.Run());
        Assert.Contains(checks, c => c is { Name: "CutEndpoint", Result: CmekCheckResult.Pass });
        Assert.Contains(checks, c => c is { Name: "CutPolicyWrite", Result: CmekCheckResult.Pass });
        Assert.DoesNotContain(checks, c => c.Result is CmekCheckResult.Fail or CmekCheckResult.Unknown);
        AccessTarget missing = target with { KeyUri = scene.MissingKey };
        Assert.Contains(
            await scene.Provider.CheckCutAsync([missing], scene.Run()),
            c => c is { Name: "CutKey", Result: CmekCheckResult.Fail });

        ByHand byHand = await scene.Provider.WriteByHandAsync([target], 7, scene.Run());
        Assert.All(
            (IReadOnlyList<string>[])[byHand.Cut, byHand.Last, byHand.Proof, byHand.Restore],
            lines => Assert.Contains(
                lines,
                l => l.StartsWith(cloud == "AWS" ? "aws kms " : "gcloud kms ", StringComparison.Ordinal)
                    || l.Contains("$(gcloud kms ", StringComparison.Ordinal)));
        Assert.NotEmpty((await scene.Provider.WriteByHandAsync([missing], 8, scene.Run())).Cut);
        Assert.Empty(scene.Writes);
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    [
        Covers(
            nameof(IKeyProvider.EnsureKeyAsync),
            nameof(IKeyProvider.GrantAsync),
            nameof(IKeyProvider.CutAsync),
            nameof(IKeyProvider.RestoreAsync)),
    ]
    public async Task EveryWriteWasAskedForAndAnnouncedInTheJournal(string cloud)
    {
        await using ProviderScene scene = await ProviderScene.StartAsync(cloud);
        TestOperationHost host = new();
        CmekKey key = await scene.Provider.EnsureKeyAsync(scene.Cluster, scene.Region, new KeyOptions(), scene.Run(host));
        AccessTarget target = scene.Target(
            await scene.Provider.GrantAsync(scene.Cluster, key, scene.Region, new PrincipalOptions(), scene.Run(host)));
        AccessSnapshot snapshot = await scene.Provider.CaptureAsync(target, scene.Run(host));
        await scene.Provider.CutAsync(target, new CutOptions(false), scene.Run(host));
        await scene.Provider.RestoreAsync(target, snapshot, scene.Run(host));
        Assert.NotEmpty(scene.Writes);
        Assert.Equal(host.Questions.Count, scene.Journal.Announced);
        Assert.True(
            scene.Journal.Announced >= scene.Writes.Length,
            $"{scene.Journal.Announced} announced: {string.Join(", ", scene.Writes)}");
    }
}
