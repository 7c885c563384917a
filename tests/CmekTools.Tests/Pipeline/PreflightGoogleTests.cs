using System.Text.Json.Nodes;
using CmekTools.Tests.Sandbox;
using Xunit;
using static CmekTools.Tests.Pipeline.Mending;

namespace CmekTools.Tests.Pipeline;

/// <summary>Keys, bindings and service accounts on Google Cloud, broken in one way after another.</summary>
public sealed class PreflightGoogleTests(SharedSession shared) : IClassFixture<SharedSession>
{
    private const string NewKey = "New-CmekKey -ClusterName ledger -Region us-central1 -Project customer-project -EnableRotation";
    private const string Grant = "Grant-CmekAccess -ClusterName ledger -Region us-central1 -KeyUri";
    private const string Use = "roles/cloudkms.cryptoKeyEncrypterDecrypter";
    private const string TokenCreator = "roles/iam.serviceAccountTokenCreator";
    private const string ProjectPolicy = "projects/" + GcpWire.Project;
    private const string Past = "request.time < timestamp(\"2020-01-01T00:00:00Z\")";
    private const string Future = "request.time < timestamp(\"2099-01-01T00:00:00Z\")";

    internal static SortedDictionary<string, Defect> Table { get; } = new(StringComparer.Ordinal)
    {
        // The key.
        ["key: never there"] = new(s => Do(() => s.Use(s.Key + "-other")), "Fail GcpKeyExists", NewKey + " | Grant-CmekAccess", InSession),
        ["key: asymmetric"] = new(
            s => OtherKeyAsync(
                s,
                new JsonObject
                {
                    ["purpose"] = "ASYMMETRIC_DECRYPT",
                    ["versionTemplate"] = new JsonObject { ["algorithm"] = "RSA_DECRYPT_OAEP_2048_SHA256" },
                }),
            "Fail GcpKeyPurpose",
            NewKey + " -KeyName",
            InSession),
        ["key: for signing"] = new(
            s => OtherKeyAsync(
                s,
                new JsonObject
                {
                    ["purpose"] = "ASYMMETRIC_SIGN",
                    ["versionTemplate"] = new JsonObject { ["algorithm"] = "EC_SIGN_P256_SHA256" },
                }),
            "Fail GcpKeyPurpose",
            NewKey + " -KeyName",
            InSession),
        ["key: no version"] = new(
            s => OtherKeyAsync(s, Symmetric(), "&skipInitialVersionCreation=true"),
            "Fail GcpKeyVersion",
            "gcloud kms keys versions create --primary"),
        ["key: version disabled"] = new(
            s => s.Google.OkAsync("PATCH", $"{s.Key}/cryptoKeyVersions/1?updateMask=state", new JsonObject { ["state"] = "DISABLED" }),
            "Fail GcpKeyVersion",
            "gcloud kms keys versions enable 1"),
        ["key: version scheduled for destruction"] = new(
            s => s.Google.OkAsync("POST", $"{s.Key}/cryptoKeyVersions/1:destroy", []),
            "Fail GcpKeyVersion",
            "gcloud kms keys versions restore 1"),
        ["key: rotation off"] = new(
            s => s.Google.OkAsync("PATCH", s.Key + "?updateMask=rotationPeriod,nextRotationTime", []),
            "Warn GcpKeyRotation",
            "gcloud kms keys update"),
        ["key: far away"] = new(
            FarAwayAsync,
            "Warn GcpKeyLocation",
            NewKey + " -NewGeneration | Grant-CmekAccess | Update-CmekCluster",
            InSession),

        // The binding on the key.
        ["binding: none"] = new(s => Do(() => s.Unbind(s.Key)), "Fail GcpKeyBinding", Grant, InSession),
        ["binding: only encrypter"] = Instead("roles/cloudkms.cryptoKeyEncrypter", "Fail GcpKeyBinding"),
        ["binding: only decrypter"] = Instead("roles/cloudkms.cryptoKeyDecrypter", "Fail GcpKeyBinding"),
        ["binding: only viewer"] = Instead("roles/cloudkms.viewer", "Fail GcpKeyBinding"),
        ["binding: only administrator"] = Instead("roles/cloudkms.admin", "Fail GcpKeyBinding"),
        ["binding: on the ring"] = new(s => Do(() => Elsewhere(s, s.KeyRing, s.Member)), "Warn GcpKeyBindingInherited", Grant, InSession),
        ["binding: on the project"] = new(
            s => Do(() => Elsewhere(s, ProjectPolicy, s.Member)),
            "Warn GcpKeyBindingInherited",
            Grant,
            InSession),
        ["binding: by a group"] = new(
            s => Do(() => Elsewhere(s, s.KeyRing, "group:cmek@example.com")),
            "Unknown GcpKeyBinding",
            Grant,
            InSession),
        ["binding: for another key only"] = new(
            s => Do(() => Elsewhere(s, s.Accesses[1].KeyUri!, s.Member)),
            "Fail GcpKeyBinding",
            Grant,
            InSession),
        ["condition: has ended"] = Instead(Use, "Fail GcpConditions", Past),
        ["condition: ends"] = Instead(Use, "Warn GcpConditions", Future),
        ["condition: another key"] = Instead(Use, "Fail GcpConditions", "resource.name.startsWith(\"projects/other\")"),
        ["condition: cannot be judged"] = Instead(Use, "Unknown GcpConditions", "request.auth.claims.x == \"y\""),
        ["members: a deleted account beside"] = new(
            s => Do(() => s.Bind(s.Key, Use, $"deleted:{s.Member}?uid=17")),
            "Warn GcpDeletedMembers",
            Grant,
            InSession),
        ["scope: a user decrypts"] = new(
            s => Do(() => s.Bind(s.Key, "roles/cloudkms.cryptoKeyDecrypter", "user:somebody@example.com")),
            "Warn GcpKeyScope",
            "gcloud kms keys remove-iam-policy-binding"),
        ["scope: everybody decrypts"] = new(
            s => Do(() => s.Bind(s.Key, Use, "allUsers")),
            "Warn GcpKeyScope",
            "gcloud kms keys remove-iam-policy-binding"),
        ["scope: another service account decrypts"] = new(
            s => Do(() => s.Bind(s.Key, Use, "serviceAccount:backup@partner.iam.gserviceaccount.com")),
            "Warn GcpKeyScope",
            "gcloud kms keys remove-iam-policy-binding"),

        // The service account.
        ["account: disabled"] = new(
            s => s.Google.OkAsync("POST", s.AccountResource + ":disable", []),
            "Fail GcpServiceAccount",
            "gcloud iam service-accounts enable",
            Everywhere: true),
        ["account: deleted"] = new(
            s => s.Google.OkAsync("DELETE", s.AccountResource),
            "Fail GcpServiceAccount",
            Grant,
            InSession,
            Everywhere: true),
        ["account: made anew"] = new(MadeAnewAsync, "Fail GcpDeletedMembers", Grant, InSession, Everywhere: true),
        ["account: never there"] = new(
            s => Do(() => s.Accesses[0] = s.First with { AuthPrincipal = "absent-one@customer-project.iam.gserviceaccount.com" }),
            "Fail GcpServiceAccount, Warn GcpKeyScope",
            Grant),
        ["token: no binding"] = new(s => Do(() => s.Unbind(s.AccountResource)), "Fail GcpTokenCreator", Grant, InSession, Everywhere: true),
        ["token: another cluster"] = Token(
            TokenCreator,
            s => s.Own.Replace("crl-kms-user-", "crl-kms-user-0", StringComparison.Ordinal),
            "Fail GcpTokenCreator, Warn GcpTokenCreatorOthers",
            mending: ByHand),
        ["token: a user beside"] = new(
            s => Do(() => s.Bind(s.AccountResource, TokenCreator, "user:somebody@example.com")),
            "Warn GcpTokenCreatorOthers",
            "gcloud iam service-accounts remove-iam-policy-binding",
            Everywhere: true),
        ["token: another role"] = Token("roles/iam.serviceAccountUser", s => s.Own, "Fail GcpTokenCreator"),
        ["token: owner, which takes no tokens"] = Token("roles/owner", s => s.Own, "Fail GcpTokenCreator"),
        ["token: condition has ended"] = Token(TokenCreator, s => s.Own, "Fail GcpTokenCreator", Past),
        ["token: condition cannot be judged"] = Token(
            TokenCreator,
            s => s.Own,
            "Unknown GcpTokenCreator",
            "request.auth.claims.x == \"y\""),
        ["token: by a group"] = Token(
            TokenCreator,
            _ => "group:vendors@example.com",
            "Unknown GcpTokenCreator, Warn GcpTokenCreatorOthers",
            mending: ByHand),
        ["revoked in an emergency"] = new(
            RevokeAsync,
            "Warn CmekStatus, Fail GcpKeyBinding, Fail GcpTokenCreator",
            "Restore-CmekAccess -ClusterName ledger",
            InSession,
            Everywhere: true),

        // What is no defect.
        ["sound: two narrow roles"] = new(s => Do(() => TwoRoles(s)), string.Empty, string.Empty),
        ["sound: tokens by the project"] = new(s => Do(() => TokensByProject(s)), string.Empty, string.Empty),
        ["sound: others who only look"] = new(
            s => Do(() => s.Bind(s.Key, "roles/cloudkms.viewer", "user:auditor@example.com")),
            string.Empty,
            string.Empty),
    };

