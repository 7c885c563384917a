namespace CmekTools.Engine.Aws;

/// <summary>When the caller's credentials end.</summary>
/// <param name="Temporary">True where they end at all.</param>
/// <param name="At">When; null where they do not say.</param>
/// <param name="Renewed">True where the SDK gets new ones by itself.</param>
internal sealed record AwsCredentialEnd(bool Temporary, DateTimeOffset? At, bool Renewed);
