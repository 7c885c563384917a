using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;
using static CmekTools.Tests.Sandbox.AwsWire;

namespace CmekTools.Tests.Pipeline;

/// <summary>
/// Test-CmekAccess -Deep on AWS: what IAM's simulator says is told beside what was read, and changes none of it. What the simulator looks
/// at is by the IAM API's model of SimulatePrincipalPolicy and EvaluationResult.
/// </summary>
public sealed class SecondOpinionAwsTests(SharedSession shared) : IClassFixture<SharedSession>
{
    private const string Opinion = "AwsIamSimulator";

    internal static SortedDictionary<string, Case> Table { get; } = new(StringComparer.Ordinal)
    {
        ["nothing in the way"] = new(_ => Task.CompletedTask, "Pass", "agrees on", "does not look at the key policy"),
        ["an organization denies: cannot be read, the simulator sees it"] = new(
            s => Do(() => s.Aws.Aws.AddServiceControlPolicy(
                Policy(Statement("Allow", null, "*"), Statement("Deny", null, "kms:Decrypt")))),
            "Fail",
            "disagrees on kms:Decrypt: it says that the organization's service control policies do not allow it (explicitDeny)",
            "nothing of the role's own stops it"),
        ["an organization does not allow"] = new(
            s => Do(() => s.Aws.Aws.AddServiceControlPolicy(
                Policy(AllBut("kms:GenerateDataKey*")))),
            "Fail",
            "disagrees on kms:GenerateDataKey, kms:GenerateDataKeyWithoutPlaintext",
            "(implicitDeny)"),
        ["an organization denies other regions: it is told the region"] = new(
            s => Do(() => s.Aws.Aws.AddServiceControlPolicy(Policy(
                Statement("Allow", null, "*"),
                Statement("Deny", null, "kms:*", When("StringNotLike", "aws:RequestedRegion", "us-*"))))),
            "Pass",
            "agrees on"),
        ["the role's own policy denies"] = new(
            s => s.OwnPolicyAsync(Statement("Deny", null, "kms:Encrypt")),
            "Fail",
            "agrees on kms:Encrypt: it says that a policy denies it (explicitDeny)"),
        ["a boundary without KMS"] = new(
            s => s.BoundAsync(Statement("Allow", null, "s3:*")),
            "Fail",
            "agrees on",
            "the permissions boundary does not allow it"),
        ["a condition that nobody can judge"] = new(
            s => s.OwnPolicyAsync(Statement("Deny", null, "kms:Decrypt", When("StringNotEquals", "aws:SourceVpc", "vpc-1"))),
            "Unknown",
            "policies ask for aws:SourceVpc"),
        ["a Deny that was read and that it does not see"] = new(
            async s =>
            {
                await s.OwnPolicyAsync(Statement("Deny", null, "kms:Encrypt"));
                Answers(s, body => body.Replace("explicitDeny", "allowed", StringComparison.Ordinal));
            },
            "Warn",
            "disagrees on kms:Encrypt: it says that the role's own policies allow it (allowed)",
            "denies kms:Encrypt",
            "What was read here stands."),
        ["an answer that leaves calls out"] = new(
            s => Do(() => Answers(s, body => body.Replace("kms:Decrypt", "kms:Sign", StringComparison.Ordinal))),
            "Unknown",
            "cannot say of kms:Decrypt: its answer leaves it out"),
        ["an answer with another word"] = new(
            s => Do(() => Answers(s, body => body.Replace("implicitDeny", "perhaps", StringComparison.Ordinal))),
            "Unknown",
            "its answer is perhaps"),
        ["no right to ask"] = new(
            s => Do(() => Answers(s, _ => Error("AccessDenied", "User is not authorized to perform: iam:SimulatePrincipalPolicy"), 403)),
            "Unknown",
            "gave no second opinion",
            "not authorized"),
        ["throttled all the time"] = new(
            s => Do(() => Answers(s, _ => Error("Throttling", "Rate exceeded"), 400)),
            "Unknown",
            "gave no second opinion"),
        ["in another account"] = new(
            s => Do(() => Answers(s, _ => Error("NoSuchEntity", "Policy source does not exist."), 404)),
            "Unknown",
            "gave no second opinion"),
    };

    public static TheoryData<string> Names => [.. Table.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task BothVerdictsAreToldAndNoOtherCheckChanges(string name)
    {
        await using DefectScene scene = await DefectScene.StartAsync(google: false, shared.Session);
        Case one = Table[name];
        await one.Arrange(scene);
        CmekCheck[] usual = await ChecksAsync(scene, string.Empty);
        Assert.DoesNotContain(usual, c => c.Name == Opinion);
        Assert.DoesNotContain(scene.Shell.Server.Exchanges, e => e.Request.Operation.StartsWith("Simulate", StringComparison.Ordinal));
        CmekCheck[] deep = await ChecksAsync(scene, "-Deep");
        Assert.Equal(usual, deep.Where(c => c.Name != Opinion));
        Assert.Empty(scene.Shell.Writes);
        CmekCheck[] opinions = [.. deep.Where(c => c.Name == Opinion)];
        Assert.Equal(["us-east-1", "us-west-2"], opinions.Select(c => c.Region).Order());
        Assert.All(opinions, c => Assert.Equal(one.Result, c.Result.ToString()));
        Assert.All(one.Says, words => Assert.Contains(words, opinions[0].Seen, StringComparison.Ordinal));
        Assert.All(opinions, c => Assert.Equal(c.Result == CmekCheckResult.Pass, c.Remedy is null));

        // What both let, or what the simulator says is stopped, is so when the cluster tries.
        if (one.Result is "Pass" or "Fail")
        {
            Assert.Equal(one.Result == "Fail", scene.Aws.Aws.TryUse(scene.Identity, scene.Key, scene.Principal) is not null);
        }
    }

    [Theory]
    [InlineData("nothing in the way", true)]
    [InlineData("no right to ask", false)]
    [InlineData("an organization does not allow", false)]
    [InlineData("a Deny that was read and that it does not see", false)]
    public async Task AnOpinionThatWasAskedForAndNotHadIsNoYesAndOneThatStopsCounts(string name, bool sound)
    {
        await using DefectScene scene = await DefectScene.StartAsync(google: false, shared.Session);
        await Table[name].Arrange(scene);
        PowerShellResult quiet = await scene.Shell.RunAsync(
            "param($Access) $Access | Test-CmekAccess -Deep -Quiet",
            new { Access = scene.Accesses.ToArray() });
        Assert.Equal([sound], quiet.Expect().Output.Select(o => o.BaseObject));
    }

    internal sealed record Case(Func<DefectScene, Task> Arrange, string Result, params string[] Says);

    private static JsonObject AllBut(string action)
    {
        JsonObject statement = Statement("Allow", null, action);
        statement["NotAction"] = statement["Action"]!.DeepClone();
        statement.Remove("Action");
        return statement;
    }

    // The simulator's answer as another one gave it.
    private static void Answers(DefectScene scene, Func<string, string> change, int? status = null) =>
        scene.Shell.Server.After = (request, answer) => Task.FromResult<SandboxResponse?>(
            request.Operation == "SimulatePrincipalPolicy"
                ? new SandboxResponse { Status = status ?? answer.Status, ContentType = answer.ContentType, Body = change(answer.Body) }
                : null);

    private static string Error(string code, string message) =>
        "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>"
            + $"<Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>";

    private static Task Do(Action act)
    {
        act();
        return Task.CompletedTask;
    }

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
