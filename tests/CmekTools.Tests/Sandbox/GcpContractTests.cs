using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>
/// Whatever is sent to the sandbox's Google Cloud in a whole life of keys, and answered, Google's own models have a place for.
/// </summary>
public sealed class GcpContractTests
{
    private const string Organization = "organizations/334455667788";

    [Fact]
    public async Task TheAnswersOfAWholeLifeHaveTheShapesOfGooglesModels()
    {
        GoogleApiModel kms = await GoogleApiModel.ReadAsync("cloudkms", "v1");
        GoogleApiModel iam = await GoogleApiModel.ReadAsync("iam", "v1");
        GoogleApiModel tokens = await GoogleApiModel.ReadAsync("iamcredentials", "v1");
        GoogleApiModel deny = await GoogleApiModel.ReadAsync("iam", "v2");
        GoogleApiModel projects = await GoogleApiModel.ReadAsync("cloudresourcemanager", "v1");
        GoogleApiModel above = await GoogleApiModel.ReadAsync("cloudresourcemanager", "v3");
        GoogleApiModel troubleshooter = await GoogleApiModel.ReadAsync("policytroubleshooter", "v3");
        GoogleApiModel boundaries = await GoogleApiModel.ReadAsync("policytroubleshooter", "v3beta");
        await using Life life = await Life.StartAsync(
            "GCP",
            enable: false,
            o => o with { GoogleAncestors = ["folders/223344556677", Organization] });
        life.Bind(Organization, "roles/iam.denyAdmin", "user:admin@example.com");
        await life.TryAsync(
            """
            $WarningPreference = 'SilentlyContinue'
            New-CmekKey shop -EnableRotation | Grant-CmekAccess | Enable-CmekCluster -Wait
            Test-CmekAccess shop -Deep
            Test-CmekBreakGlass shop
            Update-CmekCluster shop -Rewrap -RotateKey -Wait
            $spare = New-CmekKey shop -Region us-central1 -KeyName spare
            Get-CmekKey -Discover -Project customer-project
            Get-CmekKeyUse $spare.KeyUri
            Remove-CmekKey $spare.KeyUri -Confirm:$false
            Get-CmekKey projects/customer-project/locations/us-central1/keyRings/none/cryptoKeys/none
            $key = (Get-CmekStatus shop).Regions[0].KeyUri
            Grant-CmekAccess shop -Region us-central1 -KeyUri $key -ServiceAccount nobody@other-project.iam.gserviceaccount.com
            Revoke-CmekAccess shop -Force -Permanent -ConfirmClusterName shop -DisablePrincipal
            Restore-CmekAccess shop -Wait
            Restore-CmekAccess shop -ServiceAccount rescue-one -Wait
            """);

        // A binding of every kind that the troubleshooter tells of, and boundaries.
        string uri = await life.KeyAsync(life.Regions[0]);
        string email = (await life.StatusAsync()).Regions[0].AuthPrincipal!;
        life.Bind(uri, "roles/cloudkms.viewer", "group:auditors@example.com");
        life.Server.Exclusively(() =>
        {
            life.Google.Google.Authorizer.AddBoundary("serviceAccount:" + email, "projects/" + GcpWire.Project);
            return true;
        });
        await life.Shell.RunAsync("Test-CmekAccess shop -Deep");
        await BesideAsync(life, uri);

        List<string> wrong = [];
        foreach (SandboxExchange exchange in life.Server.Exchanges)
        {
            (GoogleApiModel? model, string? version) = exchange.Request.Service switch
            {
                "gcp-kms" => (kms, (string?)null),
                "gcp-iam" when exchange.Request.Operation.EndsWith("generateAccessToken", StringComparison.Ordinal) => (tokens, null),
                "gcp-iam" or "gcp-roles" => (iam, null),
                "gcp-deny" => (deny, null),
                "gcp-crm" => (projects, null),
                "gcp-above" => (above, null),
                "gcp-troubleshooter" => exchange.ResponseBody.Contains("pabPolicyExplanation", StringComparison.Ordinal)
                    ? (boundaries, "v3beta")
                    : (troubleshooter, null),
                _ => (null, null),
            };
            wrong.AddRange(model?.Check(exchange.Request, exchange.Status, exchange.ResponseBody, version) ?? []);
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong.Distinct()));
        GoogleApiModel[] all = [kms, iam, tokens, deny, projects, above, troubleshooter, boundaries];
        string seen = string.Join(' ', all.SelectMany(m => m.Checked));
        Assert.True(kms.Checked.Count >= 15 && iam.Checked.Count >= 7 && deny.Checked.Count >= 3 && projects.Checked.Count >= 3, seen);
        Assert.True(above.Checked.Count >= 2 && troubleshooter.Checked.Count == 1 && boundaries.Checked.Count == 1, seen);
    }

    [Fact]
    public async Task WhatHasNoPlaceInAModelIsTold()
    {
        GoogleApiModel kms = await GoogleApiModel.ReadAsync("cloudkms", "v1");
        SandboxRequest request = new()
        {
            Number = 1,
            Method = "GET",
            RawPath = "/v1/projects/p/locations/l/keyRings/r/cryptoKeys/k",
            RawQuery = "alt=json&view=whole",
            Headers = [],
            Body = [],
            RawBody = [],
            Time = DateTimeOffset.UnixEpoch,
        };
        const string answer = """
            {
              "name": 1, "purpose": "ALL", "labels": { "a": true }, "importOnly": "no", "state": "ON",
              "primary": { "state": "ON", "attestation": { "content": "?" } }
            }
            """;
        const string where = "cloudkms.projects.locations.keyRings.cryptoKeys.get";
        Assert.Equal(
            [
                where,
                $"{where} answer",
                $"{where} answer.importOnly",
                $"{where} answer.labels.a",
                $"{where} answer.name",
                $"{where} answer.primary.attestation.content",
                $"{where} answer.primary.state",
                $"{where} answer.purpose",
            ],
            kms.Check(request, 200, answer).Select(w => w.Split(": ")[0]).Order(StringComparer.Ordinal));
        Assert.Single(kms.Check(request, 418, """{"error":{"code":418,"message":"no","status":"TEAPOT"}}"""), w => w.Contains("TEAPOT"));
    }

    // What the engine does not send, and other kinds of keys.
    private static async Task BesideAsync(Life life, string key)
    {
        GcpWire wire = life.Google;
        string ring = key[..key.IndexOf("/cryptoKeys/", StringComparison.Ordinal)];
        JsonObject wrapped = await wire.OkAsync("POST", key + ":encrypt", new JsonObject { ["plaintext"] = GcpWire.Base64("text") });
        await wire.OkAsync("POST", key + ":decrypt", new JsonObject { ["ciphertext"] = wrapped["ciphertext"]!.ToString() });
        await wire.OkAsync("POST", ring + "/cryptoKeys?cryptoKeyId=sign", new JsonObject
        {
            ["purpose"] = "ASYMMETRIC_SIGN",
            ["versionTemplate"] = new JsonObject { ["algorithm"] = "EC_SIGN_P256_SHA256", ["protectionLevel"] = "HSM" },
        });
        await wire.OkAsync("POST", ring + "/cryptoKeys?cryptoKeyId=mac", new JsonObject
        {
            ["purpose"] = "MAC",
            ["versionTemplate"] = new JsonObject { ["algorithm"] = "HMAC_SHA256" },
        });
        string version = ring + "/cryptoKeys/mac/cryptoKeyVersions/1";
        JsonObject mac = await wire.OkAsync("POST", version + ":macSign", new JsonObject { ["data"] = GcpWire.Base64("text") });
        await wire.OkAsync(
            "POST",
            version + ":macVerify",
            new JsonObject { ["data"] = GcpWire.Base64("text"), ["mac"] = mac["mac"]!.ToString() });
        await wire.OkAsync("GET", ring + "/cryptoKeys?pageSize=1");
        await wire.OkAsync("GET", key + "/cryptoKeyVersions?pageSize=1");
        await wire.OkAsync(
            "POST",
            key + ":setIamPolicy",
            new JsonObject
            {
                ["policy"] = GcpWire.Policy(
                    "roles/cloudkms.viewer",
                    "user:a@example.com",
                    "request.time < timestamp(\"2099-01-01T00:00:00Z\")"),
            });
        await wire.OkAsync("GET", key + ":getIamPolicy?options.requestedPolicyVersion=3");
        await wire.OkAsync(
            "POST",
            key + ":testIamPermissions",
            new JsonObject { ["permissions"] = new JsonArray("cloudkms.cryptoKeys.get") });
        await wire.OkAsync("GET", $"projects/{GcpWire.Project}/serviceAccounts?pageSize=1");
        await wire.CreateAccountAsync();
        await wire.BindAsync(GcpWire.Account, "roles/iam.serviceAccountTokenCreator", "user:admin@example.com");
        await wire.OkAsync(
            "POST",
            $"projects/-/serviceAccounts/{GcpWire.Email}:generateAccessToken",
            new JsonObject { ["scope"] = new JsonArray("https://www.googleapis.com/auth/cloud-platform") });
        string id = (string)(await wire.OkAsync("GET", GcpWire.Account))["uniqueId"]!;
        await wire.OkAsync("DELETE", GcpWire.Account);
        await wire.OkAsync("POST", $"projects/-/serviceAccounts/{id}:undelete", []);
        await wire.OkAsync("POST", GcpWire.Account + ":disable", []);
        await wire.OkAsync("POST", GcpWire.Account + ":enable", []);
        await wire.SendAsync("GET", key + "-not");
        await wire.SendAsync("GET", $"projects/{GcpWire.Project}/serviceAccounts/no-one@{GcpWire.Project}.iam.gserviceaccount.com");
        await wire.SendAsync("GET", key, token: "nobody");
    }
}
