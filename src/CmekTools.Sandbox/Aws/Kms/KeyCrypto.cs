using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>What keys are for.</summary>
internal static class KeyCrypto
{
    private const string Algorithm = "SYMMETRIC_DEFAULT";
    private const int MostBytes = 4096;

    /// <summary>Encrypt.</summary>
    public static JsonObject Encrypt(KmsCall call)
    {
        byte[] plaintext = call.Bytes("Plaintext");
        if (plaintext.Length > MostBytes)
        {
            throw KmsCall.Invalid(
                "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or "
                    + "equal to 4096");
        }

        KmsKey key = Usable(call, call.Key("kms:Encrypt", aliases: true));
        return new JsonObject
        {
            ["CiphertextBlob"] = Convert.ToBase64String(CiphertextBlob.Seal(key, plaintext, Context(call, "EncryptionContext"))),
            ["KeyId"] = key.Arn,
            ["EncryptionAlgorithm"] = Algorithm,
        };
    }

    /// <summary>Decrypt.</summary>
    public static JsonObject Decrypt(KmsCall call)
    {
        byte[] blob = call.Bytes("CiphertextBlob");
        KmsKey key = Usable(call, KeyOf(call, blob, "kms:Decrypt", "KeyId"));
        (byte[] plaintext, MaterialVersion version) = CiphertextBlob.Open(key, blob, Context(call, "EncryptionContext"));
        return new JsonObject
        {
            ["Plaintext"] = Convert.ToBase64String(plaintext),
            ["KeyId"] = key.Arn,
            ["EncryptionAlgorithm"] = Algorithm,
            ["KeyMaterialId"] = version.Id,
        };
    }

    /// <summary>ReEncrypt: two permissions, on two keys.</summary>
    public static JsonObject ReEncrypt(KmsCall call)
    {
        byte[] blob = call.Bytes("CiphertextBlob");
        KmsKey from = Usable(call, KeyOf(call, blob, "kms:ReEncryptFrom", "SourceKeyId"));
        KmsKey to = Usable(call, call.Key("kms:ReEncryptTo", aliases: true, name: "DestinationKeyId"));
        (byte[] plaintext, MaterialVersion version) = CiphertextBlob.Open(from, blob, Context(call, "SourceEncryptionContext"));
        return new JsonObject
        {
            ["CiphertextBlob"] = Convert.ToBase64String(CiphertextBlob.Seal(to, plaintext, Context(call, "DestinationEncryptionContext"))),
            ["SourceKeyId"] = from.Arn,
            ["KeyId"] = to.Arn,
            ["SourceEncryptionAlgorithm"] = Algorithm,
            ["DestinationEncryptionAlgorithm"] = Algorithm,
            ["SourceKeyMaterialId"] = version.Id,
            ["DestinationKeyMaterialId"] = to.Material.Current.Id,
        };
    }

    /// <summary>GenerateDataKey and GenerateDataKeyWithoutPlaintext.</summary>
    public static JsonObject GenerateDataKey(KmsCall call, bool plaintext)
    {
        int length = (call.Text("KeySpec"), call.Number("NumberOfBytes")) switch
        {
            ("AES_256", null) => 32,
            ("AES_128", null) => 16,
            (null, >= 1 and <= 1024 and int bytes) => bytes,
            _ => throw KmsCall.Invalid("Please specify either number of bytes or key spec."),
        };
        KmsKey key = Usable(call, call.Key(plaintext ? "kms:GenerateDataKey" : "kms:GenerateDataKeyWithoutPlaintext", aliases: true));
        byte[] data = RandomNumberGenerator.GetBytes(length);
        JsonObject answer = new()
        {
            ["CiphertextBlob"] = Convert.ToBase64String(CiphertextBlob.Seal(key, data, Context(call, "EncryptionContext"))),
            ["KeyId"] = key.Arn,
            ["KeyMaterialId"] = key.Material.Current.Id,
        };
        if (plaintext)
        {
            answer["Plaintext"] = Convert.ToBase64String(data);
        }

        return answer;
    }

