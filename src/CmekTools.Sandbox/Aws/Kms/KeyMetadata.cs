using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>What DescribeKey shows.</summary>
internal static class KeyMetadata
{
    /// <summary>A key's metadata.</summary>
    public static JsonObject Show(KmsCall call, KmsKey key)
    {
        string state = key.State(call.Now);
        JsonObject data = new()
        {
            ["AWSAccountId"] = key.AccountId,
            ["KeyId"] = key.Id,
            ["Arn"] = key.Arn,
            ["CreationDate"] = KmsCall.Epoch(key.Created),
            ["Enabled"] = state is "Enabled" or "Updating",
            ["Description"] = key.Description,
            ["KeyUsage"] = key.Usage,
            ["KeyState"] = state,
            ["Origin"] = key.Origin,
            ["KeyManager"] = "CUSTOMER",
            ["CustomerMasterKeySpec"] = key.Spec,
            ["KeySpec"] = key.Spec,
            ["MultiRegion"] = key.PrimaryRegion is not null,
        };
        if (key.DeletionDate is { } date)
        {
            data["DeletionDate"] = KmsCall.Epoch(date);
        }

        if (key.WaitsForReplicas is { } days)
        {
            data["PendingDeletionWindowInDays"] = days;
        }

        AddAlgorithms(data, key);
        if (key.PrimaryRegion is not null)
        {
            data["MultiRegionConfiguration"] = Regions(call, key);
        }

        if (key.IsSymmetric && key.Origin == "AWS_KMS")
        {
            data["CurrentKeyMaterialId"] = key.Material.Current.Id;
        }

        return data;
    }

    private static void AddAlgorithms(JsonObject data, KmsKey key)
    {
        if (key.Usage == "GENERATE_VERIFY_MAC")
        {
            data["MacAlgorithms"] = new JsonArray(key.Spec.Replace("HMAC_", "HMAC_SHA_", StringComparison.Ordinal));
        }
        else if (key.Usage == "SIGN_VERIFY")
        {
            data["SigningAlgorithms"] = key.Spec.StartsWith("RSA", StringComparison.Ordinal)
                ? new JsonArray("RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PSS_SHA_256")
                : new JsonArray("ECDSA_SHA_" + key.Spec[^3..]);
        }
        else if (key.Usage == "ENCRYPT_DECRYPT")
        {
            data["EncryptionAlgorithms"] = key.IsSymmetric
                ? new JsonArray("SYMMETRIC_DEFAULT")
                : new JsonArray("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256");
        }
    }

    private static JsonObject Regions(KmsCall call, KmsKey key)
    {
        static JsonObject One(string arn, string region) => new() { ["Arn"] = arn, ["Region"] = region };
        return new JsonObject
        {
            ["MultiRegionKeyType"] = key.IsPrimary ? "PRIMARY" : "REPLICA",
            ["PrimaryKey"] = One(KmsStore.Arn(key.PrimaryRegion!, key.AccountId, "key/" + key.Id), key.PrimaryRegion!),
            ["ReplicaKeys"] = new JsonArray([.. call.Keys.Related(key).Where(k => !k.IsPrimary).Select(k => One(k.Arn, k.Region))]),
        };
    }
}
