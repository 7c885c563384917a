using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>
/// Test-CmekAccess -Deep on Google Cloud: what Policy Troubleshooter v3 says is told beside what was read, and changes none of it. The
/// answers' words are those of the API's model (v3, and v3beta for principal access boundaries), as gcloud carries it.
/// </summary>
public sealed class SecondOpinionGoogleTests(SharedSession shared) : IClassFixture<SharedSession>
{
    private const string Opinion = "GcpPolicyTroubleshooter";
    private const string Use = "roles/cloudkms.cryptoKeyEncrypterDecrypter";
    private const string Project = "projects/" + GcpWire.Project;

    internal static SortedDictionary<string, Case> Table { get; } = new(StringComparer.Ordinal)
    {
        ["nothing in the way"] = new(
            _ => { },
            "Pass",
            "agrees on cloudkms.cryptoKeyVersions.useToEncrypt, cloudkms.cryptoKeyVersions.useToDecrypt",
            "agrees on iam.serviceAccounts.getAccessToken",
            "(CAN_ACCESS: allow policies GRANTED, deny policies NOT_DENIED)",
            "It said nothing of principal access boundaries."),
        ["a boundary that lets"] = new(
            s => Bound(s, Project),
            "Pass",
            "principal access boundaries ALLOWED"),
        ["a boundary that stops: cannot be read, the troubleshooter sees it"] = new(
            s => Bound(s, "projects/another-project"),
            "Fail",
            "disagrees on cloudkms.cryptoKeyVersions.useToEncrypt, cloudkms.cryptoKeyVersions.useToDecrypt",
            "principal access boundaries NOT_ALLOWED",
            "a binding on the key lets"),
        ["no binding"] = new(s => s.Unbind(s.Key), "Fail", "agrees on", "(CANNOT_ACCESS: allow policies NOT_GRANTED", "no binding lets"),
        ["a deny policy"] = new(
            s => s.Google.Google.Denies.Put(Project, "no", GoogleDeny(s)),
            "Fail",
            "agrees on cloudkms.cryptoKeyVersions.useToDecrypt",
            "deny policies DENIED"),
        ["no tokens"] = new(s => s.Unbind(s.AccountResource), "Fail", "agrees on iam.serviceAccounts.getAccessToken"),
        ["a group, of which nobody here knows the members"] = new(
            s =>
            {
                s.Unbind(s.Key);
                s.Bind(s.Key, Use, "group:cmek@example.com");
            },
            "Unknown",
            "cannot say of",
            "UNKNOWN_INFO: allow policies UNKNOWN_INFO"),
        ["a condition on the time, which it is told"] = new(
            s => s.Bind(s.Key, Use, s.Member, "request.time < timestamp(\"2099-01-01T00:00:00Z\")", instead: true),
            "Pass",
            "agrees on"),
        ["a condition that nobody can judge"] = new(
            s => s.Bind(s.Key, Use, s.Member, "request.auth.claims.x == \"y\"", instead: true),
            "Unknown",
            "UNKNOWN_CONDITIONAL"),
        ["a binding that was not read, and that it sees"] = new(
            s =>
            {
                s.Unbind(s.Key);
                Answers(s, a => Says(a, "CAN_ACCESS", "GRANTED", "NOT_DENIED"));
            },
            "Warn",
            "disagrees on",
            "no binding lets",
            "What was read here stands."),
        ["what decides is hidden from it"] = new(
            s => Answers(s, a => Says(a, "UNKNOWN_INFO", "GRANTED", "UNKNOWN_INFO")),
            "Unknown",
            "deny policies UNKNOWN_INFO"),
        ["access by the first word, and a part that is unknown"] = new(
            s => Answers(s, a =>
            {
                Says(a, "CAN_ACCESS", "GRANTED", "NOT_DENIED");
                a["pabPolicyExplanation"] =
                    new JsonObject { ["principalAccessBoundaryAccessState"] = "PAB_ACCESS_STATE_UNKNOWN_INFO" };
            }),
            "Unknown",
            "principal access boundaries UNKNOWN_INFO"),
        ["an answer without a state"] = new(s => Answers(s, a => a.Clear()), "Unknown", "no state"),
        ["the service is not enabled"] = new(
            s => Refuses(s, 403, "PERMISSION_DENIED", "The API has not been used in project 1 before", "SERVICE_DISABLED"),
            "Unknown",
            "gave no second opinion",
            "has not been used"),
        ["refused"] = new(
            s => Refuses(s, 403, "PERMISSION_DENIED", "The caller does not have permission", "IAM_PERMISSION_DENIED"),
            "Unknown",
            "gave no second opinion"),
        ["not there"] = new(
            s => Refuses(s, 404, "NOT_FOUND", "Method not found.", "NOT_FOUND"),
            "Unknown",
            "gave no second opinion"),
    };

