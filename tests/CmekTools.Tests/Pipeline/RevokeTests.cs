using System.Management.Automation;
using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>The break-glass: what it asks, what it writes in which order, and what it says at each moment.</summary>
public sealed class RevokeTests
{
    private static readonly string[] s_steps = ["Receipt", "Cut", "Cut", "Proof", "Revoke", "Revoked"];

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
        string[] said = ["shop", before.ClusterId, .. life.Regions, .. before.Regions.Select(r => r.KeyUri!), "then tell the service to revoke", "The database stops", "managed backups fail", "restarted nodes do not come back", "Restore-CmekAccess", "support ticket"];
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
    public async Task TheReceiptIsOnDiskFirstAndTheOrderIsTheDocumentedOne(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekStatus before = await life.StatusAsync();
        List<string> atFirstWrite = [];
        life.Server.Before = request =>
        {
            if (request.IsWrite && atFirstWrite.Count == 0)
            {
                atFirstWrite.AddRange(life.Receipts().Select(f => $"{(OperatingSystem.IsWindows() ? UnixFileMode.UserRead | UnixFileMode.UserWrite : File.GetUnixFileMode(f))} {File.ReadAllText(f)}"));
            }

            return Task.FromResult<SandboxResponse?>(null);
        };
        CmekStep[] steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Force")).Values<CmekStep>()];
        life.Server.Before = null;
        Assert.Empty(life.Shell.Shell.Host.Questions);

        string receipt = Assert.Single(atFirstWrite);
        Assert.StartsWith("UserWrite, UserRead {", receipt, StringComparison.Ordinal);
        JsonArray accesses = JsonNode.Parse(receipt[receipt.IndexOf('{', StringComparison.Ordinal)..])!["accesses"]!.AsArray();
        Assert.Equal(before.Regions.Select(r => $"{r.Region} {r.KeyUri} {r.AuthPrincipal}"), accesses.Select(a => $"{a!["region"]} {a["key_uri"]} {a["auth_principal"]}"));

        // Cut at the provider, then read again several times, then the service is told, and nothing else is written.
        SandboxExchange[] all = [.. life.Server.Exchanges.OrderBy(e => e.Request.Number)];
        string read = life.IsAws ? "GetKeyPolicy" : "cryptoKeys.getIamPolicy";
        int told = Array.FindIndex(all, e => e.Request.IsWrite && e.Request.Service == "cloud");
        int lastCut = Array.FindLastIndex(all, e => e.Request.IsWrite && e.Request.Service != "cloud");
        Assert.Equal("""{"action":"REVOKE"}""", all[told].Request.Text);
        Assert.Equal(("PATCH", "UpdateCmekStatus"), (all[told].Request.Method, all[told].Request.Operation));
        Assert.True(lastCut < told, $"the last cut {all[lastCut]} comes after {all[told]}");
        Assert.True(all[lastCut..told].Count(e => e.Request.Operation == read) >= 3 * 2, "each of the two policies is read three times between the cut and the revocation");
        Assert.Equal(life.IsAws ? ["kms:PutKeyPolicy", "kms:PutKeyPolicy", "cloud:UpdateCmekStatus"] : ["gcp-kms:cryptoKeys.setIamPolicy", "gcp-iam:serviceAccounts.setIamPolicy", "gcp-kms:cryptoKeys.setIamPolicy", "cloud:UpdateCmekStatus"], life.Writes);

        Assert.Equal(s_steps, steps.Select(s => s.Step));
        Assert.Equal(life.Regions, steps[1..3].Select(s => s.Region!));
        Assert.Equal(
            ["cut not seen yet, cluster still running", "cut not seen yet, cluster still running", "cut not seen yet, cluster still running", "key cut, cluster still running", "key cut, cluster still running", "revoked"],
            steps.Select(s => s.Now));
        Assert.All(steps, s => Assert.True(s.Duration > TimeSpan.Zero, s.ToString()));
        Assert.True(steps[3].Duration >= CmekTools.Engine.Timings.Sandbox.CutWatch, "the proof takes the time that a change takes to spread");
        Assert.True(steps[^1].At - steps[0].At >= steps[1..].Aggregate(TimeSpan.Zero, (sum, s) => sum + s.Duration) - TimeSpan.FromMilliseconds(50), "the steps' times add up");
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
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
        string receipt = File.ReadAllText(Assert.Single(life.Receipts()));

        steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Force")).Values<CmekStep>()];
        Assert.Equal(["cloud:UpdateCmekStatus"], life.Writes);
        Assert.Equal(["was cut already", "was cut already"], steps.Where(s => s.Step == "Cut").Select(s => s.Result));
        Assert.Equal("revoked", steps[^1].Now);

        // And once more, when all is done: nothing is written, and the receipt still holds what was there before the first cut.
        steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Force")).Values<CmekStep>()];
        Assert.Empty(life.Writes);
        Assert.Equal("revoked", steps[^1].Now);
        Assert.Equal(receipt, File.ReadAllText(Assert.Single(life.Receipts())));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task PermanentAsksAgainEvenWithForceAndTheNameAnswersIt(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string[] uris = [.. (await life.StatusAsync()).Regions.Select(r => r.KeyUri!)];

        // A wrong name is noticed before anything is cut.
        ErrorRecord wrong = (await life.TryAsync("Revoke-CmekAccess shop -Permanent -Force -ConfirmClusterName Shop")).ExpectError("ConfirmNameMismatch");
        Assert.Equal(ErrorCategory.InvalidArgument, wrong.CategoryInfo.Category);
        Assert.Empty(life.Writes);
        Assert.Empty(life.Receipts());

        life.Shell.Shell.Answer("N");
        await life.RunAsync("Revoke-CmekAccess shop -Permanent -Force");
        string question = Assert.Single(life.Shell.Shell.Host.Questions).Message;
        Assert.All(["shop", "never be read again", .. uris], word => Assert.Contains(word, question, StringComparison.Ordinal));
        Assert.Equal(CmekState.REVOKED, (await life.StatusAsync()).State);
        foreach (string uri in uris)
        {
            Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(uri));
        }

        CmekStep[] steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Permanent -Force -ConfirmClusterName shop -PendingWindowInDays 7")).Values<CmekStep>()];
        Assert.Single(life.Shell.Shell.Host.Questions);
        // On Google Cloud the automatic rotation stops first, and each version is disabled before it is destroyed.
        string[] one = life.IsAws ? ["kms:ScheduleKeyDeletion"] : ["gcp-kms:cryptoKeys.patch", "gcp-kms:cryptoKeyVersions.patch", "gcp-kms:cryptoKeyVersions.destroy"];
        Assert.Equal([.. one, .. one], life.Writes);
        Assert.Equal(life.Regions, steps.Where(s => s.Step == "Deletion").Select(s => s.Region!));
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
        string resource = place == "ring" ? region.KeyUri![..region.KeyUri!.IndexOf("/cryptoKeys/", StringComparison.Ordinal)] : "projects/customer-project";
        life.Bind(resource, "roles/cloudkms.cryptoKeyEncrypterDecrypter", "serviceAccount:" + region.AuthPrincipal);
        PowerShellResult result = await life.TryAsync("Revoke-CmekAccess shop -Force");
        ErrorRecord[] wider = [.. result.Errors.Where(e => e.FullyQualifiedErrorId.StartsWith("InheritedAccess", StringComparison.Ordinal))];
        Assert.Equal(place == "ring" ? 1 : 2, wider.Length);
        Assert.All(wider, e =>
        {
            Assert.Equal(ErrorCategory.InvalidOperation, e.CategoryInfo.Category);
            Assert.Contains("remove-iam-policy-binding", e.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
            Assert.Contains("-DisablePrincipal", e.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        });

        // The cluster's own account can take no new tokens, but those that it has work through the wider binding: neither cut nor open is claimed.
        ErrorRecord unproven = Assert.Single(result.Errors, e => e.FullyQualifiedErrorId.StartsWith("CutNotSeen", StringComparison.Ordinal));
        Assert.Contains(place == "ring" ? "key ring" : "project", unproven.Exception.Message, StringComparison.Ordinal);
        CmekStep[] steps = [.. result.Values<CmekStep>()];
        Assert.Equal(s_steps, steps.Select(s => s.Step));
        Assert.StartsWith("NOT proven", steps[3].Result, StringComparison.Ordinal);
        Assert.Equal(["cut not seen yet, cluster still running", "cut not seen yet, cluster still running", "revoked at the service, cut of the key not seen"], steps[3..].Select(s => s.Now));

        // A disabled account is let in by no binding.
        steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Force -DisablePrincipal")).Values<CmekStep>()];
        Assert.Equal(["gcp-iam:serviceAccounts.disable"], life.Writes);
        Assert.Equal(("revoked", true), (steps[^1].Now, steps[^1].KeyCut));
    }

    [Fact]
    public async Task APastKeyIsCutToo()
    {
        await using Life life = await Life.StartAsync("AWS");
        CmekStatus first = await life.StatusAsync();
        await life.RunAsync("New-CmekKey shop -AliasName second | Grant-CmekAccess | Update-CmekCluster -Wait -WarningAction SilentlyContinue");
        CmekStatus second = await life.StatusAsync();
        string[] uris = [.. second.Regions.Concat(first.Regions).Select(r => r.KeyUri!)];
        Assert.Equal(4, uris.Distinct().Count());
        CmekStep[] steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Force")).Values<CmekStep>()];
        Assert.Equal(4, steps.Count(s => s.Step == "Cut"));
        Assert.Equal(uris, life.Sent("PutKeyPolicy").Select(b => (string)b["KeyId"]!));
        Assert.All(life.Sent("PutKeyPolicy"), b => Assert.Contains("\"Deny\"", (string)b["Policy"]!, StringComparison.Ordinal));
    }

    [Fact]
    public async Task ACutThatAwsRefusesInOneRegionDoesNotStopTheOthersNorTheRevocation()
    {
        await using Life life = await Life.StartAsync("AWS");
        string[] uris = [.. (await life.StatusAsync()).Regions.Select(r => r.KeyUri!)];
        life.Server.Before = request => Task.FromResult(request.Headers["X-Amz-Target"] is "TrentService.PutKeyPolicy" && request.Text.Contains(uris[0], StringComparison.Ordinal)
            ? new SandboxResponse { Status = 400, ContentType = "application/x-amz-json-1.1", Body = """{"__type":"AccessDeniedException","message":"User is not authorized to perform kms:PutKeyPolicy"}""" }
            : null);
        PowerShellResult result = await life.TryAsync("Revoke-CmekAccess shop -Force");
        life.Server.Before = null;
        CmekStep[] steps = [.. result.Values<CmekStep>()];
        Assert.Equal(s_steps, steps.Select(s => s.Step));
        Assert.StartsWith("NOT cut", steps[1].Result, StringComparison.Ordinal);
        Assert.Equal("revoked at the service, key NOT cut", steps[^1].Now);
        Assert.Equal(["AccessDenied", "CutNotEffective"], result.Errors.Select(e => e.FullyQualifiedErrorId.Split(',')[0]));

        // Once the operator may, the same command ends what was left.
        steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Force")).Values<CmekStep>()];
        Assert.Equal(["kms:PutKeyPolicy"], life.Writes);
        Assert.Equal("revoked", steps[^1].Now);
    }
}
