namespace CmekTools;

/// <summary>New material of a key, as it was seen at the provider.</summary>
public sealed record CmekKeyRotation
{
    /// <summary>The key; its URI stays the same.</summary>
    public required string KeyUri { get; init; }

    /// <summary>
    /// The version before: a number on Google Cloud, the time of the rotation before on AWS (and how many there were in that second,
    /// where it was more than one); null where there was none or it could
    /// not be seen.
    /// </summary>
    public string? Before { get; init; }

    /// <summary>The version now; null where it could not be seen.</summary>
    public string? After { get; init; }

    /// <summary>When it was seen.</summary>
    public DateTimeOffset At { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{KeyUri}: {Before ?? "first version"} -> {After ?? "not seen"}";
}