    public static TheoryData<string> Names => [.. Table.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task BothVerdictsAreToldAndNoOtherCheckChanges(string name)
    {
        await using DefectScene scene = await DefectScene.StartAsync(google: true, shared.Session);
        scene.Accesses.RemoveAt(1);
        Case one = Table[name];
        one.Arrange(scene);
        CmekCheck[] usual = await ChecksAsync(scene, string.Empty);
        Assert.DoesNotContain(usual, c => c.Name == Opinion);
        Assert.DoesNotContain(scene.Shell.Server.Exchanges, e => e.Request.Operation == "iam.troubleshoot");
        CmekCheck[] deep = await ChecksAsync(scene, "-Deep");
        Assert.Equal(usual, deep.Where(c => c.Name != Opinion));
        Assert.Empty(scene.Shell.Writes);
        CmekCheck opinion = Assert.Single(deep, c => c.Name == Opinion);
        Assert.True(one.Result == opinion.Result.ToString(), opinion.ToString());
        Assert.All(one.Says, words => Assert.Contains(words, opinion.Seen, StringComparison.Ordinal));
        Assert.Equal(opinion.Result == CmekCheckResult.Pass, opinion.Remedy is null);

        // What both let, or what the troubleshooter says is stopped, is so when the cluster tries.
        if (one.Result is "Pass" or "Fail")
        {
            Assert.Equal(one.Result == "Fail", scene.Google.Google.TryUse(scene.Identity, scene.Key, scene.Principal) is not null);
        }

        // The checks that pass say what they did not read.
        Assert.All(
            usual.Where(c => c is { Name: "GcpKeyBinding" or "GcpTokenCreator", Result: CmekCheckResult.Pass }),
            c => Assert.Contains("principal access boundaries are not read", c.Seen, StringComparison.Ordinal));
    }

    [Fact]
    public async Task ItIsAskedForTheAccountsUseOfTheKeyAndForTheClustersTokens()
    {
        await using DefectScene scene = await DefectScene.StartAsync(google: true, shared.Session);
        scene.Accesses.RemoveAt(1);
        await ChecksAsync(scene, "-Deep");
        JsonObject[] asked =
        [
            .. scene.Shell.Server.Exchanges.Where(e => e.Request.Operation == "iam.troubleshoot")
                .Select(e => JsonNode.Parse(e.Request.Text)!["accessTuple"]!.AsObject()),
        ];
        string id = (string)(await scene.Google.OkAsync("GET", scene.AccountResource))["uniqueId"]!;
        string own = scene.Own["serviceAccount:".Length..];
        Assert.Equal(
            new[]
            {
                $"{scene.Principal} cloudkms.cryptoKeyVersions.useToDecrypt //cloudkms.googleapis.com/{scene.Key}",
                $"{scene.Principal} cloudkms.cryptoKeyVersions.useToEncrypt //cloudkms.googleapis.com/{scene.Key}",
                $"{own} iam.serviceAccounts.getAccessToken //iam.googleapis.com/projects/{GcpWire.Project}/serviceAccounts/{id}",
            }.Order(StringComparer.Ordinal),
            asked.Select(t => $"{t["principal"]} {t["permission"]} {t["fullResourceName"]}").Order(StringComparer.Ordinal));
    }

    internal sealed record Case(Action<DefectScene> Arrange, string Result, params string[] Says);

    private static void Bound(DefectScene scene, string to) =>
        scene.Shell.Server.Exclusively(() =>
        {
            scene.Google.Google.Authorizer.AddBoundary(scene.Member, to);
            scene.Google.Google.Authorizer.AddBoundary(scene.Own, Project);
            return true;
        });

    private static JsonObject GoogleDeny(DefectScene scene) => new()
    {
        ["rules"] = new JsonArray(new JsonObject
        {
            ["denyRule"] = new JsonObject
            {
                ["deniedPrincipals"] = new JsonArray("principal://iam.googleapis.com/projects/-/serviceAccounts/" + scene.Principal),
                ["deniedPermissions"] = new JsonArray("cloudkms.googleapis.com/cryptoKeyVersions.useToDecrypt"),
            },
        }),
    };

    private static void Says(JsonObject answer, string overall, string allow, string deny)
    {
        answer["overallAccessState"] = overall;
        answer["allowPolicyExplanation"] = new JsonObject { ["allowAccessState"] = "ALLOW_ACCESS_STATE_" + allow };
        answer["denyPolicyExplanation"] = new JsonObject { ["denyAccessState"] = "DENY_ACCESS_STATE_" + deny };
    }

    private static void Answers(DefectScene scene, Action<JsonObject> change) =>
        scene.Shell.Server.After = (request, answer) =>
        {
            if (request.Operation != "iam.troubleshoot")
            {
                return Task.FromResult<SandboxResponse?>(null);
            }

            JsonObject body = JsonNode.Parse(answer.Body)!.AsObject();
            change(body);
            return Task.FromResult<SandboxResponse?>(SandboxResponse.Json(body, answer.Status));
        };

    private static void Refuses(DefectScene scene, int code, string status, string message, string reason) =>
        scene.Shell.Server.Before = request => Task.FromResult(
            request.Operation == "iam.troubleshoot"
                ? SandboxResponse.Json(
                    new JsonObject
                    {
                        ["error"] = new JsonObject
                        {
                            ["code"] = code,
                            ["message"] = message,
                            ["status"] = status,
                            ["details"] = new JsonArray(new JsonObject
                            {
                                ["@type"] = "type.googleapis.com/google.rpc.ErrorInfo",
                                ["reason"] = reason,
                                ["metadata"] = new JsonObject { ["service"] = "policytroubleshooter.googleapis.com" },
                            }),
                        },
                    },
                    code)
                : null);

    private static async Task<CmekCheck[]> ChecksAsync(DefectScene scene, string how)
    {
        scene.Shell.Server.ClearExchanges();
        return
        [
            .. (await scene.Shell.RunAsync(
                $"param($Access) $Access | Test-CmekAccess {how}",
                new { Access = scene.Accesses.ToArray() })).Expect().Values<CmekCheck>(),
        ];
    }
}
