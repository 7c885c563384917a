using CmekTools.Sandbox.Aws;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>The sandbox checks signatures, for a client that signs wrongly must not be told that it is right.</summary>
public sealed class AwsSignatureTests
{
    private const string List = "ListKeys";

    [Fact]
    public async Task KmsTakesWhatIsSignedAndNamesWhatIsNot()
    {
        await using AwsWire wire = AwsWire.Start();
        AwsKeyPair admin = wire.Aws.Admin;
        Assert.Equal(200, (await wire.SendAsync(AwsSigned.Kms(wire, admin, List, "{}"))).Status);
        Assert.Equal(200, (await wire.SendAsync(AwsSigned.Kms(wire, admin, List, "{}", "?a=b%20c&d="))).Status);

        AwsSigned open = AwsSigned.Kms(wire, admin, List, "{}");
        open.Headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD";
        open.SentBody = "{ }";
        Assert.Equal(200, (await wire.SendAsync(open)).Status);

        await RefusedAsync(wire, r => r.Unsigned = true, "MissingAuthenticationTokenException");
        await RefusedAsync(wire, r => r.SentBody = """{"Limit":1}""", "InvalidSignatureException");
        await RefusedAsync(wire, r => r.Headers["x-amz-content-sha256"] = new string('0', 64), "InvalidSignatureException");
        await RefusedAsync(wire, r => r.Service = "sts", "InvalidSignatureException");
        await RefusedAsync(wire, r => r.Date = r.Date.AddMinutes(-16), "Signature expired");
        await RefusedAsync(wire, r => r.Date = r.Date.AddMinutes(16), "Signature not yet current");
        await RefusedAsync(wire, r => r.Headers["x-amz-security-token"] = "none", "UnrecognizedClientException");
        await RefusedAsync(wire, _ => { }, "InvalidSignatureException", admin with { SecretAccessKey = "wrong" });
        await RefusedAsync(wire, _ => { }, "UnrecognizedClientException", admin with { AccessKeyId = "AKIANOBODYNOBODY0001" });
    }

    [Fact]
    public async Task IamAndStsNameTheSameFaultsInTheirOwnWay()
    {
        await using AwsWire wire = AwsWire.Start();
        async Task<(int, string)> Ask(AwsKeyPair who, Action<AwsSigned>? change = null)
        {
            AwsSigned request = AwsSigned.Query(wire, who, "sts", "2011-06-15", "GetCallerIdentity");
            change?.Invoke(request);
            (int status, string body) = await wire.SendAsync(request);
            int code = body.IndexOf("<Code>", StringComparison.Ordinal);
            return (status, code < 0 ? string.Empty : body[(code + 6)..body.IndexOf("</Code>", StringComparison.Ordinal)]);
        }

        AwsKeyPair admin = wire.Aws.Admin;
        Assert.Equal((200, string.Empty), await Ask(admin));
        Assert.Equal((403, "SignatureDoesNotMatch"), await Ask(admin with { SecretAccessKey = "wrong" }));
        Assert.Equal((403, "InvalidClientTokenId"), await Ask(admin with { AccessKeyId = "AKIANOBODYNOBODY0001" }));
        Assert.Equal((403, "MissingAuthenticationToken"), await Ask(admin, r => r.Unsigned = true));
        Assert.Equal((403, "SignatureDoesNotMatch"), await Ask(admin, r => r.Date = r.Date.AddHours(1)));
    }

    [Fact]
    public async Task RequestsAreNamedAndWritesAreKnown()
    {
        await using AwsWire wire = AwsWire.Start();
        await wire.KeyAsync();
        await wire.Kms.ListKeysAsync(new(), AwsWire.Cancel);
        await wire.RoleAsync("reader");
        await wire.AssumeAsync($"arn:aws:iam::{AwsWire.Account}:role/reader");
        Assert.Equal(
            ["kms:CreateKey:True", "kms:ListKeys:False", "iam:CreateRole:True", "sts:AssumeRole:False"],
            wire.Server.Exchanges.Select(e => $"{e.Request.Service}:{e.Request.Operation}:{e.Request.IsWrite}"));
        Assert.All(wire.Server.Exchanges, e => Assert.Equal(wire.Aws.Admin.Arn, e.Request.Caller));
        Assert.DoesNotContain(wire.Aws.Admin.SecretAccessKey, wire.Aws.Admin.ToString(), StringComparison.Ordinal);
    }

    private static async Task RefusedAsync(AwsWire wire, Action<AwsSigned> change, string says, AwsKeyPair? who = null)
    {
        AwsSigned request = AwsSigned.Kms(wire, who ?? wire.Aws.Admin, List, "{}");
        change(request);
        (int status, string body) = await wire.SendAsync(request);
        Assert.Equal(400, status);
        Assert.Contains(says, body, StringComparison.Ordinal);
    }
}
