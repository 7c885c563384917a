using System.Text.Json.Nodes;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>AWS's own command line keeps the sandbox honest: it shares nothing with this project.</summary>
public sealed class AwsCliTests
{
    [Fact]
    public async Task AKeyIsUsedUnderARoleAndOnlyUnderIt()
    {
        await using AwsWire wire = Start();
        string key = (
            await RunAsync(
                wire,
                "kms create-key --description store --tags TagKey=cluster,TagValue=shop"))!["KeyMetadata"]!["Arn"]!.ToString();
        string role = (
            await RunAsync(
                wire,
                "iam create-role --role-name store --assume-role-policy-document",
                AwsWire.Trust($"arn:aws:iam::{AwsWire.Account}:root", "org")))!["Role"]!["Arn"]!.ToString();
        JsonNode session = (
            await RunAsync(wire, $"sts assume-role --role-arn {role} --role-session-name cli --external-id org"))!["Credentials"]!;
        (string, string)[] asRole =
        [
            ("AWS_ACCESS_KEY_ID", session["AccessKeyId"]!.ToString()),
            ("AWS_SECRET_ACCESS_KEY", session["SecretAccessKey"]!.ToString()),
            ("AWS_SESSION_TOKEN", session["SessionToken"]!.ToString()),
        ];

        // From files: the first and the second version of the CLI read a blob in an argument differently.
        using TempFolder folder = new();
        string encrypt = $"kms encrypt --key-id {key} --plaintext fileb://{folder.Write("plain", "store")}";
        Assert.Contains("AccessDeniedException", (await StartAsync(wire, Words(encrypt), asRole)).Errors, StringComparison.Ordinal);
        await RunAsync(
            wire,
            $"kms put-key-policy --key-id {key} --policy-name default --policy",
            AwsWire.Policy(AwsWire.RootStatement(), AwsWire.Statement("Allow", role, "kms:Encrypt kms:Decrypt")));
        (int code, string output, string errors) = await StartAsync(wire, Words(encrypt), asRole);
        Assert.True(code == 0, errors);
        string blob = JsonNode.Parse(output)!["CiphertextBlob"]!.ToString();
        string sealedFile = Path.Combine(folder.Path, "sealed");
        await File.WriteAllBytesAsync(sealedFile, Convert.FromBase64String(blob), AwsWire.Cancel);
        (code, output, errors) = await StartAsync(wire, Words($"kms decrypt --ciphertext-blob fileb://{sealedFile}"), asRole);
        Assert.True(code == 0, errors);
        Assert.Equal("store"u8, Convert.FromBase64String(JsonNode.Parse(output)!["Plaintext"]!.ToString()));
        JsonNode shown = (await RunAsync(wire, "iam get-role --role-name store"))!["Role"]!;
        Assert.Equal(
            "org",
            shown["AssumeRolePolicyDocument"]!["Statement"]![0]!["Condition"]!["StringEquals"]!["sts:ExternalId"]!.ToString());
    }

    [Fact]
    public async Task AMultiRegionKeyIsReplicatedRotatedAndSavedFromDeletion()
    {
        await using AwsWire wire = Start();
        string key = (await RunAsync(wire, "kms create-key --multi-region"))!["KeyMetadata"]!["Arn"]!.ToString();
        JsonNode replica = (await RunAsync(wire, $"kms replicate-key --key-id {key} --replica-region us-west-2"))!["ReplicaKeyMetadata"]!;
        Assert.Equal("REPLICA", replica["MultiRegionConfiguration"]!["MultiRegionKeyType"]!.ToString());
        await RunAsync(wire, $"kms enable-key-rotation --key-id {key} --rotation-period-in-days 180");
        await RunAsync(wire, $"kms rotate-key-on-demand --key-id {key}");
        Assert.Equal(
            "ON_DEMAND",
            (await RunAsync(wire, $"kms list-key-rotations --key-id {key}"))!["Rotations"]![0]!["RotationType"]!.ToString());
        Assert.Equal(
            "180",
            (
                await RunAsync(
                    wire,
                    $"kms get-key-rotation-status --region us-west-2 --key-id {replica["Arn"]}"))!["RotationPeriodInDays"]!.ToString());
        await RunAsync(wire, $"kms schedule-key-deletion --region us-west-2 --pending-window-in-days 7 --key-id {replica["Arn"]}");
        await RunAsync(wire, $"kms cancel-key-deletion --region us-west-2 --key-id {replica["Arn"]}");
        Assert.Equal(
            "Disabled",
            (
                await RunAsync(
                    wire,
                    $"kms describe-key --region us-west-2 --key-id {replica["Arn"]}"))!["KeyMetadata"]!["KeyState"]!.ToString());
    }

    [Fact]
    public async Task AWrongSecretIsRefused()
    {
        await using AwsWire wire = Start();
        (string, string)[] wrong = [("AWS_SECRET_ACCESS_KEY", "wrong")];
        Assert.Contains(
            "InvalidSignatureException",
            (await StartAsync(wire, Words("kms list-keys"), wrong)).Errors,
            StringComparison.Ordinal);
        Assert.Contains(
            "SignatureDoesNotMatch",
            (await StartAsync(wire, Words("sts get-caller-identity"), wrong)).Errors,
            StringComparison.Ordinal);
    }

    private static AwsWire Start()
    {
        ExternalProgram.Need("aws");
        return AwsWire.Start();
    }

    private static string[] Words(string command) => command.Split(' ');

    private static async Task<JsonNode?> RunAsync(AwsWire wire, string command, params string[] more)
    {
        (int code, string output, string errors) = await StartAsync(wire, [.. Words(command), .. more], []);
        Assert.True(code == 0, $"aws {command}: {errors}");
        return output.Trim() is { Length: > 0 } text ? JsonNode.Parse(text) : null;
    }

    private static async Task<(int Code, string Output, string Errors)> StartAsync(
        AwsWire wire,
        string[] arguments,
        (string Name, string Value)[] environment)
    {
        // Nothing of the machine's own settings, and no pager.
        string none = Path.Combine(Path.GetTempPath(), "cmek-no-such-file");
        FinishedProgram run = await ExternalProgram.RunAsync("aws", [.. arguments, "--output", "json"],
        [
            .. wire.Server.Environment.Select(v => (v.Key, (string?)v.Value)),
            .. environment.Select(v => (v.Name, (string?)v.Value)),
            ("AWS_CONFIG_FILE", none),
            ("AWS_SHARED_CREDENTIALS_FILE", none),
            ("AWS_PAGER", string.Empty),
            ("AWS_PROFILE", null),
        ]);
        return (run.Code, run.Output, run.Errors);
    }
}
