using System.Security.Cryptography;
using System.Text;

namespace CmekTools.Sandbox.Aws.S3;

/// <summary>The buckets and what is in them. Each object has one version at a time, told by its ETag.</summary>
internal sealed class S3Store
{
    /// <summary>The bucket that every sandbox has.</summary>
    public const string Standard = "cmek-state";

    /// <summary>The buckets.</summary>
    public Dictionary<string, SortedDictionary<string, S3Item>> Buckets { get; } = new(StringComparer.Ordinal)
    {
        [Standard] = new(StringComparer.Ordinal),
    };

    /// <summary>Puts an object, whatever is there.</summary>
    public S3Item Put(string bucket, string key, string text, DateTimeOffset now)
    {
        // As S3 makes it of an object that was sent in one piece.
#pragma warning disable CA5351
        string tag = $"\"{Convert.ToHexString(MD5.HashData(Encoding.UTF8.GetBytes(text))).ToLowerInvariant()}\"";
#pragma warning restore CA5351
        return Buckets[bucket][key] = new S3Item(text, tag, now);
    }
}

/// <summary>One object.</summary>
/// <param name="Text">Its content.</param>
/// <param name="Tag">Its ETag.</param>
/// <param name="Modified">When it was written.</param>
internal sealed record S3Item(string Text, string Tag, DateTimeOffset Modified);
