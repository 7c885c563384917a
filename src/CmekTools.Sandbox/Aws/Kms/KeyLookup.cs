namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>Finds a key by what people call it.</summary>
internal static class KeyLookup
{
    /// <summary>The key of an id, an ARN, and where the operation takes them an alias name or an alias ARN.</summary>
    public static KmsKey Find(KmsCall call, string name, bool aliases, string action)
    {
        if (!name.StartsWith("arn:", StringComparison.Ordinal))
        {
            return name.StartsWith("alias/", StringComparison.Ordinal)
                ? ByAlias(call, KmsStore.Arn(call.Region, call.Caller.AccountId, name), aliases)
                : ById(call, KmsStore.Arn(call.Region, call.Caller.AccountId, "key/" + name), name);
        }

        string[] arn = name.Split(':', 6);
        if (arn.Length != 6 || arn[1] != "aws" || arn[2] != "kms" || !AwsIds.IsAccount(arn[4])
            || !(arn[5].StartsWith("key/", StringComparison.Ordinal) || arn[5].StartsWith("alias/", StringComparison.Ordinal)))
        {
            throw new AwsErrorException("InvalidArnException", "Invalid arn " + name);
        }

        if (arn[3] != call.Region)
        {
            throw new AwsErrorException("NotFoundException", "Invalid arn " + arn[3]);
        }

        if (arn[5].StartsWith("alias/", StringComparison.Ordinal))
        {
            return ByAlias(call, name, aliases);
        }

        if (arn[4] != call.Caller.AccountId && call.Keys.Find(name) is null)
        {
            // To another account AWS does not tell what does not exist from what is not allowed.
            throw call.Denied(
                action,
                name,
                "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based "
                    + "policy explicitly denies access");
        }

        return ById(call, name, arn[5][4..]);
    }

    private static KmsKey ById(KmsCall call, string arn, string id)
    {
        bool hasShape = Guid.TryParseExact(id, "D", out _) || (id.StartsWith("mrk-", StringComparison.Ordinal) && id.Length == 36);
        return call.Keys.Find(arn) ?? throw new AwsErrorException(
            "NotFoundException",
            hasShape ? $"Key '{arn}' does not exist" : $"Invalid keyId '{id}'");
    }

    private static KmsKey ByAlias(KmsCall call, string arn, bool aliases)
    {
        if (!aliases)
        {
            throw new AwsErrorException("InvalidArnException", $"Invalid arn {arn}: an alias cannot be used here");
        }

        KmsAlias alias = call.Keys.FindAlias(arn) ?? throw new AwsErrorException("NotFoundException", $"Alias {arn} is not found.");
        return call.Keys.Find(KmsStore.Arn(alias.Region, alias.AccountId, "key/" + alias.KeyId))
            ?? throw new AwsErrorException("NotFoundException", $"Alias {arn} is not found.");
    }
}
