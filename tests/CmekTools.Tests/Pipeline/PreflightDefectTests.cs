using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>How a remedy can be tried.</summary>
internal enum Mending
{
    /// <summary>It is something that a person does: it has to name what it is about.</summary>
    ByHand,

    /// <summary>It leads elsewhere (to another cluster, or to the Cloud Console), and cannot be tried.</summary>
    SaysWhereToGo,

    /// <summary>It runs in the session, as printed.</summary>
    InSession,

    /// <summary>It is aws's, and is run with aws where that is on PATH.</summary>
    WithAws,
}

/// <summary>One way in which a working set-up is broken.</summary>
/// <param name="Break">Breaks it, on the sandbox's side.</param>
/// <param name="Off">Every check that is not a pass, each with its result.</param>
/// <param name="Remedy">What the first one's remedy begins with.</param>
/// <param name="Mending">How the remedy is tried.</param>
/// <param name="Everywhere">True where it shows in every region.</param>
internal sealed record Defect(
    Func<DefectScene, Task> Break,
    string Off,
    string Remedy,
    Mending Mending = Mending.ByHand,
    bool Everywhere = false);

/// <summary>A session that a class's rows share: opening one takes longer than a row.</summary>
public sealed class SharedSession : IAsyncLifetime
{
    internal PowerShellSession Session { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Session = await PowerShellSession.OpenAsync();

    public ValueTask DisposeAsync() => Session.DisposeAsync();
}

/// <summary>
/// A working set-up is broken in one way after another. The right checks are off and no others; what they say agrees with what then happens
/// when CMEK is enabled without looking first; and the remedy, run as it is printed, mends it.
/// </summary>
public sealed class PreflightDefectTests
{
    [Fact]
    public void ThereAreAtLeastSixtyWays() =>
        Assert.True(
            PreflightAwsTests.Table
                .Concat(PreflightGoogleTests.Table)
                .Concat(PreflightCloudTests.Table)
                .Count(d => d.Value.Off.Length > 0) >= 60);

    internal static async Task ProveAsync(DefectScene scene, Defect defect)
    {
        await defect.Break(scene);
        scene.Shell.Server.ClearExchanges();
        CmekCheck[] off = await scene.OffAsync();
        Assert.Empty(scene.Shell.Writes);
        Assert.True(
            defect.Off == string.Join(", ", off.Select(Said).Distinct()),
            string.Join(Environment.NewLine, off.Select(c => $"{c.Region} {c} -> {c.Remedy}")));
        Assert.All(off, c => Assert.True(c.Region is null || defect.Everywhere || c.Region == scene.First.Region, $"{c.Region}: {c}"));
        Assert.StartsWith(defect.Remedy, off.FirstOrDefault()?.Remedy ?? string.Empty, StringComparison.Ordinal);
        await AgreeAsync(scene, off);
        await JudgeAsync(scene, off);
        string[] remedies = [.. off.Select(c => c.Remedy).OfType<string>().Distinct()];
        bool tried = defect.Mending == Mending.InSession;
        foreach (string remedy in remedies)
        {
            switch (defect.Mending)
            {
                case Mending.InSession:
                    await scene.MendAsync(remedy);
                    break;
                case Mending.WithAws:
                    Assert.True(scene.Names(remedy), remedy);
                    tried = await scene.MendWithAwsAsync(remedy);
                    break;
                case Mending.ByHand:
                    Assert.True(scene.Names(remedy), remedy);
                    break;
            }
        }

        if (tried)
        {
            CmekCheck[] left = await scene.OffAsync();
            Assert.True(left.Length == 0, string.Join(Environment.NewLine, left.Select(c => $"{c.Region} {c} -> {c.Remedy}")));
            await AgreeAsync(scene, left);
        }
    }

    // A warning still enables; what could not be seen claims nothing.
    private static async Task AgreeAsync(DefectScene scene, CmekCheck[] off)
    {
        bool fails = off.Any(c => c.Result == CmekCheckResult.Fail);
        if (!fails && off.Any(c => c.Result == CmekCheckResult.Unknown))
        {
            return;
        }

        PowerShellResult result = await scene.EnableAsync();
        if (fails)
        {
            Assert.NotEmpty(result.Errors);
        }
        else
        {
            Assert.Equal(CmekState.ENABLED, Assert.Single(result.Expect().Values<CmekStatus>()).State);
        }
    }

    // Grants and cuts go by the providers' own verdict: it must not contradict the checks. A role's trust is no part of it.
    private static async Task JudgeAsync(DefectScene scene, CmekCheck[] off)
    {
        CmekCheck[] onKey =
        [
            .. off.Where(
                c => (c.Name.StartsWith("Aws", StringComparison.Ordinal) || c.Name.StartsWith("Gcp", StringComparison.Ordinal))
                    && c.Name is not ("AwsRoleTrust" or "AwsRoleExternalId")),
        ];
        if (onKey.Length == 0 || off.Any(c => c.Result == CmekCheckResult.Unknown))
        {
            return;
        }

        using EngineKit kit = EngineKit.Create(scene.Shell.Server);
        Operation op = kit.Run(new TestOperationHost());
        CmekCluster cluster = await kit.Session.Cloud.GetClusterAsync(scene.ClusterId, op.Cancellation);
        AccessDecision verdict = await kit.Session.GetProvider(cluster.Provider).EvaluateAsync(
            new AccessTarget(cluster, kit.Session.Organization.Id, scene.First.Region, scene.Key, scene.Principal),
            op);
        bool fails = onKey.Any(c => c.Result == CmekCheckResult.Fail && c.Name != "AwsKeyType");
        Assert.False(
            verdict.Use is Decision.Allowed or Decision.Denied && (verdict.Use == Decision.Allowed) == fails,
            string.Join("; ", verdict.Reasons));
    }

    private static string Said(CmekCheck check) => $"{check.Result} {check.Name}";
}
