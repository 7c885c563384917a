using System.Security.Cryptography;
using System.Text.Json.Nodes;
using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>From the making of a key to its end.</summary>
internal static class KeyLife
{
    private static readonly Dictionary<string, string[]> Usages = new(StringComparer.Ordinal)
    {
        ["SYMMETRIC_DEFAULT"] = ["ENCRYPT_DECRYPT"],
        ["RSA_2048"] = ["ENCRYPT_DECRYPT", "SIGN_VERIFY"],
        ["RSA_3072"] = ["ENCRYPT_DECRYPT", "SIGN_VERIFY"],
        ["RSA_4096"] = ["ENCRYPT_DECRYPT", "SIGN_VERIFY"],
        ["ECC_NIST_P256"] = ["SIGN_VERIFY", "KEY_AGREEMENT"],
        ["ECC_NIST_P384"] = ["SIGN_VERIFY", "KEY_AGREEMENT"],
        ["HMAC_224"] = ["GENERATE_VERIFY_MAC"],
        ["HMAC_256"] = ["GENERATE_VERIFY_MAC"],
        ["HMAC_384"] = ["GENERATE_VERIFY_MAC"],
        ["HMAC_512"] = ["GENERATE_VERIFY_MAC"],
    };

    /// <summary>CreateKey.</summary>
    public static JsonObject Create(KmsCall call)
    {
        call.Demand("kms:CreateKey");
        string spec = call.Text("KeySpec") ?? call.Text("CustomerMasterKeySpec") ?? "SYMMETRIC_DEFAULT";
        string origin = call.Text("Origin") ?? "AWS_KMS";
        if (!Usages.TryGetValue(spec, out string[]? usages))
        {
            throw KmsCall.Invalid(
                $"1 validation error detected: Value '{spec}' at 'KeySpec' failed to satisfy constraint: Member must satisfy enum value "
                    + $"set: [{string.Join(", ", Usages.Keys)}]");
        }

        string? usage = call.Text("KeyUsage") ?? (spec == "SYMMETRIC_DEFAULT" ? "ENCRYPT_DECRYPT" : null);
        if (usage is null)
        {
            throw KmsCall.Invalid("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.");
        }

        if (!usages.Contains(usage))
        {
            throw KmsCall.Invalid($"KeyUsage {usage} is not compatible with KeySpec {spec}");
        }

        if (origin is not ("AWS_KMS" or "EXTERNAL"))
        {
            throw new AwsErrorException("UnsupportedOperationException", $"The sandbox has no custom key store for the origin {origin}.");
        }

        bool multiRegion = call.Flag("MultiRegion");
        string id = multiRegion ? "mrk-" + RandomNumberGenerator.GetHexString(32, lowercase: true) : Guid.NewGuid().ToString();
        StoredPolicy policy = KeyPolicies.Read(call, call.Text("Policy"));
        KeyPolicies.CheckLockout(call, policy, KmsStore.Arn(call.Region, call.Caller.AccountId, "key/" + id));
        KmsKey key = new(call.Caller.AccountId, call.Region, id, call.Now, new KmsMaterial(call.Now), policy)
        {
            Description = call.Text("Description") ?? string.Empty,
            Spec = spec,
            Usage = usage,
            Origin = origin,
            PrimaryRegion = multiRegion ? call.Region : null,
        };
        KeyTags.PutNew(call, key);
        call.Keys.Add(key);
        return new JsonObject { ["KeyMetadata"] = KeyMetadata.Show(call, key) };
    }

    /// <summary>ReplicateKey.</summary>
    public static JsonObject Replicate(KmsCall call)
    {
        KmsKey primary = call.Key("kms:ReplicateKey");
        string region = call.Need("ReplicaRegion");
        if (!primary.IsPrimary)
        {
            throw new AwsErrorException("UnsupportedOperationException", $"{primary.Arn} is not a multi-Region primary key.");
        }

        call.DemandUsable(primary);
        if (call.Keys.Find(KmsStore.Arn(region, primary.AccountId, "key/" + primary.Id)) is { } there)
        {
            throw new AwsErrorException("AlreadyExistsException", $"Replica key already exists in {region} region: {there.Arn}");
        }

        KmsCall thereCall = new(call.World, call.Caller, region, call.Body);
        thereCall.Demand("kms:CreateKey");
        StoredPolicy policy = KeyPolicies.Read(thereCall, call.Text("Policy"));
        KeyPolicies.CheckLockout(thereCall, policy, KmsStore.Arn(region, primary.AccountId, "key/" + primary.Id));
        KmsKey replica = new(primary.AccountId, region, primary.Id, call.Now, primary.Material, policy)
        {
            Description = call.Text("Description") ?? string.Empty,
            Spec = primary.Spec,
            Usage = primary.Usage,
            Origin = primary.Origin,
            PrimaryRegion = primary.Region,
            ReadyAt = call.Now + call.World.Lag,
        };
        KeyTags.PutNew(thereCall, replica);
        call.Keys.Add(replica);
        return new JsonObject
        {
            ["ReplicaKeyMetadata"] = KeyMetadata.Show(thereCall, replica),
            ["ReplicaPolicy"] = replica.Policy.Current.Show(new PrincipalNames(call.World).ToShown, indented: true),
            ["ReplicaTags"] = new JsonArray([.. replica.Tags.Select(t => new JsonObject { ["TagKey"] = t.Key, ["TagValue"] = t.Value })]),
        };
    }

