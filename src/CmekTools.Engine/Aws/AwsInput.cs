
namespace CmekTools.Engine.Aws;

/// <summary>What is checked of keys and principals before anything is asked of AWS.</summary>
internal static class AwsInput
{
    public static void ValidateKeyUri(string keyUri, CmekCluster? cluster = null, string? region = null)
    {
        KeyArn key = ParseKey(keyUri);
        string? place = region ?? (cluster?.Regions is [var first, ..] ? first.Name : null);
        if (place is not null && AwsNames.Partition(place) != key.Partition)
        {
            throw new CmekException(
                "KeyUriInvalid",
                CmekErrorKind.InvalidArgument,
                $"The key {keyUri} is in the partition {key.Partition}, but the cluster's region {place} is in "
                    + $"{AwsNames.Partition(place)}: a cluster cannot reach a key of another partition.",
                $"Give a key of the partition {AwsNames.Partition(place)}.",
                keyUri);
        }

        if (AwsNames.Partition(key.Region) != key.Partition)
        {
            throw new CmekException(
                "KeyUriInvalid",
                CmekErrorKind.InvalidArgument,
                $"The ARN {keyUri} contradicts itself: the region {key.Region} is in the partition {AwsNames.Partition(key.Region)}, "
                    + $"not {key.Partition}.",
                $"Ask KMS for the ARN: aws kms describe-key --key-id {key.KeyId} --region {key.Region} --query KeyMetadata.Arn --output "
                    + "text",
                keyUri);
        }
    }

    public static void ValidatePrincipal(string principal)
    {
        if (AwsNames.TryParseRole(principal) is null)
        {
            throw new CmekException(
                "PrincipalInvalid",
                CmekErrorKind.InvalidArgument,
                $"'{principal}' is not the ARN of an IAM role.",
                "Give it as arn:aws:iam::111122223333:role/NAME; `aws iam get-role --role-name NAME --query Role.Arn --output text` "
                    + "shows it.",
                principal);
        }
    }

    public static KeyArn ParseKey(string keyUri)
    {
        if (AwsNames.TryParseKey(keyUri) is { } key)
        {
            return key;
        }

        string text = keyUri ?? string.Empty;
        string region = text.Split(':') is { Length: > 4 } parts && parts[3].Length > 0 ? parts[3] : "REGION";
        string what = text switch
        {
            _ when text.Contains(
                ":alias/",
                StringComparison.Ordinal) => "is the ARN of an alias; an alias can be moved to another key, so a cluster takes the "
                    + "key's own ARN only",
            _ when text.StartsWith(
                "alias/",
                StringComparison.Ordinal) => "is an alias; an alias can be moved to another key, so a cluster takes the key's own ARN only",
            _ when text.StartsWith("arn:", StringComparison.OrdinalIgnoreCase) => "is not a key's ARN",
            _ => "is not an ARN (a bare key id does not say the region and the account)",
        };
        string id = text switch
        {
            "" => "KEY_ID",
            _ when text.StartsWith("arn:", StringComparison.OrdinalIgnoreCase)
                && !text.Contains(":alias/", StringComparison.Ordinal) => "KEY_ID",
            _ => text,
        };
        throw new CmekException(
            "KeyUriInvalid",
            CmekErrorKind.InvalidArgument,
            $"'{text}' {what}. Needed is arn:aws:kms:REGION:ACCOUNT:key/ID.",
            $"Ask KMS for the ARN: aws kms describe-key --key-id {id} --region {region} --query KeyMetadata.Arn --output text",
            text);
    }

    public static RoleArn ParseRole(string principal) => AwsNames.TryParseRole(principal) ?? throw new CmekException(
        "PrincipalInvalid",
        CmekErrorKind.InvalidArgument,
        $"'{principal}' is not the ARN of an IAM role.",
        "Give it as arn:aws:iam::111122223333:role/NAME; `aws iam get-role --role-name NAME --query Role.Arn --output text` shows it.",
        principal);
}
