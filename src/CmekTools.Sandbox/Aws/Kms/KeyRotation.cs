using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>Rotation of key material.</summary>
internal static class KeyRotation
{
    private const int MostOnDemand = 25;

    /// <summary>EnableKeyRotation.</summary>
    public static JsonObject Enable(KmsCall call)
    {
        KmsKey key = Rotatable(call, "kms:EnableKeyRotation");
        int days = call.Number("RotationPeriodInDays") ?? (key.Material.PeriodInDays is > 0 and int before ? before : 365);
        if (days is < 90 or > 2560)
        {
            throw KmsCall.Invalid(
                $"1 validation error detected: Value '{days}' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have "
                    + "value between 90 and 2560");
        }

        key.Material.Enable(days, call.Now);
        return [];
    }

    /// <summary>DisableKeyRotation.</summary>
    public static JsonObject Disable(KmsCall call)
    {
        Rotatable(call, "kms:DisableKeyRotation").Material.Disable();
        return [];
    }

    /// <summary>GetKeyRotationStatus.</summary>
    public static JsonObject Status(KmsCall call)
    {
        KmsKey key = call.Key("kms:GetKeyRotationStatus");
        if (!key.IsSymmetric)
        {
            throw Unsupported(key);
        }

        JsonObject answer = new() { ["KeyId"] = key.Arn, ["KeyRotationEnabled"] = key.Material.RotationEnabled };
        if (key.Material.RotationEnabled)
        {
            answer["RotationPeriodInDays"] = key.Material.PeriodInDays;
            answer["NextRotationDate"] = KmsCall.Epoch(key.Material.NextRotation);
        }

        if (key.Material.OnDemandStart is { } start)
        {
            answer["OnDemandRotationStartDate"] = KmsCall.Epoch(start);
        }

        return answer;
    }

    /// <summary>RotateKeyOnDemand.</summary>
    public static JsonObject RotateOnDemand(KmsCall call)
    {
        KmsKey key = Rotatable(call, "kms:RotateKeyOnDemand");
        if (key.Material.OnDemandStart is not null)
        {
            throw new AwsErrorException("ConflictException", $"{key.Arn} has an on-demand rotation in progress.");
        }

        if (key.Material.OnDemandCount >= MostOnDemand)
        {
            throw new AwsErrorException(
                "LimitExceededException",
                $"The on-demand rotation limit of {MostOnDemand} for the key {key.Arn} is reached.");
        }

        key.Material.RotateOnDemand(call.Now, call.World.Lag);
        return new JsonObject { ["KeyId"] = key.Arn };
    }

    /// <summary>ListKeyRotations.</summary>
    public static JsonObject List(KmsCall call)
    {
        KmsKey key = call.Key("kms:ListKeyRotations");
        if (!key.IsSymmetric)
        {
            throw Unsupported(key);
        }

        // The first version was made, not rotated in.
        return Paging.Page(
            call,
            "Rotations",
            key.Material.Versions.Skip(1).Select(v => new JsonObject
            {
                ["KeyId"] = key.Arn,
                ["KeyMaterialId"] = v.Id,
                ["RotationDate"] = KmsCall.Epoch(v.Date),
                ["RotationType"] = v.RotationType,
            }),
            100,
            1000);
    }

    private static KmsKey Rotatable(KmsCall call, string action)
    {
        KmsKey key = call.Key(action);
        if (!key.IsSymmetric || key.Origin != "AWS_KMS")
        {
            throw Unsupported(key);
        }

        if (key.PrimaryRegion is not null && !key.IsPrimary)
        {
            throw new AwsErrorException(
                "UnsupportedOperationException",
                $"{key.Arn} is a multi-Region replica key; its rotation is that of its primary key.");
        }

        call.DemandUsable(key);
        return key;
    }

    private static AwsErrorException Unsupported(KmsKey key) =>
        new(
            "UnsupportedOperationException",
            $"{key.Arn} key usage is {key.Usage}, key spec {key.Spec} and origin {key.Origin}, which are not valid for this operation.");
}
