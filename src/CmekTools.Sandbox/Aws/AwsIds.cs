using System.Security.Cryptography;

namespace CmekTools.Sandbox.Aws;

/// <summary>Ids of the shapes that AWS gives out.</summary>
internal static class AwsIds
{
    private const string Base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    /// <summary>A unique id with AWS's four-letter prefix: AKIA, ASIA, AIDA or AROA.</summary>
    public static string Unique(string prefix) => prefix + RandomNumberGenerator.GetString(Base32, 21 - prefix.Length);

    /// <summary>The id of an access key; one letter shorter than other unique ids.</summary>
    public static string AccessKey(string prefix) => prefix + RandomNumberGenerator.GetString(Base32, 20 - prefix.Length);

    /// <summary>A secret or a token.</summary>
    public static string Secret(int bytes) => Convert.ToBase64String(RandomNumberGenerator.GetBytes(bytes));

    /// <summary>The ARN of an account itself.</summary>
    public static string Root(string account) => $"arn:aws:iam::{account}:root";

    /// <summary>True for the twelve digits of an account.</summary>
    public static bool IsAccount(string text) => text.Length == 12 && text.All(char.IsAsciiDigit);
}
