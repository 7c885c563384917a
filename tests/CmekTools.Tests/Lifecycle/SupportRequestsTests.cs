using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.State;
using Xunit;

namespace CmekTools.Tests.Lifecycle;

/// <summary>What stands in a request for the vendor, and what it is taken from.</summary>
public sealed class SupportRequestsTests
{
    private static readonly DateTimeOffset s_now = new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero);
    private static readonly CmekOrganization s_organization = new() { Id = "org-1", Name = "Example" };

    private static CmekStatus Status(CmekState state, params CmekState[] regions) => new()
    {
        ClusterId = "c-1",
        ClusterName = "shop",
        Provider = CmekProvider.AWS,
        State = state,
        AsOf = s_now,
        Regions =
        [
            .. regions.Select((r, i) => new CmekRegionStatus
            {
                ClusterId = "c-1",
                Region = $"r{i}",
                State = r,
                Keys = [new CmekKeyStatus { KeyUri = $"key{i}", AuthPrincipal = $"who{i}" }],
                Current = new CmekKeyStatus { KeyUri = $"key{i}", AuthPrincipal = $"who{i}" },
            }),
        ],
    };

    private static CmekJournalEntry Entry(int minute, string? cluster, string? target, string command = "Update-CmekCluster") => new()
    {
        Time = s_now.AddMinutes(minute),
        ClusterId = cluster,
        Target = target,
        Command = command,
        Summary = $"change {minute}",
        Outcome = "done",
        Kind = "cmek:Update",
    };

    private static ReceiptDocument Receipt(
        string cluster = "C-1",
        DateTimeOffset? restored = null,
        DateTimeOffset? superseded = null) => new()
    {
        Id = "r",
        CreatedAt = s_now,
        OrganizationId = "org-1",
        ClusterId = cluster,
        ClusterName = "shop",
        Provider = CmekProvider.AWS,
        RestoredAt = restored,
        SupersededAt = superseded,
    };

    [Fact]
    public void WhatIsKnownStandsInItAndNothingElse()
    {
        CmekStatus status = Status(CmekState.ENABLED, CmekState.ENABLED);
        CmekRegionStatus plain = new() { ClusterId = "c-1", Region = "r9", State = CmekState.DISABLED };
        CmekRegionStatus failed = new()
        {
            ClusterId = "c-1",
            Region = "r8",
            State = CmekState.ENABLE_FAILED,
            Keys = [new CmekKeyStatus { State = CmekState.ENABLE_FAILED, UserMessage = "no access", Place = CmekKeyPlace.Failed }],
        };
        CmekSupportRequest request = SupportRequests.Write(
            CmekSupportPurpose.Disable,
            s_organization,
            status with { Regions = [.. status.Regions, failed, plain] },
            ["One fact.", "Another."],
            ["first thing", "second thing"],
            s_now);
        Assert.Equal(
            """
            Please move our cluster from CMEK back to CockroachDB-managed encryption. One fact. Another.

            Organization: Example
            Organization ID: org-1
            Cluster: shop
            Cluster ID: c-1
            Cloud provider: AWS
            CMEK status at 2026-03-04 05:06:07Z: ENABLED
              r0: ENABLED, key key0, principal who0
              r8: ENABLE_FAILED, message: no access
              r9: DISABLED

            What was done:
              first thing
              second thing

            Written 2026-03-04 05:06:07Z.
            """.ReplaceLineEndings(),
            request.Body);
        Assert.Equal("Disable CMEK on cluster c-1 (organization org-1)", request.Subject);
        Assert.Equal(("c-1", "org-1", CmekSupportPurpose.Disable), (request.ClusterId, request.OrganizationId, request.Purpose));

        request = SupportRequests.Write(CmekSupportPurpose.EnableOrganization, s_organization, null, [], [], s_now);
        Assert.Equal(
            """
            Please turn on CMEK for our organization.

            Organization: Example
            Organization ID: org-1

            Written 2026-03-04 05:06:07Z.
            """.ReplaceLineEndings(),
            request.Body);
        Assert.Equal("Enable CMEK for organization org-1", request.Subject);
        Assert.Null(request.ClusterId);
    }

    [Theory]
    [InlineData(CmekState.REVOKED, CmekState.ENABLED, true)]
    [InlineData(CmekState.REVOKING, CmekState.ENABLED, true)]
    [InlineData(CmekState.ENABLED, CmekState.REVOKED, true)]
    [InlineData(CmekState.ENABLED, CmekState.REVOKING, true)]
    [InlineData(CmekState.ENABLED, CmekState.REVOKE_FAILED, true)]
    [InlineData(CmekState.ENABLED, CmekState.ENABLED, false)]
    [InlineData(CmekState.ENABLE_FAILED, CmekState.ENABLE_FAILED, false)]
    public void ARevocationIsOnlySaidWhereOneIsSeen(CmekState cluster, CmekState region, bool revoked)
    {
        CmekStatus status = Status(cluster, CmekState.ENABLED, region);
        CmekSupportRequest request = SupportRequests.Write(CmekSupportPurpose.Recover, s_organization, status, [], [], s_now);
        Assert.Equal(
            revoked
                ? "Recover cluster c-1 after CMEK revocation (organization org-1)"
                : "Recover cluster c-1 (organization org-1)",
            request.Subject);
        Assert.Equal(
            revoked ? "Please bring our cluster back after a CMEK revocation." : "Please bring our cluster back.",
            request.Body.ReplaceLineEndings("\n").Split('\n')[0]);
        string[] facts = [.. SupportRequests.Facts(CmekSupportPurpose.Recover, status, [], [])];
        Assert.Equal(revoked ? 1 : 2, facts.Length);
        Assert.Equal(!revoked, facts[0] == $"The service does not say now that it is revoked: {cluster}.");
        Assert.Equal("Nothing is recorded here of access that was taken away or given back.", facts[^1]);
    }

    [Fact]
    public void AReceiptSaysHowFarTheRevocationIs()
    {
        string Fact(params ReceiptDocument[] receipts) =>
            SupportRequests.Facts(CmekSupportPurpose.Recover, Status(CmekState.REVOKED), receipts, []).Last();
        Assert.StartsWith("Taking access to its keys away was begun at 2026-03-04 05:06:07Z", Fact(Receipt()), StringComparison.Ordinal);
        Assert.Equal(
            "Access to its keys was given back at 2026-03-04 05:06:07Z.",
            Fact(Receipt("another"), Receipt(restored: s_now), Receipt()));
        Assert.StartsWith("The principals whose access", Fact(Receipt(superseded: s_now)), StringComparison.Ordinal);
        Assert.StartsWith("Nothing is recorded", Fact(Receipt("another")), StringComparison.Ordinal);
        Assert.Empty(SupportRequests.Facts(CmekSupportPurpose.EnableOrganization, Status(CmekState.ENABLED), [Receipt()], []));
    }

    [Fact]
    public void AnAttemptIsTakenFromTheJournal()
    {
        string Fact(params CmekJournalEntry[] journal) =>
            Assert.Single(SupportRequests.Facts(CmekSupportPurpose.Disable, Status(CmekState.ENABLED), [], journal));
        CmekJournalEntry first = Entry(0, "C-1", null, "Disable-CmekCluster");
        CmekJournalEntry last = Entry(1, "c-1", null, "Disable-CmekCluster") with { Outcome = "failed", Message = "why" };
        Assert.Equal("It was tried through the public API at 2026-03-04 05:06:07Z: done.", Fact(first));
        Assert.Equal(
            "It was tried through the public API at 2026-03-04 05:07:07Z: failed (why).",
            Fact(first, last, Entry(2, "c-2", null, "Disable-CmekCluster"), Entry(3, "c-1", null)));
        Assert.Equal(
            "Nothing is recorded here of an attempt through the public API.",
            Fact(Entry(2, "c-2", null, "Disable-CmekCluster"), Entry(3, "c-1", null)));
    }

    [Theory]
    [InlineData(20, null)]
    [InlineData(21, "(1 earlier change since 2026-03-04: left out here)")]
    [InlineData(22, "(2 earlier changes since 2026-03-04: left out here)")]
    public void OnlyTheLastChangesOfTheClusterAreNamed(int count, string? earlier)
    {
        CmekJournalEntry[] journal =
        [
            .. Enumerable.Range(0, count - 3).Select(i => Entry(i, "C-1", null)),
            Entry(40, null, "shop (C-1)"),
            Entry(41, null, "key0"),
            Entry(42, "another", "key0"),
            Entry(43, null, "another key"),
            Entry(44, null, null),
            Entry(45, "c-1", "anything"),
        ];
        string[] done = [.. SupportRequests.DoneTo(Status(CmekState.ENABLED, CmekState.ENABLED), journal)];
        Assert.Equal(earlier, done.FirstOrDefault(d => d.StartsWith('(')));
        Assert.Equal(earlier is null ? 20 : 21, done.Length);
        Assert.Equal(
            ["change 40", "change 41", "change 45"],
            done[^3..].Select(d => d[(d.IndexOf(": ", StringComparison.Ordinal) + 2)..d.IndexOf(" (", StringComparison.Ordinal)]));
        Assert.Equal("2026-03-04 05:51:07Z Update-CmekCluster: change 45 (done)", done[^1]);
    }

    [Theory]
    [InlineData(CmekState.ENABLED, false)]
    [InlineData(CmekState.DISABLED, false)]
    [InlineData(CmekState.ENABLE_FAILED, true)]
    [InlineData(CmekState.REVOKED, true)]
    public void WhatNeedsRecoverySaysSoByItsStateOrByAReceipt(CmekState state, bool needs)
    {
        CmekStatus status = Status(state);
        Assert.Equal(needs, SupportRequests.NeedsRecovery(status, []));
        Assert.Equal(needs, SupportRequests.NeedsRecovery(status, [Receipt("another"), Receipt(restored: s_now)]));
        Assert.True(SupportRequests.NeedsRecovery(status, [Receipt()]));
        Assert.True(SupportRequests.NeedsRecovery(Status(state, CmekState.REVOKE_FAILED), []));
    }
}
