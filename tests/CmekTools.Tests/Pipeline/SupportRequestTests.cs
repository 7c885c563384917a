using System.Management.Automation;
using CmekTools.Engine.Lifecycle;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>The text for the vendor's ticket: everything that support asks for, nothing secret, nothing sent.</summary>
public sealed class SupportRequestTests
{
    [Fact]
    public async Task TheOrganizationsRequestNamesItsId()
    {
        await using Life life = await Life.StartAsync("AWS", enable: false);
        CmekSupportRequest request = Assert.Single(
            (await life.RunAsync("New-CmekSupportRequest -Purpose EnableOrganization")).Values<CmekSupportRequest>());
        Assert.Equal(
            (CmekSupportPurpose.EnableOrganization, life.Server.Options.OrganizationId, null),
            (request.Purpose, request.OrganizationId, request.ClusterId));
        Assert.Contains(life.Server.Options.OrganizationId, request.Subject, StringComparison.Ordinal);
        Assert.Contains("turn on CMEK", request.Body, StringComparison.Ordinal);
        Assert.Contains(
            "The Cloud API answers for it. Its one cluster whose plan can have CMEK, shop",
            request.Body,
            StringComparison.Ordinal);
        Assert.Contains(life.Server.Options.OrganizationId, request.Body, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task WhatWorksAlreadyIsSaidAndNotAskedForUnseen(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        PowerShellResult result = await life.RunAsync("New-CmekSupportRequest -Purpose EnableOrganization");
        string body = Assert.Single(result.Values<CmekSupportRequest>()).Body;
        Assert.Contains("has customer-managed keys already: shop", body, StringComparison.Ordinal);
        Assert.DoesNotContain("turn on the Cloud API", body, StringComparison.Ordinal);
        Assert.Contains(result.Warnings, w => w.Contains("read the text before it is sent", StringComparison.Ordinal));
        (await life.TryAsync("New-CmekSupportRequest -Purpose Recover")).ExpectError("ClusterMissing,");
    }

    [Theory]
    [InlineData(20, null)]
    [InlineData(21, "(1 earlier change since 2026-11-30: left out here)")]
    [InlineData(25, "(5 earlier changes since 2026-11-30: left out here)")]
    public void HowMuchOfTheJournalIsLeftOutIsSaid(int entries, string? said)
    {
        CmekStatus status = new() { ClusterId = "8d0388d1", ClusterName = "shop" };
        string[] lines =
        [
            .. SupportRequests.DoneTo(
                status,
                Enumerable.Range(1, entries).Select(i => new CmekJournalEntry
                {
                    Time = new DateTimeOffset(2026, 11, 30, 12, i, 0, TimeSpan.Zero),
                    Command = "Update-CmekCluster",
                    Target = "shop (8d0388d1)",
                    Summary = $"change {i}",
                    Outcome = "done",
                })),
        ];
        Assert.Equal(said, entries > 20 ? lines[0] : null);
        Assert.Equal(entries > 20 ? 21 : 20, lines.Length);
        Assert.EndsWith($"change {entries} (done)", lines[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AWS", "cut arn:aws:iam::")]
    [InlineData("GCP", "take serviceAccount:")]
    public async Task ARecoveryTellsStatesTimesAndWhatWasDone(string provider, string cut)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekStatus before = await life.StatusAsync();
        DateTimeOffset start = DateTimeOffset.UtcNow;
        await life.RunAsync("Revoke-CmekAccess shop -Force");
        CmekSupportRequest request = Assert.Single(
            (await life.RunAsync("New-CmekSupportRequest shop -Purpose Recover")).Values<CmekSupportRequest>());
        Assert.Empty(life.Writes);
        Assert.Equal((CmekSupportPurpose.Recover, before.ClusterId), (request.Purpose, request.ClusterId));
        string[] said =
        [
            life.Server.Options.OrganizationId,
            "Cluster: shop",
            "Cluster ID: " + before.ClusterId,
            "Cloud provider: " + provider,
            .. before.Regions.Select(r => $"{r.Region}: REVOKED, key {r.KeyUri}, principal {r.AuthPrincipal}"),
            "Revoke-CmekAccess: " + cut,
            "Revoke-CmekAccess: revoke CMEK at the service (done)",
            "nothing is recorded here of giving it back",
            $"Written {start.UtcDateTime:yyyy-MM-dd}",
        ];
        Assert.All(said, word => Assert.Contains(word, request.Body, StringComparison.Ordinal));
        string[] secrets =
        [
            life.Server.Options.ApiKey,
            life.Server.Environment["AWS_SECRET_ACCESS_KEY"],
            life.Server.Environment["GOOGLE_SANDBOX_ACCESS_TOKEN"],
        ];
        Assert.All(secrets, secret => Assert.DoesNotContain(secret, request.ToString(), StringComparison.Ordinal));
        Assert.StartsWith("Recover cluster " + before.ClusterId, request.Subject, StringComparison.Ordinal);
        Assert.DoesNotContain("was given back", request.Body, StringComparison.Ordinal);

        await life.RunAsync("Restore-CmekAccess shop -Wait");
        request = Assert.Single((await life.RunAsync("New-CmekSupportRequest shop -Purpose Recover")).Values<CmekSupportRequest>());
        Assert.Contains("Access to its keys was given back at", request.Body, StringComparison.Ordinal);
        Assert.Contains("The service does not say now that it is revoked: ENABLED.", request.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NothingIsClaimedThatWasNeverDone()
    {
        await using Life life = await Life.StartAsync("AWS");
        CmekSupportRequest[] requests =
        [
            .. (
                await life.RunAsync(
                    "'Recover', 'Disable' | ForEach-Object { New-CmekSupportRequest shop $_ }")).Values<CmekSupportRequest>(),
        ];
        Assert.Contains(
            "Nothing is recorded here of access that was taken away or given back.",
            requests[0].Body,
            StringComparison.Ordinal);
        Assert.DoesNotContain("revocation", requests[0].ToString(), StringComparison.Ordinal);
        Assert.Contains("Nothing is recorded here of an attempt through the public API.", requests[1].Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AClusterIsFoundByItsObjectAndAWrongNameIsAnError()
    {
        await using Life life = await Life.StartAsync("AWS");
        CmekSupportRequest request = Assert.Single(
            (await life.RunAsync("Get-CmekCluster shop | New-CmekSupportRequest -Purpose Disable")).Values<CmekSupportRequest>());
        Assert.Equal(CmekSupportPurpose.Disable, request.Purpose);
        Assert.Contains("back to CockroachDB-managed encryption", request.Body, StringComparison.Ordinal);
        Assert.Contains("us-east-1: ENABLED", request.Body, StringComparison.Ordinal);
        Assert.Equal(
            ErrorCategory.ObjectNotFound,
            (await life.TryAsync("New-CmekSupportRequest shopp -Purpose Disable")).ExpectError("ClusterNotFound").CategoryInfo.Category);
    }
}