    /// <summary>
    /// UpdatePrimaryRegion: a replica becomes the primary. Both are Updating for as long as IAM takes to spread a change.
    /// </summary>
    public static JsonObject UpdatePrimaryRegion(KmsCall call)
    {
        KmsKey primary = call.Key("kms:UpdatePrimaryRegion");
        string region = call.Need("PrimaryRegion");
        if (!primary.IsPrimary)
        {
            throw new AwsErrorException("UnsupportedOperationException", $"{primary.Arn} is not a multi-Region primary key.");
        }

        KmsKey next = call.Keys.Find(KmsStore.Arn(region, primary.AccountId, "key/" + primary.Id))
            ?? throw new AwsErrorException(
                "NotFoundException",
                $"Key '{KmsStore.Arn(region, primary.AccountId, "key/" + primary.Id)}' does not exist");
        call.DemandUsable(primary);
        call.DemandUsable(next);
        foreach (KmsKey copy in call.Keys.Related(primary))
        {
            copy.PrimaryRegion = region;
        }

        (primary.UpdatingUntil, next.UpdatingUntil) = (call.Now + call.World.Lag, call.Now + call.World.Lag);
        return [];
    }

    /// <summary>DescribeKey.</summary>
    public static JsonObject Describe(KmsCall call) =>
        new() { ["KeyMetadata"] = KeyMetadata.Show(call, call.Key("kms:DescribeKey", aliases: true)) };

    /// <summary>ListKeys.</summary>
    public static JsonObject List(KmsCall call)
    {
        call.Demand("kms:ListKeys");
        return Paging.Page(
            call,
            "Keys",
            call.Keys.In(call.Caller.AccountId, call.Region).Select(k => new JsonObject { ["KeyId"] = k.Id, ["KeyArn"] = k.Arn }),
            100,
            1000);
    }

    /// <summary>UpdateKeyDescription.</summary>
    public static JsonObject UpdateDescription(KmsCall call)
    {
        KmsKey key = call.Key("kms:UpdateKeyDescription");
        call.DemandNotPendingDeletion(key);
        key.Description = call.Text("Description") ?? string.Empty;
        return [];
    }

    /// <summary>EnableKey and DisableKey.</summary>
    public static JsonObject Enable(KmsCall call, bool enable)
    {
        KmsKey key = call.Key(enable ? "kms:EnableKey" : "kms:DisableKey");
        call.DemandNotPendingDeletion(key);
        key.IsEnabled = enable;
        return [];
    }

    /// <summary>ScheduleKeyDeletion.</summary>
    public static JsonObject ScheduleDeletion(KmsCall call)
    {
        KmsKey key = call.Key("kms:ScheduleKeyDeletion");
        int days = call.Number("PendingWindowInDays") ?? 30;
        if (days is < 7 or > 30)
        {
            throw KmsCall.Invalid("PendingWindowInDays must be between 7 and 30");
        }

        call.DemandNotPendingDeletion(key);
        if (key.IsPrimary && call.Keys.Related(key).Any(k => !k.IsPrimary))
        {
            key.WaitsForReplicas = days;
        }
        else
        {
            key.DeletionDate = call.Now.AddDays(days);
        }

        JsonObject answer = new() { ["KeyId"] = key.Arn, ["KeyState"] = key.State(call.Now), ["PendingWindowInDays"] = days };
        if (key.DeletionDate is { } date)
        {
            answer["DeletionDate"] = KmsCall.Epoch(date);
        }

        return answer;
    }

    /// <summary>CancelKeyDeletion. The key is left disabled.</summary>
    public static JsonObject CancelDeletion(KmsCall call)
    {
        KmsKey key = call.Key("kms:CancelKeyDeletion");
        if (key.State(call.Now) is not ("PendingDeletion" or "PendingReplicaDeletion"))
        {
            throw new AwsErrorException("KMSInvalidStateException", key.Arn + " is not pending deletion.");
        }

        (key.DeletionDate, key.WaitsForReplicas, key.IsEnabled) = (null, null, false);
        return new JsonObject { ["KeyId"] = key.Arn };
    }
}
