using System.Text.Json.Nodes;
using Amazon.KeyManagementService;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine;
using CmekTools.Engine.State;
using CmekTools.Sandbox;
using CmekTools.Tests.Aws;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.State;

/// <summary>Seals that come from a key of a KMS: whoever its policy lets ask trusts what the others sealed, and nobody else does.</summary>
public sealed class SealKeyTests
{
    private const string Machine = """
        Import-Module $env:CMEKTOOLS_MODULE
        $environment = [Collections.Generic.Dictionary[string, string]]::new()
        foreach ($v in 'COCKROACH_API_KEY', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'GOOGLE_SANDBOX_ACCESS_TOKEN') {
            $environment[$v] = [Environment]::GetEnvironmentVariable("TEST_$v")
        }
        $there = @{
            Sandbox = [CmekTools.CmekSandbox]@{ BaseAddress = $env:TEST_ADDRESS; Environment = $environment }
            StateFolder = $env:TEST_STATE
            SharedState = $env:TEST_SHARED
        }
        """;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task OneKeyGivesOneSecretAndAnotherAnother(string provider)
    {
        await using SandboxServer server = SandboxServer.Start(new SandboxOptions { RateLimit = 0 });
        string[] keys = [await KeyAsync(server, provider), await KeyAsync(server, provider, "another")];
        List<byte[]> secrets = [];
        foreach (string key in (string[])[keys[0], keys[0], keys[1]])
        {
            secrets.Add(await AskAsync(key, server));
        }

        Assert.Equal(secrets[0], secrets[1]);
        Assert.NotEqual(secrets[0], secrets[2]);
        Assert.All(secrets, s => Assert.Equal(32, s.Length));

        // It is asked for, and nothing is written for it.
        Assert.Equal(
            3,
            server.Exchanges.Count(e => e.Request is { IsWrite: false, Operation: "GenerateMac" or "cryptoKeyVersions.macSign" }));
    }

    [Fact]
    public async Task AnotherImplementationOfKmsGivesTheSameSecretTwice()
    {
        await using MotoServer moto = await MotoServer.StartAsync();
        string key = (await moto.AwsAsync(
            "kms", "create-key", "--key-spec", "HMAC_256", "--key-usage", "GENERATE_VERIFY_MAC",
            "--query", "KeyMetadata.Arn", "--output", "text")).Trim();
        SealKeyAnswer first = await SealKeys.AskAsync(key, moto.Options, Timings.Sandbox, Cancellation);
        Assert.NotNull(first.Secret);
        Assert.Equal(first.Secret, (await SealKeys.AskAsync(key, moto.Options, Timings.Sandbox, Cancellation)).Secret);
    }

    [Fact]
    public void WhatOneSealedTheOtherKnowsOnlyWithTheSameSecret()
    {
        using TempFolder folder = new();
        Seal a = Own("a");
        Seal b = Own("b");
        byte[] secret = System.Security.Cryptography.RandomNumberGenerator.GetBytes(32);
        a.Use(secret);
        JsonObject document = new() { ["accesses"] = new JsonArray("shop") };
        Assert.True(a.TryAdd(document, "test"));
        Assert.Equal(CmekSealState.Elsewhere, b.Check(document, "test"));
        b.Use(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));
        Assert.Equal(CmekSealState.Elsewhere, b.Check(document, "test"));
        b.Use(secret);
        Assert.Equal(CmekSealState.Verified, b.Check(document, "test"));
        document["accesses"]!.AsArray().Add("orders");
        Assert.Equal(CmekSealState.Broken, b.Check(document, "test"));

        // Without the key the user's own secret seals again; what it had sealed is known all the time.
        a.Use(null);
        Assert.True(a.TryAdd(document, "test"));
        Assert.Equal((CmekSealState.Verified, CmekSealState.Elsewhere), (a.Check(document, "test"), b.Check(document, "test")));
        a.Use(secret);
        Assert.Equal(CmekSealState.Verified, a.Check(document, "test"));

        Seal Own(string name) => new(new SealSecret(() => Path.Combine(folder.Path, name, "seal")));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AnotherMachineRestoresByTheReceiptOnlyWithTheKey(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string key = await KeyAsync(life.Server, provider);
        string before = await World.ReadAsync(life.Server);
        using TempFolder folder = new();
        string shared = Directory.CreateDirectory(Path.Combine(folder.Path, "shared")).FullName;
        await RunAsync("a", "$null = Connect-CmekCloud @there -SealKey $env:TEST_KEY; $null = Revoke-CmekAccess shop -KeyOnly -Force");
        Assert.NotEqual(before, await World.ReadAsync(life.Server));

        string said = await RunAsync(
            "b",
            """
            $null = Connect-CmekCloud @there
            "$((Get-CmekReceipt shop -Open).Seal)"
            $session = Connect-CmekCloud @there -SealKey $env:TEST_KEY
            "$((Get-CmekReceipt shop -Open).Seal) $($session.SealKey -eq $env:TEST_KEY)"
            $null = Restore-CmekAccess shop
            """);
        Assert.Equal("Elsewhere\nVerified True", said.Trim().ReplaceLineEndings("\n"));
        Assert.Equal(before, await World.ReadAsync(life.Server));

        async Task<string> RunAsync(string machine, string script)
        {
            FinishedProgram run = await ExternalProgram.PwshAsync(
                ["-NoProfile", "-NonInteractive", "-Command", $"$ErrorActionPreference = 'Stop'\n{Machine}\n{script}"],
                [
                    ("CMEKTOOLS_MODULE", PowerShellSession.ModuleManifest),
                    ("CMEKTOOLS_SEAL", Path.Combine(folder.Path, machine, "seal")),
                    ("TEST_ADDRESS", life.Server.BaseAddress.ToString()),
                    .. life.Server.Environment.Where(
                        v => !v.Key.StartsWith("CLOUDSDK", StringComparison.Ordinal)).Select(v => ("TEST_" + v.Key, (string?)v.Value)),
                    ("TEST_STATE", Path.Combine(folder.Path, machine, "state")),
                    ("TEST_SHARED", shared),
                    ("TEST_KEY", key),
                ]);
            Assert.True(run.Code == 0, $"{run.Output}\n{run.Errors}");
            return run.Output;
        }
    }

