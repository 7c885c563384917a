using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Tests.Kit;
using Xunit;
using static CmekTools.Tests.Sandbox.AwsWire;

namespace CmekTools.Tests.Pipeline;

/// <summary>A change that somebody makes behind our back, and the one difference that comes of it.</summary>
/// <param name="Change">Makes it, in the first region.</param>
/// <param name="Differences">Every difference, as kind and region.</param>
internal sealed record Drift(Func<DefectScene, Task> Change, params string[] Differences);

/// <summary>Each kind of drift is found, once and alone; where nothing differs there is nothing.</summary>
public sealed class CompareTests(SharedSession shared) : IClassFixture<SharedSession>
{
    private const string Use = "roles/cloudkms.cryptoKeyEncrypterDecrypter";
    private const string TokenCreator = "roles/iam.serviceAccountTokenCreator";

    private static readonly SortedDictionary<string, Drift> s_aws = new(StringComparer.Ordinal)
    {
        ["nothing"] = new(_ => Task.CompletedTask),
        ["another key"] = new(
            s => ByAnotherAsync(
                s,
                "New-CmekKey shop -Region us-east-1 -AliasName other -EnableRotation | Grant-CmekAccess | Update-CmekCluster -Wait "
                    + "-WarningAction SilentlyContinue"),
            "KeyChanged us-east-1"),
        ["another role"] = new(
            s => ByAnotherAsync(
                s,
                "New-CmekKey shop -Region us-east-1 -EnableRotation | Grant-CmekAccess -RoleName another | Update-CmekCluster -Wait "
                    + "-WarningAction SilentlyContinue"),
            "PrincipalChanged us-east-1",
            "OthersCanDecrypt us-east-1"),
        ["a region more"] = new(
            s => ByAnotherAsync(
                s,
                "New-CmekKey shop -Region eu-west-1 -NewRegion -EnableRotation | Grant-CmekAccess -WarningAction SilentlyContinue | "
                    + "Add-CmekRegion -NodeCount 3 -Wait"),
            "RegionUndeclared eu-west-1"),
        ["a region that is declared only"] = new(
            s => Do(() => s.Accesses.Add(s.First with { Region = "ap-south-1" })),
            "RegionMissing ap-south-1"),
        ["switched off"] = new(
            s => ByAnotherAsync(s, "Disable-CmekCluster shop -Confirm:$false -WarningAction SilentlyContinue"),
            "StateNotEnabled us-east-1",
            "StateNotEnabled us-west-2"),
        ["trust without external id"] = new(
            s => s.TrustAsync((_, ours) => ours.Remove("Condition")),
            "TrustWeakened us-east-1",
            "TrustWeakened us-west-2"),
        ["trust of a second account"] = new(
            s => s.TrustAsync((all, _) => all.Add(Trust())),
            "TrustWeakened us-east-1",
            "TrustWeakened us-west-2"),
        ["another account decrypts"] = new(
            s => s.StateAsync(Statement("Allow", $"arn:aws:iam::{OtherAccount}:root", "kms:Decrypt")),
            "OthersCanDecrypt us-east-1"),
        ["everybody decrypts"] = new(s => s.StateAsync(Statement("Allow", "*", "kms:Decrypt")), "OthersCanDecrypt us-east-1"),
        ["kms:* for the role"] = new(s => s.StateAsync(Statement("Allow", s.Principal, "kms:*")), "OthersCanDecrypt us-east-1"),
        ["rotation off"] = new(
            s => s.Kms().DisableKeyRotationAsync(new DisableKeyRotationRequest { KeyId = s.Key }, Cancel),
            "RotationOff us-east-1"),
        ["an action less"] = new(s => s.KeyPolicyAsync((_, ours) => ours["Action"]!.AsArray().RemoveAt(0)), "AccessBroken us-east-1"),
        ["key disabled"] = new(s => s.Kms().DisableKeyAsync(new DisableKeyRequest { KeyId = s.Key }, Cancel), "AccessBroken us-east-1"),
        ["a condition that cannot be judged"] = new(
            s => s.KeyPolicyAsync((_, ours) => ours["Condition"] = When("StringEquals", "aws:SourceVpce", "vpce-1")),
            "NotVisible us-east-1"),
        ["no root"] = new(
            s => s.KeyPolicyAsync(
                (all, _) => all[0] = Statement(
                    "Allow",
                    s.Aws.Aws.Admin.Arn,
                    "kms:PutKeyPolicy kms:GetKeyPolicy kms:DescribeKey kms:GetKeyRotationStatus kms:ListGrants")),
            "Weakened us-east-1"),
    };

