namespace CmekTools.Engine.State.Shared;

/// <summary>Where a shared state is: a folder, or a bucket with a prefix.</summary>
/// <param name="Kind">What kind of place.</param>
/// <param name="Root">The folder's full path, or the bucket.</param>
/// <param name="Prefix">Of a bucket: what every name begins with, without slashes at its ends; may be empty.</param>
/// <param name="Region">Of an S3 bucket: its region, where the address says it (<c>?region=</c>).</param>
internal sealed record SharedAddress(SharedKind Kind, string Root, string Prefix, string? Region)
{
    /// <summary>True for what is meant to be a bucket's address, well formed or not.</summary>
    public static bool IsUri(string text) => text.Contains("://", StringComparison.Ordinal);

    /// <summary>Takes an address apart.</summary>
    /// <param name="text"><c>s3://bucket/prefix</c>, <c>gs://bucket/prefix</c> or a folder's path.</param>
    /// <exception cref="CmekException"><c>SharedStateInvalid</c>.</exception>
    public static SharedAddress Parse(string text)
    {
        if (!IsUri(text))
        {
            return new SharedAddress(SharedKind.Folder, Path.GetFullPath(text), string.Empty, null);
        }

        SharedKind kind = text.StartsWith("s3://", StringComparison.Ordinal) ? SharedKind.S3
            : text.StartsWith("gs://", StringComparison.Ordinal) ? SharedKind.Gcs
            : throw Invalid(text, "its scheme is neither s3 nor gs");
        string rest = text[5..];
        string? region = null;
        if (kind == SharedKind.S3 && rest.IndexOf("?region=", StringComparison.Ordinal) is >= 0 and int query)
        {
            region = rest[(query + "?region=".Length)..];
            rest = rest[..query];
        }

        string[] parts = rest.Split('/', 2);
        string prefix = parts.Length == 2 ? parts[1].Trim('/') : string.Empty;
        if (parts[0].Length is < 3 or > 222
            || !parts[0].All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '.' or '_'))
        {
            throw Invalid(text, "it names no bucket");
        }

        if (prefix.Length > 500
            || !prefix.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' or '/' or '=')
            || prefix.Split('/').Any(p => p is "." or "..")
            || (
                region is not null
                    && (region.Length is 0 or > 32 || !region.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-'))))
        {
            throw Invalid(text, "a prefix has letters, digits, '-', '.', '_', '=' and slashes, and a region is written ?region=eu-west-1");
        }

        return new SharedAddress(kind, parts[0], prefix, region);
    }

    /// <summary>What CMEKTOOLS_SHARED says, or CMEKTOOLS_STATE where that is a bucket's address; null where neither does.</summary>
    public static string? OfEnvironment()
    {
        string? shared = Environment.GetEnvironmentVariable("CMEKTOOLS_SHARED");
        if (!string.IsNullOrWhiteSpace(shared))
        {
            return shared.Trim();
        }

        string? state = Environment.GetEnvironmentVariable("CMEKTOOLS_STATE")?.Trim();
        return !string.IsNullOrEmpty(state) && IsUri(state) ? state : null;
    }

    /// <inheritdoc/>
    public override string ToString() => Kind switch
    {
        SharedKind.S3 => $"s3://{Root}/{Prefix}".TrimEnd('/'),
        SharedKind.Gcs => $"gs://{Root}/{Prefix}".TrimEnd('/'),
        _ => Root,
    };

    private static CmekException Invalid(string text, string why) => new(
        "SharedStateInvalid",
        CmekErrorKind.InvalidArgument,
        $"'{text}' is no place for a shared state: {why}.",
        "Give a folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX.",
        text);
}

/// <summary>What kind of place.</summary>
internal enum SharedKind
{
    /// <summary>A folder.</summary>
    Folder,

    /// <summary>A bucket of Amazon S3.</summary>
    S3,

    /// <summary>A bucket of Google Cloud Storage.</summary>
    Gcs,
}
