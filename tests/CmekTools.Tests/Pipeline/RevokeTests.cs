using System.Diagnostics;
using System.Management.Automation;
using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>The break-glass: what it asks, what it writes in which order, and what it says at each moment.</summary>
public sealed class RevokeTests
{
    private static readonly string[] s_steps = ["Cut", "Cut", "Proof", "Proof", "Receipt", "Revoke", "Revoked"];

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ItAsksOnceAndANoWritesNothing(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekStatus before = await life.StatusAsync();
        string[] files = life.Files();
        life.Shell.Shell.Answer("N");
        PowerShellResult declined = await life.RunAsync("Revoke-CmekAccess shop");
        Assert.Empty(declined.Output);
        Assert.Empty(life.Writes);
        Assert.Equal(files, life.Files());
        string question = Assert.Single(life.Shell.Shell.Host.Questions).Message;
        string[] said =
        [
            "shop",
            before.ClusterId,
            .. life.Regions,
            .. before.Regions.Select(r => r.KeyUri!),
            "then tell the service to revoke",
            "The database stops",
            "managed backups fail",
            "restarted nodes do not come back",
            "Restore-CmekAccess",
            "support ticket",
        ];
        Assert.All(said, word => Assert.Contains(word, question, StringComparison.Ordinal));

        life.Shell.Shell.Answer("N");
        await life.RunAsync("Revoke-CmekAccess shop -KeyOnly");
        Assert.DoesNotContain("tell the service", life.Shell.Shell.Host.Questions[^1].Message, StringComparison.Ordinal);

        // One yes is enough for everything that follows.
        life.Shell.Shell.Answer("Y");
        await life.RunAsync("Revoke-CmekAccess shop");
        Assert.Equal(3, life.Shell.Shell.Host.Questions.Count);
        Assert.Equal(CmekState.REVOKED, (await life.StatusAsync()).State);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task EachKeysReceiptIsOnDiskBeforeItIsCutAndTheServiceIsToldBesideThat(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekStatus before = await life.StatusAsync();
        System.Collections.Concurrent.ConcurrentQueue<string> early = new();
        life.Server.Before = request =>
        {
            string[] receipts =
            [
                .. life.Receipts().Where(f => f.EndsWith(".json", StringComparison.Ordinal)).Select(
                    f => $"{(OperatingSystem.IsWindows() ? UnixFileMode.UserRead | UnixFileMode.UserWrite : File.GetUnixFileMode(f))} "
                        + $"{File.ReadAllText(f)}"),
            ];
            string? uri = before.Regions.Select(r => r.KeyUri!).FirstOrDefault(
                u => (request.RawPath + request.Text).Contains(u, StringComparison.Ordinal));
            if (request.IsWrite
                && (
                    receipts is not [var one] || !one.StartsWith("UserWrite, UserRead {", StringComparison.Ordinal)
                        || (uri is not null && !one.Contains(uri, StringComparison.Ordinal))))
            {
                early.Enqueue(request.ToString());
            }

            return Task.FromResult<SandboxResponse?>(null);
        };
        Stopwatch watch = Stopwatch.StartNew();
        CmekStep[] steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Force")).Values<CmekStep>()];
        double seconds = watch.Elapsed.TotalSeconds;
        life.Server.Before = null;
        Assert.Empty(life.Shell.Shell.Host.Questions);
        Assert.Empty(early);

        JsonArray accesses = JsonNode.Parse(File.ReadAllText(Assert.Single(life.Receipts())))!["accesses"]!.AsArray();
        Assert.Equal(
            before.Regions.Select(r => $"{r.Region} {r.KeyUri} {r.AuthPrincipal}"),
            accesses.Select(a => $"{a!["region"]} {a["key_uri"]} {a["auth_principal"]}").Order(StringComparer.Ordinal));

        // Nothing but the cut and the REVOKE is written, each once.
        SandboxExchange told = Assert.Single(life.Server.Exchanges, e => e.Request.IsWrite && e.Request.Service == "cloud");
        Assert.Equal("""{"action":"REVOKE"}""", told.Request.Text);
        Assert.Equal(("PATCH", "UpdateCmekStatus"), (told.Request.Method, told.Request.Operation));
        Assert.Equal(
            life.IsAws
                ? ["cloud:UpdateCmekStatus", "kms:PutKeyPolicy", "kms:PutKeyPolicy"]
                : [
                    "cloud:UpdateCmekStatus",
                    "gcp-kms:cryptoKeys.patch",
                    "gcp-kms:cryptoKeys.patch",
                    "gcp-kms:cryptoKeys.setIamPolicy",
                    "gcp-kms:cryptoKeys.setIamPolicy",
                ],
            life.Writes.Where(w => w != "gcp-iam:serviceAccounts.setIamPolicy").Order(StringComparer.Ordinal));

        // The account is one of both keys: its policy is changed once, and the other one's try may lose the race.
        Assert.Equal(
            life.IsAws ? 0 : 1,
            life.Server.Exchanges.Count(e => e.Request is { IsWrite: true, Service: "gcp-iam" } && e.Status == 200));

        Assert.Equal(s_steps, steps.Select(s => s.Step).Order(StringComparer.Ordinal));
        Assert.Equal("Receipt", steps[0].Step);
        Assert.All(before.Regions, r => Assert.Equal(["Cut", "Proof"], steps.Where(s => s.KeyUri == r.KeyUri).Select(s => s.Step)));
        Assert.All(steps.Where(s => s.Step == "Proof"), s => Assert.Equal(CmekCutState.Cut, s.CutState));

        // The whole is cut only when the last of its keys has been read to be.
        int last = Array.FindLastIndex(steps, s => s.Step == "Proof");
        Assert.All(steps[..last], s => Assert.Null(s.KeyCut));
        Assert.All(steps[last..], s => Assert.True(s.KeyCut));
        Assert.Equal("revoked", steps[^1].Now);

        // From the answer to the question on, in thousandths: a receipt in memory is written in less than one, the service is not told so.
        Assert.All(steps, s => Assert.InRange(s.DurationSeconds, 0, seconds));
        Assert.True(steps[^1].DurationSeconds > 0, steps[^1].ToString());
        Assert.All(steps, s => Assert.Equal(Assert.Single(life.Receipts()), s.ReceiptPath));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task KeyOnlyDoesNotTellTheServiceAndTheNextRunGoesOnFromThere(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekStep[] steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -KeyOnly -Force")).Values<CmekStep>()];
        Assert.DoesNotContain("cloud:UpdateCmekStatus", life.Writes);
        Assert.Equal(("Proof", "key cut, cluster still running"), (steps[^1].Step, steps[^1].Now));
        Assert.Equal((true, CmekCutState.Cut), (steps[^1].KeyCut, steps[^1].CutState));
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
        string receipt = Content(Assert.Single(life.Receipts()));

        steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Force")).Values<CmekStep>()];
        Assert.Equal(["cloud:UpdateCmekStatus"], life.Writes);
        Assert.Equal(["was cut already", "was cut already"], steps.Where(s => s.Step == "Cut").Select(s => s.Result));
        Assert.Equal("revoked", steps[^1].Now);

        // And once more, when all is done: nothing is written, and the receipt still holds what was there before the first cut.
        steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Force")).Values<CmekStep>()];
        Assert.Empty(life.Writes);
        Assert.Equal("revoked", steps[^1].Now);
        Assert.Equal(receipt, Content(Assert.Single(life.Receipts())));
    }

    // All that a restore acts on: each run that looks again gives a receipt a new revision, and with it another seal.
    private static string Content(string receipt)
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(receipt))!.AsObject();
        Assert.True(json.Remove("revision") && json.Remove("seal"));
        return json.ToJsonString();
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task PermanentAsksAgainEvenWithForceAndTheNameAnswersIt(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string[] uris = [.. (await life.StatusAsync()).Regions.Select(r => r.KeyUri!)];

        // A wrong name is noticed before anything is cut.
        ErrorRecord wrong = (
            await life.TryAsync("Revoke-CmekAccess shop -Permanent -Force -ConfirmClusterName Shop")).ExpectError("ConfirmNameMismatch");
        Assert.Equal(ErrorCategory.InvalidArgument, wrong.CategoryInfo.Category);
        Assert.Empty(life.Writes);
        Assert.Empty(life.Receipts());

        life.Shell.Shell.Answer("N");
        await life.RunAsync("Revoke-CmekAccess shop -Permanent -Force");
        string question = Assert.Single(life.Shell.Shell.Host.Questions).Message;
        Assert.All(
            [
                "shop of the organization Sandbox, a SANDBOX", "scheduled to be destroyed", "nobody can ever read the data of",
                .. uris.Select(u => $"{u}: on {DateTime.UtcNow.AddDays(30):yyyy-MM-dd} (30 days)"),
            ],
            word => Assert.Contains(word, question, StringComparison.Ordinal));
        Assert.Equal(CmekState.REVOKED, (await life.StatusAsync()).State);
        foreach (string uri in uris)
        {
            Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(uri));
        }

        CmekStep[] steps =
        [
            .. (
                await life.RunAsync(
                    "Revoke-CmekAccess shop -Permanent -Force -ConfirmClusterName shop" + (
                        life.IsAws ? " -PendingWindowInDays 7" : string.Empty))).Values<CmekStep>(),
        ];
        Assert.Single(life.Shell.Shell.Host.Questions);
        // The key is marked, so that a restore on another machine knows whose deletion it is. On Google Cloud the automatic rotation
        // stops then, and each version is disabled before it is destroyed.
        string[] one = life.IsAws
            ? ["kms:TagResource", "kms:ScheduleKeyDeletion"]
            :
            [
                "gcp-kms:cryptoKeys.patch", "gcp-kms:cryptoKeys.patch",
                "gcp-kms:cryptoKeyVersions.patch", "gcp-kms:cryptoKeyVersions.destroy",
            ];
        // The two keys go side by side.
        Assert.Equal([.. one.Concat(one).Order(StringComparer.Ordinal)], life.Writes.Order(StringComparer.Ordinal));
        Assert.Equal(life.Regions, steps.Where(s => s.Step == "Deletion").Select(s => s.Region!).Order(StringComparer.Ordinal));
        foreach (string uri in uris)
        {
            CmekKey key = Assert.Single((await life.RunAsync("param($Uri) Get-CmekKey $Uri", new { Uri = uri })).Values<CmekKey>());
            Assert.Equal(CmekKeyState.PendingDeletion, key.State);
            if (life.IsAws)
            {
                Assert.Equal(7, (key.DeletionDate!.Value - DateTimeOffset.UtcNow).TotalDays, 0.1);
            }
        }

        await life.RunAsync("Revoke-CmekAccess shop -Permanent -Force -ConfirmClusterName shop");
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("ring")]
    [InlineData("project")]
    public async Task AWiderBindingThatStillLetsThePrincipalInIsAnErrorAndTheStepSaysSo(string place)
    {
        await using Life life = await Life.StartAsync("GCP");
        CmekRegionStatus region = (await life.StatusAsync()).Regions[0];
        string resource = place == "ring"
            ? region.KeyUri![..region.KeyUri!.IndexOf("/cryptoKeys/", StringComparison.Ordinal)]
            : "projects/customer-project";
        life.Bind(resource, "roles/cloudkms.cryptoKeyEncrypterDecrypter", "serviceAccount:" + region.AuthPrincipal);
        PowerShellResult result = await life.TryAsync("Revoke-CmekAccess shop -Force");
        ErrorRecord[] wider =
        [
            .. result.Errors.Where(e => e.FullyQualifiedErrorId.StartsWith("InheritedAccess", StringComparison.Ordinal)),
        ];
        Assert.Equal(place == "ring" ? 1 : 2, wider.Length);
        Assert.All(wider, e =>
        {
            Assert.Equal(ErrorCategory.InvalidOperation, e.CategoryInfo.Category);
            Assert.Contains("remove-iam-policy-binding", e.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
            Assert.Contains("-DisablePrincipal", e.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        });

        // The cluster's own account can take no new tokens, but those that it has work through the wider binding: neither cut nor open
        // is claimed.
        ErrorRecord[] unproven = [.. result.Errors.Where(e => e.FullyQualifiedErrorId.StartsWith("CutNotSeen", StringComparison.Ordinal))];
        Assert.Equal(place == "ring" ? 1 : 2, unproven.Length);
        Assert.All(unproven, e => Assert.Contains(place == "ring" ? "key ring" : "project", e.Exception.Message, StringComparison.Ordinal));
        CmekStep[] steps = [.. result.Values<CmekStep>()];
        Assert.Equal(s_steps, steps.Select(s => s.Step).Order(StringComparer.Ordinal));
        Assert.Equal(
            unproven.Length,
            steps.Count(
                s => s.Step == "Proof" && s.Result.StartsWith("NOT proven", StringComparison.Ordinal)
                    && s.CutState == CmekCutState.Perhaps));
        Assert.All(steps, s => Assert.Null(s.KeyCut));
        Assert.Equal(
            ("cut not seen", CmekState.REVOKED),
            (steps.Any(s => s.KeyCut == true) ? "claimed" : "cut not seen", (await life.StatusAsync()).State));

        // A disabled account is let in by no binding.
        steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Force -DisablePrincipal")).Values<CmekStep>()];
        Assert.Equal("gcp-iam:serviceAccounts.disable", Assert.Single(life.Writes.Distinct()));
        Assert.Equal(true, steps[^1].KeyCut);
    }

    [Fact]
    public async Task APastKeyIsCutToo()
    {
        await using Life life = await Life.StartAsync("AWS");
        CmekStatus first = await life.StatusAsync();
        await life.RunAsync(
            "New-CmekKey shop -AliasName second | Grant-CmekAccess | Update-CmekCluster -Wait -WarningAction SilentlyContinue");
        CmekStatus second = await life.StatusAsync();
        string[] uris = [.. second.Regions.Concat(first.Regions).Select(r => r.KeyUri!)];
        Assert.Equal(4, uris.Distinct().Count());
        CmekStep[] steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Force")).Values<CmekStep>()];
        Assert.Equal(4, steps.Count(s => s.Step == "Cut"));
        Assert.Equal(
            uris.Order(StringComparer.Ordinal),
            life.Sent("PutKeyPolicy").Select(b => (string)b["KeyId"]!).Order(StringComparer.Ordinal));
        Assert.All(life.Sent("PutKeyPolicy"), b => Assert.Contains("\"Deny\"", (string)b["Policy"]!, StringComparison.Ordinal));
    }
}
