using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>AWS KMS: JSON 1.1, the operation in X-Amz-Target.</summary>
internal static class KmsApi
{
    private const string ContentType = "application/x-amz-json-1.1";

    /// <summary>Answers a request.</summary>
    public static SandboxResponse Answer(AwsWorld world, SandboxRequest request, Func<SignedBy> check)
    {
        try
        {
            SignedBy signed = check();
            AwsCaller caller = signed.Credential.ToCaller();
            request.Caller = caller.Arn;
            world.Quota.TakeKms(caller.AccountId, signed.Region, request.Operation);
            return Respond(200, Invoke(world, caller, signed.Region, request.Operation, Body(request.Text)).ToJsonString());
        }
        catch (AwsErrorException e)
        {
            return Respond(e.Status, new JsonObject { ["__type"] = e.Code, ["message"] = e.Message }.ToJsonString());
        }
    }

    /// <summary>Does an operation.</summary>
    /// <exception cref="AwsErrorException">It is refused.</exception>
    public static JsonObject Invoke(AwsWorld world, AwsCaller caller, string region, string operation, JsonObject body)
    {
        world.Keys.Settle(world.Now);
        KmsCall call = new(world, caller, region, body);
        return operation switch
        {
            "CreateKey" => KeyLife.Create(call),
            "ReplicateKey" => KeyLife.Replicate(call),
            "UpdatePrimaryRegion" => KeyLife.UpdatePrimaryRegion(call),
            "DescribeKey" => KeyLife.Describe(call),
            "ListKeys" => KeyLife.List(call),
            "UpdateKeyDescription" => KeyLife.UpdateDescription(call),
            "EnableKey" => KeyLife.Enable(call, enable: true),
            "DisableKey" => KeyLife.Enable(call, enable: false),
            "ScheduleKeyDeletion" => KeyLife.ScheduleDeletion(call),
            "CancelKeyDeletion" => KeyLife.CancelDeletion(call),
            "CreateAlias" => KeyAliases.Create(call),
            "UpdateAlias" => KeyAliases.Update(call),
            "DeleteAlias" => KeyAliases.Delete(call),
            "ListAliases" => KeyAliases.List(call),
            "TagResource" => KeyTags.Tag(call),
            "UntagResource" => KeyTags.Untag(call),
            "ListResourceTags" => KeyTags.List(call),
            "GetKeyPolicy" => KeyPolicies.Get(call),
            "PutKeyPolicy" => KeyPolicies.Put(call),
            "ListKeyPolicies" => KeyPolicies.List(call),
            "CreateGrant" => KeyGrants.Create(call),
            "ListGrants" => KeyGrants.List(call),
            "ListRetirableGrants" => KeyGrants.ListRetirable(call),
            "RevokeGrant" => KeyGrants.Revoke(call),
            "RetireGrant" => KeyGrants.Retire(call),
            "EnableKeyRotation" => KeyRotation.Enable(call),
            "DisableKeyRotation" => KeyRotation.Disable(call),
            "GetKeyRotationStatus" => KeyRotation.Status(call),
            "RotateKeyOnDemand" => KeyRotation.RotateOnDemand(call),
            "ListKeyRotations" => KeyRotation.List(call),
            "Encrypt" => KeyCrypto.Encrypt(call),
            "Decrypt" => KeyCrypto.Decrypt(call),
            "ReEncrypt" => KeyCrypto.ReEncrypt(call),
            "GenerateDataKey" => KeyCrypto.GenerateDataKey(call, plaintext: true),
            "GenerateDataKeyWithoutPlaintext" => KeyCrypto.GenerateDataKey(call, plaintext: false),
            "GenerateMac" => KeyCrypto.GenerateMac(call),
            "VerifyMac" => KeyCrypto.VerifyMac(call),
            _ => throw new AwsErrorException("UnknownOperationException", $"The sandbox does not know the operation {operation}."),
        };
    }

    /// <summary>True for an action that a key policy can give to another account.</summary>
    public static bool WorksAcrossAccounts(string action) =>
        action is "kms:DescribeKey" or "kms:GetKeyRotationStatus" or "kms:Encrypt" or "kms:Decrypt"
        or "kms:ReEncryptFrom" or "kms:ReEncryptTo" or "kms:GenerateDataKey" or "kms:GenerateDataKeyWithoutPlaintext"
        or "kms:GenerateMac" or "kms:VerifyMac"
        or "kms:CreateGrant" or "kms:ListGrants" or "kms:RevokeGrant" or "kms:RetireGrant";

    private static JsonObject Body(string text)
    {
        try
        {
            return text.Length == 0 ? [] : JsonObjects.Read(text);
        }
        catch (FormatException)
        {
            throw new AwsErrorException("SerializationException", "The body is not a JSON object.");
        }
    }

    private static SandboxResponse Respond(int status, string body) => new()
    {
        Status = status,
        ContentType = ContentType,
        Body = body,
        Headers = new Dictionary<string, string> { ["x-amzn-RequestId"] = Guid.NewGuid().ToString() },
    };
}