    private static readonly SortedDictionary<string, Drift> s_google = new(StringComparer.Ordinal)
    {
        ["nothing"] = new(_ => Task.CompletedTask),
        ["another key"] = new(
            s => ByAnotherAsync(
                s,
                "New-CmekKey ledger -Region us-central1 -KeyRing other -EnableRotation | Grant-CmekAccess | Update-CmekCluster -Wait "
                    + "-WarningAction SilentlyContinue"),
            "KeyChanged us-central1"),
        ["another account"] = new(
            s => ByAnotherAsync(
                s,
                "New-CmekKey ledger -Region us-central1 -EnableRotation | Grant-CmekAccess -ServiceAccount another-one | "
                    + "Update-CmekCluster -Wait -WarningAction SilentlyContinue"),
            "PrincipalChanged us-central1",
            "OthersCanDecrypt us-central1"),
        ["a region more"] = new(
            s => ByAnotherAsync(
                s,
                "New-CmekKey ledger -Region europe-west1 -NewRegion -EnableRotation | Grant-CmekAccess -WarningAction SilentlyContinue "
                    + "| Add-CmekRegion -NodeCount 3 -Wait"),
            "RegionUndeclared europe-west1"),
        ["switched off"] = new(
            s => ByAnotherAsync(s, "Disable-CmekCluster ledger -Confirm:$false -WarningAction SilentlyContinue"),
            "StateNotEnabled us-central1",
            "StateNotEnabled us-east1"),
        ["no token creator"] = new(s => Do(() => s.Unbind(s.AccountResource)), "TrustWeakened us-central1", "TrustWeakened us-east1"),
        ["others take its tokens"] = new(
            s => Do(() => s.Bind(s.AccountResource, TokenCreator, "user:somebody@example.com")),
            "TrustWeakened us-central1",
            "TrustWeakened us-east1"),
        ["a user decrypts"] = new(
            s => Do(() => s.Bind(s.Key, "roles/cloudkms.cryptoKeyDecrypter", "user:somebody@example.com")),
            "OthersCanDecrypt us-central1"),
        ["everybody decrypts"] = new(s => Do(() => s.Bind(s.Key, Use, "allUsers")), "OthersCanDecrypt us-central1"),
        ["rotation off"] = new(
            s => s.Google.OkAsync("PATCH", s.Key + "?updateMask=rotationPeriod,nextRotationTime", []),
            "RotationOff us-central1"),
        ["no binding"] = new(s => Do(() => s.Unbind(s.Key)), "AccessBroken us-central1"),
        ["version disabled"] = new(
            s => s.Google.OkAsync("PATCH", $"{s.Key}/cryptoKeyVersions/1?updateMask=state", new JsonObject { ["state"] = "DISABLED" }),
            "AccessBroken us-central1"),
        ["bound on the ring"] = new(s => Do(() => OnRing(s)), "Weakened us-central1"),
        ["a condition that cannot be judged"] = new(
            s => Do(() => s.Bind(s.Key, Use, s.Member, "request.auth.claims.x == \"y\"", instead: true)),
            "NotVisible us-central1"),
    };

    public static TheoryData<bool, string> Rows
    {
        get
        {
            TheoryData<bool, string> rows = [];
            foreach (string name in s_aws.Keys)
            {
                rows.Add(false, name);
            }

            foreach (string name in s_google.Keys)
            {
                rows.Add(true, name);
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task TheDriftIsFoundAndNothingElse(bool google, string name)
    {
        await using DefectScene scene = await DefectScene.StartAsync(google, shared.Session);
        (await scene.EnableAsync()).Expect();
        Drift drift = (google ? s_google : s_aws)[name];
        await drift.Change(scene);

        // The same declaration as a file and as objects.
        using TempFolder folder = new();
        object declared = new { Access = scene.Accesses.ToArray(), Path = folder.Write("cmek_config.json", Manifest(scene)), scene.Name };
        scene.Shell.Server.ClearExchanges();
        CmekDifference[] byManifest =
        [
            .. (
                await scene.Shell.RunAsync(
                    "param($Access, $Path, $Name) Compare-CmekCluster $Name -ManifestPath $Path",
                    declared)).Expect().Values<CmekDifference>(),
        ];
        CmekDifference[] byAccess =
        [
            .. (
                await scene.Shell.RunAsync(
                    "param($Access, $Path, $Name) $Access | Compare-CmekCluster",
                    declared)).Expect().Values<CmekDifference>(),
        ];
        Assert.Empty(scene.Shell.Writes);
        Assert.True(
            drift.Differences.SequenceEqual(byManifest.Select(d => $"{d.Kind} {d.Region}")),
            string.Join(Environment.NewLine, byManifest.AsEnumerable()));
        Assert.Equal(byManifest.Select(d => d.ToString()), byAccess.Select(d => d.ToString()));
        Assert.All(byManifest, d => Assert.False(string.IsNullOrWhiteSpace(d.Remedy), d.ToString()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task WithoutADeclarationOnlyThePoliciesAreLookedAt(bool google)
    {
        await using DefectScene scene = await DefectScene.StartAsync(google, shared.Session);
        CmekDifference[] before = [.. (await scene.Shell.RunAsync($"Compare-CmekCluster {scene.Name}")).Expect().Values<CmekDifference>()];
        Assert.Equal(scene.Accesses.Select(a => $"RegionMissing {a.Region}"), before.Select(d => $"{d.Kind} {d.Region}"));
        (await scene.EnableAsync()).Expect();
        Assert.Empty((await scene.Shell.RunAsync($"Get-CmekCluster {scene.Name} | Compare-CmekCluster")).Expect().Output);
    }

    private static string Manifest(DefectScene scene) => new JsonObject
    {
        ["region_specs"] = new JsonArray([.. scene.Accesses.Select(a => new JsonObject
        {
            ["region"] = a.Region,
            ["key_spec"] = new JsonObject
            {
                ["type"] = a.Provider == CmekProvider.AWS ? "AWS_KMS" : "GCP_CLOUD_KMS",
                ["uri"] = a.KeyUri,
                ["auth_principal"] = a.AuthPrincipal,
            },
        })]),
    }.ToJsonString();

    private static JsonObject Trust()
    {
        JsonObject statement = Statement(
            "Allow",
            $"arn:aws:iam::{OtherAccount}:root",
            "sts:AssumeRole",
            When("StringEquals", "sts:ExternalId", "x"));
        statement.Remove("Resource");
        return statement;
    }

    private static async Task ByAnotherAsync(DefectScene s, string script) => (await s.Shell.RunAsync(script)).Expect();

    private static void OnRing(DefectScene s)
    {
        s.Unbind(s.Key);
        s.Bind(s.KeyRing, Use, s.Member);
    }

    private static Task Do(Action act)
    {
        act();
        return Task.CompletedTask;
    }
}