    [Theory]
    [InlineData("AWS", "is not valid for this operation")]
    [InlineData("GCP", "has the purpose ENCRYPT_DECRYPT")]
    public async Task AKeyThatGivesNothingIsAWarningAndNoReasonNotToConnect(string provider, string why)
    {
        await using Life life = await Life.StartAsync(provider);
        string key = await life.KeyAsync(life.Regions[0]);
        string given = life.IsAws ? key : key + "/cryptoKeyVersions/1";
        PowerShellResult result = (await life.Shell.RunAsync(
            "param($Sandbox, $State, $Key) Connect-CmekCloud -Sandbox $Sandbox -StateFolder $State -SealKey $Key; "
                + "Revoke-CmekAccess shop -Force",
            new
            {
                Sandbox = new CmekSandbox { BaseAddress = life.Server.BaseAddress, Environment = life.Server.Environment },
                State = life.Shell.StateFolder,
                Key = given,
            })).Expect();
        string warning = Assert.Single(result.Warnings, w => w.Contains("gave no secret", StringComparison.Ordinal));
        Assert.Contains(why, warning, StringComparison.Ordinal);
        Assert.Null(Assert.Single(result.Output.Select(o => o.BaseObject).OfType<CmekSession>()).SealKey);
        Assert.Equal(CmekState.REVOKED, (await life.StatusAsync()).State);
    }

    [Fact]
    public async Task AKmsThatDoesNotAnswerIsNotWaitedForLong()
    {
        await using SandboxServer server = SandboxServer.Start(new SandboxOptions { RateLimit = 0 });
        string key = await KeyAsync(server, "AWS");
        TaskCompletionSource never = new();
        server.Before = async r =>
        {
            await (r.Operation == "GenerateMac" ? never.Task : Task.CompletedTask);
            return null;
        };
        Timings timings = Timings.Sandbox with { SharedLimit = TimeSpan.FromMilliseconds(300) };
        SealKeyAnswer answer = await SealKeys.AskAsync(key, OptionsOf(server), timings, Cancellation);
        never.SetResult();
        Assert.Equal((null, "it did not answer in 0.3 s."), (answer.Secret, answer.Why));
    }

    [Theory]
    [InlineData("alias/seal")]
    [InlineData("arn:aws:kms:us-east-1:111122223333:alias/seal")]
    [InlineData("arn:aws:iam::111122223333:role/seal")]
    [InlineData("projects/p/locations/l/keyRings/r/cryptoKeys/k")]
    [InlineData("projects/p/locations/l/keyRings/r/cryptoKeys/../cryptoKeyVersions/1")]
    [InlineData("arn:aws:kms:us-east-1.evil.example:111122223333:key/1")]
    public void WhatNamesNoKeyIsRefused(string key) =>
        Assert.Equal("SealKeyInvalid", Assert.Throws<CmekException>(() => SealKeys.Require(key)).ErrorId);

    private static async Task<byte[]> AskAsync(string key, SandboxServer server)
    {
        SealKeyAnswer answer = await SealKeys.AskAsync(key, OptionsOf(server), Timings.Sandbox, Cancellation);
        Assert.Null(answer.Why);
        return answer.Secret!;
    }

    private static ProviderOptions OptionsOf(SandboxServer server) => new()
    {
        AwsEndpoint = server.BaseAddress,
        AwsCredentials = (server.Environment["AWS_ACCESS_KEY_ID"], server.Environment["AWS_SECRET_ACCESS_KEY"]),
        GoogleKmsEndpoint = server.BaseAddress,
        GoogleAccessToken = server.Environment["GOOGLE_SANDBOX_ACCESS_TOKEN"],
    };

    private static async Task<string> KeyAsync(SandboxServer server, string provider, string name = "seal")
    {
        if (provider == "AWS")
        {
            await using AwsWire aws = AwsWire.At(server);
            CreateKeyResponse made = await aws.KmsAs(aws.Aws.Admin).CreateKeyAsync(
                new CreateKeyRequest { KeySpec = KeySpec.HMAC_256, KeyUsage = KeyUsageType.GENERATE_VERIFY_MAC, Description = name },
                Cancellation);
            return made.KeyMetadata.Arn;
        }

        await using GcpWire google = GcpWire.At(server);
        string ring = $"projects/{GcpWire.Project}/locations/us-east1/keyRings/{name}";
        await google.OkAsync("POST", $"projects/{GcpWire.Project}/locations/us-east1/keyRings?keyRingId={name}", []);
        await google.OkAsync("POST", $"{ring}/cryptoKeys?cryptoKeyId={name}", new JsonObject
        {
            ["purpose"] = "MAC",
            ["versionTemplate"] = new JsonObject { ["algorithm"] = "HMAC_SHA256" },
        });
        return $"{ring}/cryptoKeys/{name}/cryptoKeyVersions/1";
    }
}