    public static TheoryData<string> Names => [.. Table.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task TheRightChecksAreOffAndAgreeWithWhatHappens(string name)
    {
        await using DefectScene scene = await DefectScene.StartAsync(google: true, shared.Session);
        await PreflightDefectTests.ProveAsync(scene, Table[name]);
    }

    private static Defect Instead(string role, string off, string? condition = null) =>
        new(s => Do(() => s.Bind(s.Key, role, s.Member, condition, instead: true)), off, Grant, InSession);

    private static Defect Token(
        string role,
        Func<DefectScene, string> member,
        string off,
        string? condition = null,
        Mending mending = InSession) =>
        new(s => Do(() => s.Bind(s.AccountResource, role, member(s), condition, instead: true)), off, Grant, mending, Everywhere: true);

    private static void Elsewhere(DefectScene s, string resource, string member)
    {
        s.Unbind(s.Key);
        s.Bind(resource, Use, member);
    }

    private static void TwoRoles(DefectScene s)
    {
        s.Bind(s.Key, "roles/cloudkms.cryptoKeyEncrypter", s.Member, instead: true);
        s.Bind(s.Key, "roles/cloudkms.cryptoKeyDecrypter", s.Member);
    }

    private static void TokensByProject(DefectScene s)
    {
        s.Unbind(s.AccountResource);
        s.Bind(ProjectPolicy, TokenCreator, s.Own);
    }

    private static JsonObject Symmetric() =>
        new() { ["purpose"] = "ENCRYPT_DECRYPT", ["rotationPeriod"] = "7776000s", ["nextRotationTime"] = "2099-01-01T00:00:00Z" };

    private static async Task OtherKeyAsync(DefectScene s, JsonObject key, string query = "")
    {
        await s.Google.OkAsync("POST", $"{s.KeyRing}/cryptoKeys?cryptoKeyId=other{query}", key);
        s.Use(s.KeyRing + "/cryptoKeys/other");
        s.Bind(s.Key, Use, s.Member);
    }

    private static async Task FarAwayAsync(DefectScene s)
    {
        const string place = $"projects/{GcpWire.Project}/locations/europe-west1/keyRings";
        await s.Google.OkAsync("POST", place + "?keyRingId=far", []);
        await s.Google.OkAsync("POST", place + "/far/cryptoKeys?cryptoKeyId=far", Symmetric());
        s.Use(place + "/far/cryptoKeys/far");
        s.Bind(s.Key, Use, s.Member);
    }

    private static async Task MadeAnewAsync(DefectScene s)
    {
        await s.Google.OkAsync("DELETE", s.AccountResource);
        await s.Google.OkAsync(
            "POST",
            $"projects/{GcpWire.Project}/serviceAccounts",
            new JsonObject { ["accountId"] = s.Principal.Split('@')[0] });
        s.Bind(s.AccountResource, TokenCreator, s.Own);
    }

    private static async Task RevokeAsync(DefectScene s)
    {
        (await s.EnableAsync()).Expect();
        (await s.Shell.RunAsync("Revoke-CmekAccess -ClusterName ledger -Confirm:$false -WarningAction SilentlyContinue")).Expect();
    }

    private static Task Do(Action act)
    {
        act();
        return Task.CompletedTask;
    }

    [Theory]
    [InlineData("7776000s", "90 days")]
    [InlineData("129600s", "1.5 days")]
    [InlineData("soon", "soon")]
    public void ARotationsPeriodIsToldInDays(string period, string told) =>
        Assert.Equal(told, Engine.Gcp.GcpKeyReader.PeriodText(period));
}
