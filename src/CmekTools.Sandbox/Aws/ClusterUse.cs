using System.Text.Json.Nodes;
using CmekTools.Sandbox.Aws.Kms;
using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws;

/// <summary>What CockroachDB Cloud does with a key: it assumes the customer's role from the cluster's account, and uses the key.</summary>
internal static class ClusterUse
{
    /// <summary>Tries all that a cluster needs.</summary>
    /// <returns>Null where all of it worked; else what stopped it, in AWS's words.</returns>
    public static string? Try(AwsWorld world, ClusterIdentity cluster, string keyUri, string roleArn)
    {
        string[] arn = keyUri.Split(':', 6);
        if (arn.Length != 6 || arn[0] != "arn" || arn[2] != "kms" || !arn[5].StartsWith("key/", StringComparison.Ordinal))
        {
            return $"InvalidArnException: Invalid arn {keyUri}: the ARN of a KMS key is needed";
        }

        try
        {
            AwsCredential session = StsApi.Assume(
                world,
                Vendor(cluster),
                roleArn,
                "cockroachdb-cmek",
                cluster.OrganizationId,
                3600,
                policy: null);
            Use(world, session.ToCaller(), arn[3], keyUri);
            return null;
        }
        catch (AwsErrorException e)
        {
            return e.Words;
        }
    }

    private static void Use(AwsWorld world, AwsCaller caller, string region, string keyArn)
    {
        JsonObject Call(string operation, JsonObject body) => KmsApi.Invoke(world, caller, region, operation, body);
        Call("DescribeKey", new JsonObject { ["KeyId"] = keyArn });
        Call("GenerateDataKey", new JsonObject { ["KeyId"] = keyArn, ["KeySpec"] = "AES_256" });
        string blob = Blob(Call("Encrypt", new JsonObject { ["KeyId"] = keyArn, ["Plaintext"] = Convert.ToBase64String("store key"u8) }));
        string again = Blob(Call("ReEncrypt", new JsonObject { ["CiphertextBlob"] = blob, ["DestinationKeyId"] = keyArn }));
        Call("Decrypt", new JsonObject { ["CiphertextBlob"] = again, ["KeyId"] = keyArn });
    }

    private static string Blob(JsonObject answer) => answer["CiphertextBlob"]!.GetValue<string>();

    // The vendor's own role in the cluster's account, which may assume whatever trusts that account.
    private static AwsCaller Vendor(ClusterIdentity cluster)
    {
        string name = "crl-cmek-" + (cluster.ClusterId.Length > 12 ? cluster.ClusterId[^12..] : cluster.ClusterId);
        return new AwsCaller(
            cluster.AccountId,
            $"arn:aws:sts::{cluster.AccountId}:assumed-role/{name}/kms",
            $"AROACOCKROACHCLOUD001:kms",
            $"arn:aws:iam::{cluster.AccountId}:role/{name}",
            "AROACOCKROACHCLOUD001",
            [StoredPolicy.AllowAll.Parsed],
            null,
            null);
    }
}
