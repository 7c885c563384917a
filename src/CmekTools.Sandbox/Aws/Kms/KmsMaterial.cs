using System.Security.Cryptography;

namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>One version of a key's material, and how it came to be.</summary>
internal sealed record MaterialVersion(byte[] Bytes, DateTimeOffset Date, string RotationType)
{
    /// <summary>The id that newer SDKs show.</summary>
    public string Id { get; } = Convert.ToHexString(SHA256.HashData(Bytes)).ToLowerInvariant();
}

/// <summary>The material of a key, shared by all regions of a multi-region key, and its rotation.</summary>
internal sealed class KmsMaterial(DateTimeOffset created)
{
    private DateTimeOffset? _onDemandDone;

    /// <summary>All versions, the current one last. Older ones still decrypt what they encrypted.</summary>
    public List<MaterialVersion> Versions { get; } = [New(created, "CREATED")];

    /// <summary>True where KMS rotates by itself.</summary>
    public bool RotationEnabled { get; private set; }

    /// <summary>The days between two rotations.</summary>
    public int PeriodInDays { get; private set; }

    /// <summary>When KMS rotates next.</summary>
    public DateTimeOffset NextRotation { get; private set; }

    /// <summary>When a rotation on demand began that is not done yet.</summary>
    public DateTimeOffset? OnDemandStart { get; private set; }

    /// <summary>The current version.</summary>
    public MaterialVersion Current => Versions[^1];

    /// <summary>How often it was rotated on demand.</summary>
    public int OnDemandCount => Versions.Count(v => v.RotationType == "ON_DEMAND") + (OnDemandStart is null ? 0 : 1);

    /// <summary>Turns rotation on, or changes its period.</summary>
    public void Enable(int days, DateTimeOffset now) => (RotationEnabled, PeriodInDays, NextRotation) = (true, days, now.AddDays(days));

    /// <summary>Turns rotation off.</summary>
    public void Disable() => RotationEnabled = false;

    /// <summary>Begins a rotation that is done some time later.</summary>
    public void RotateOnDemand(DateTimeOffset now, TimeSpan takes)
    {
        (OnDemandStart, _onDemandDone) = (now, now + takes);
        Settle(now);
    }

    /// <summary>Does what became due since the last look.</summary>
    public void Settle(DateTimeOffset now)
    {
        if (_onDemandDone is { } done && now >= done)
        {
            Versions.Add(New(done, "ON_DEMAND"));
            (OnDemandStart, _onDemandDone) = (null, null);
        }

        while (RotationEnabled && now >= NextRotation)
        {
            Versions.Add(New(NextRotation, "AUTOMATIC"));
            NextRotation = NextRotation.AddDays(PeriodInDays);
        }
    }

    private static MaterialVersion New(DateTimeOffset date, string type) => new(RandomNumberGenerator.GetBytes(32), date, type);
}
