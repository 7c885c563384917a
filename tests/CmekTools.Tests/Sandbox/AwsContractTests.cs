using System.Text.Json.Nodes;
using System.Xml.Linq;
using Amazon.KeyManagementService;
using Amazon.KeyManagementService.Model;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>Whatever the sandbox's AWS answers in a whole life of keys, AWS's own models (botocore's) have a place for.</summary>
public sealed class AwsContractTests
{
    [Fact]
    public async Task TheAnswersOfAWholeLifeHaveTheShapesOfAwssModels()
    {
        AwsModel kms = await AwsModel.ReadAsync("kms", "2014-11-01");
        AwsModel iam = await AwsModel.ReadAsync("iam", "2010-05-08");
        AwsModel sts = await AwsModel.ReadAsync("sts", "2011-06-15");
        await using Life life = await Life.StartAsync("AWS", enable: false);
        await life.TryAsync(
            """
            $WarningPreference = 'SilentlyContinue'
            New-CmekKey shop -EnableRotation | Grant-CmekAccess | Enable-CmekCluster -Wait
            Test-CmekAccess shop -Deep
            Update-CmekCluster shop -Rewrap -RotateKey -Wait
            $spare = New-CmekKey shop -Region us-east-1 -MultiRegion -AliasName spare
            Get-CmekKeyUse $spare.KeyUri
            Remove-CmekKey $spare.KeyUri -Confirm:$false
            Remove-CmekKey $spare.KeyUri -Confirm:$false
            Grant-CmekAccess shop -Region us-east-1 -KeyUri $spare.KeyUri
            Get-CmekKey arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000
            $key = (Get-CmekStatus shop).Regions[0].KeyUri
            Grant-CmekAccess shop -Region us-east-1 -KeyUri $key -RoleArn arn:aws:iam::111122223333:role/nobody
            Revoke-CmekAccess shop -Force -Permanent -ConfirmClusterName shop
            Restore-CmekAccess shop -Wait
            Restore-CmekAccess shop -RoleName rescue -Wait
            """);
        await MacAsync(life.Aws.Kms);
        List<string> wrong = [];
        foreach (SandboxExchange exchange in life.Server.Exchanges)
        {
            wrong.AddRange(exchange.Request.Service switch
            {
                "kms" => kms.Check(
                    exchange.Request.Operation,
                    JsonNode.Parse(exchange.Request.Text)!.AsObject(),
                    exchange.Status,
                    JsonNode.Parse(exchange.ResponseBody)!.AsObject()),
                "iam" => iam.Check(exchange.Request.Operation, exchange.Status, Plain(exchange.ResponseBody)),
                "sts" => sts.Check(exchange.Request.Operation, exchange.Status, Plain(exchange.ResponseBody)),
                _ => [],
            });
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong.Distinct()));
        Assert.True(
            kms.Checked.Count >= 15 && iam.Checked.Count >= 4 && sts.Checked.Count >= 1,
            string.Join(' ', [.. kms.Checked, .. iam.Checked, .. sts.Checked]));
    }

    // What seals receipts, where a key of a KMS does.
    private static async Task MacAsync(AmazonKeyManagementServiceClient kms)
    {
        CreateKeyResponse made = await kms.CreateKeyAsync(
            new CreateKeyRequest { KeySpec = KeySpec.HMAC_256, KeyUsage = KeyUsageType.GENERATE_VERIFY_MAC },
            AwsWire.Cancel);
        GenerateMacRequest request = new()
        {
            KeyId = made.KeyMetadata.Arn,
            MacAlgorithm = MacAlgorithmSpec.HMAC_SHA_256,
            Message = new MemoryStream("text"u8.ToArray()),
        };
        await kms.GenerateMacAsync(request, AwsWire.Cancel);
    }

    private static XElement Plain(string text)
    {
        XElement body = XElement.Parse(text);
        foreach (XElement element in body.DescendantsAndSelf())
        {
            element.Name = element.Name.LocalName;
        }

        return body;
    }
}
