namespace CmekTools.Engine.Aws;

/// <summary>The key: whether it is there, in which state, of which kind, and whether it rotates.</summary>
internal static class AwsKeyChecks
{
    /// <summary>The checks, in the order in which they are shown.</summary>
    public static IEnumerable<CmekCheck> Of(AwsAccessEvidence f)
    {
        if (f.Data.Missing)
        {
            yield return f.OnKey("AwsKeyExists", CmekCheckResult.Fail, "KMS knows no such key in that account and region", f.NewKey);
            yield break;
        }

        yield return f.Key.Region == f.Target.Region
            ? f.OnKey("AwsKeyRegion", CmekCheckResult.Pass, $"the key is in the cluster's region {f.Key.Region}")
            : f.OnKey(
                "AwsKeyRegion",
                CmekCheckResult.Warn,
                $"the key is in {f.Key.Region}, the cluster's region is {f.Target.Region}: an outage of {f.Key.Region} would reach it",
                f.NewKey);
        if (f.Data.Value is not { } data)
        {
            string permission = $"Have kms:DescribeKey on {f.Key.Text} granted to whoever runs this.";
            foreach (string name in new[] { "AwsKeyExists", "AwsKeyState", "AwsKeyType" })
            {
                yield return f.OnKey(name, CmekCheckResult.Unknown, f.Data.Why!, permission);
            }

            yield break;
        }

        yield return f.OnKey("AwsKeyExists", CmekCheckResult.Pass, $"made {data.CreationDate:yyyy-MM-dd} in account {f.Key.Account}");
        CmekKeyState state = AwsKeyReader.ToState(data);
        yield return state switch
        {
            CmekKeyState.Enabled => f.OnKey("AwsKeyState", CmekCheckResult.Pass, "enabled"),
            CmekKeyState.Disabled => f.OnKey(
                "AwsKeyState",
                CmekCheckResult.Fail,
                "disabled: nothing can be encrypted or decrypted with it",
                AwsErrors.EnableCommand(f.Key.Text)),
            CmekKeyState.PendingDeletion => f.OnKey(
                "AwsKeyState",
                CmekCheckResult.Fail,
                $"scheduled for deletion{(data.DeletionDate is { } date ? $" on {date:yyyy-MM-dd}" : string.Empty)}",
                AwsErrors.CancelDeletionCommand(f.Key.Text)),
            _ => f.OnKey("AwsKeyState", CmekCheckResult.Fail, $"its state is {data.KeyState?.Value}", f.NewKey),
        };
        bool symmetric = data.KeySpec?.Value is null or "SYMMETRIC_DEFAULT" && data.KeyUsage?.Value is null or "ENCRYPT_DECRYPT";
        bool madeByKms = data.Origin?.Value is null or "AWS_KMS";
        yield return !symmetric
            ? f.OnKey(
                "AwsKeyType",
                CmekCheckResult.Fail,
                $"{data.KeySpec?.Value} for {data.KeyUsage?.Value}; a cluster needs SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT",
                f.NewKey)
            : madeByKms
                ? f.OnKey("AwsKeyType", CmekCheckResult.Pass, "symmetric, for encryption and decryption, made by KMS")
                : f.OnKey(
                    "AwsKeyType",
                    CmekCheckResult.Warn,
                    $"its material comes from {data.Origin?.Value}; CockroachDB Cloud asks for a key made by KMS",
                    f.NewKey);
        if (symmetric && madeByKms && state is CmekKeyState.Enabled or CmekKeyState.Disabled)
        {
            yield return f.Rotation.Value switch
            {
                null => f.OnKey(
                    "AwsKeyRotation",
                    CmekCheckResult.Unknown,
                    f.Rotation.Why ?? "not seen",
                    $"Have kms:GetKeyRotationStatus on {f.Key.Text} granted to whoever runs this."),
                { KeyRotationEnabled: true } r => f.OnKey(
                    "AwsKeyRotation",
                    CmekCheckResult.Pass,
                    $"new material is made every {r.RotationPeriodInDays ?? 365} days"),
                _ => f.OnKey(
                    "AwsKeyRotation",
                    CmekCheckResult.Warn,
                    "automatic rotation is off",
                    $"aws kms enable-key-rotation --key-id {f.Key.Text} --region {f.Key.Region}"),
            };
        }
    }
}