    /// <summary>GenerateMac.</summary>
    public static JsonObject GenerateMac(KmsCall call)
    {
        (KmsKey key, byte[] mac) = Mac(call, "kms:GenerateMac");
        return new JsonObject
        {
            ["Mac"] = Convert.ToBase64String(mac),
            ["MacAlgorithm"] = call.Text("MacAlgorithm"),
            ["KeyId"] = key.Arn,
        };
    }

    /// <summary>VerifyMac: what is not the message's MAC is an error.</summary>
    public static JsonObject VerifyMac(KmsCall call)
    {
        (KmsKey key, byte[] mac) = Mac(call, "kms:VerifyMac");
        return CryptographicOperations.FixedTimeEquals(mac, call.Bytes("Mac"))
            ? new JsonObject { ["KeyId"] = key.Arn, ["MacValid"] = true, ["MacAlgorithm"] = call.Text("MacAlgorithm") }
            : throw new AwsErrorException("KMSInvalidMacException", "The MAC is not valid.");
    }

    private static (KmsKey Key, byte[] Mac) Mac(KmsCall call, string action)
    {
        byte[] message = call.Bytes("Message");
        KmsKey key = call.Key(action, aliases: true);
        DemandUsage(call, key, "GENERATE_VERIFY_MAC");
        string algorithm = call.Text("MacAlgorithm") ?? string.Empty;
        if (algorithm != key.Spec.Replace("HMAC_", "HMAC_SHA_", StringComparison.Ordinal))
        {
            throw new AwsErrorException("InvalidKeyUsageException", $"Algorithm {algorithm} is incompatible with key spec {key.Spec}.");
        }

        byte[] material = key.Material.Versions[0].Bytes;
        return (key, algorithm switch
        {
            "HMAC_SHA_256" => HMACSHA256.HashData(material, message),
            "HMAC_SHA_384" => HMACSHA384.HashData(material, message),
            "HMAC_SHA_512" => HMACSHA512.HashData(material, message),
            _ => throw new AwsErrorException("UnsupportedOperationException", $"The sandbox has no {algorithm}."),
        });
    }

    private static void DemandUsage(KmsCall call, KmsKey key, string usage)
    {
        call.DemandUsable(key);
        if (key.Usage != usage)
        {
            throw new AwsErrorException(
                "InvalidKeyUsageException",
                $"{key.Arn} key usage is {key.Usage} which is not valid for this operation.");
        }
    }

    private static KmsKey Usable(KmsCall call, KmsKey key)
    {
        DemandUsage(call, key, "ENCRYPT_DECRYPT");
        if (!key.IsSymmetric)
        {
            throw new AwsErrorException(
                "UnsupportedOperationException",
                $"{key.Arn} is a {key.Spec} key; the sandbox only has symmetric encryption.");
        }

        return call.Flag("DryRun")
            ? throw new AwsErrorException(
                "DryRunOperationException",
                "The request would have succeeded, but the DryRun option is set.",
                412)
            : key;
    }

    // A ciphertext names its key. A key that is given as well has to be the same one.
    private static KmsKey KeyOf(KmsCall call, byte[] blob, string action, string parameter)
    {
        (string account, string id) = CiphertextBlob.Owner(blob);
        if (call.Text(parameter) is not null)
        {
            KmsKey given = call.Key(action, aliases: true, name: parameter);
            return given.Id == id && given.AccountId == account
                ? given
                : throw new AwsErrorException(
                    "IncorrectKeyException",
                    "The key ID in the request does not identify a CMK that can perform this operation.");
        }

        KmsKey key = call.Keys.Find(KmsStore.Arn(call.Region, account, "key/" + id)) ?? throw new AwsErrorException(
            "AccessDeniedException",
            "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed "
                + "to access.");
        call.Demand(action, key);
        return key;
    }

    private static JsonObject? Context(KmsCall call, string name) => call.Body[name] as JsonObject;
}
