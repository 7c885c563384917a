using System.Text;
using System.Text.RegularExpressions;

namespace CmekTools.Engine;

/// <summary>
/// Keys of a KMS that seals come from. Such a key makes MACs (AWS KMS: HMAC_256; Cloud KMS: a version with the purpose MAC, HMAC_SHA256)
/// and never leaves the KMS; the MAC of one fixed text is the secret that documents are sealed with, the same for everybody whom the
/// key's policy lets ask for it. It is asked for once, when a connection is made, so that nothing waits for a KMS later.
/// </summary>
internal static partial class SealKeys
{
    /// <summary>The text whose MAC is the secret.</summary>
    public static byte[] Text { get; } = Encoding.ASCII.GetBytes("cmektools/seal/1");

    /// <summary>Refuses what names no key.</summary>
    /// <exception cref="CmekException"><c>SealKeyInvalid</c>.</exception>
    public static void Require(string key)
    {
        if (!IsAws(key) && !GcpVersion().IsMatch(key))
        {
            throw new CmekException(
                "SealKeyInvalid",
                CmekErrorKind.InvalidArgument,
                $"'{key}' names no key that seals come from.",
                "Give the ARN of an AWS KMS key of the kind HMAC_256 (arn:aws:kms:REGION:ACCOUNT:key/ID), or the version of a Cloud KMS "
                    + "key with the purpose MAC (projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/1).",
                key);
        }
    }

    /// <summary>Asks for the secret. What goes wrong is told and not thrown: a break-glass needs no seal of others.</summary>
    /// <param name="key">The key, well formed.</param>
    /// <param name="options">Where the providers' services are and who is calling.</param>
    /// <param name="timings">How long things take; <see cref="Timings.SharedLimit"/> is the longest that is waited.</param>
    /// <param name="cancellation">Ends it.</param>
    public static async Task<SealKeyAnswer> AskAsync(
        string key,
        ProviderOptions options,
        Timings timings,
        CancellationToken cancellation)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(timings.SharedLimit);
        try
        {
            // Off this thread: the search for credentials may not listen to its token.
            byte[] secret = await Task.Run(
                () => IsAws(key)
                    ? Aws.AwsMac.OfAsync(key, Text, options, timings, limit.Token)
                    : Gcp.GoogleCloud.MacAsync(key, Text, options, limit.Token),
                CancellationToken.None).WaitAsync(limit.Token).ConfigureAwait(false);
            return secret.Length == State.SealSecret.Size
                ? new SealKeyAnswer(secret, null)
                : new SealKeyAnswer(null, $"its MACs have {secret.Length} bytes: HMAC with SHA-256 has {State.SealSecret.Size}.");
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new SealKeyAnswer(null, $"it did not answer in {timings.SharedLimit.TotalSeconds:0.#} s.");
        }
        catch (Exception e) when (e is CmekException or FormatException)
        {
            return new SealKeyAnswer(null, e.Message);
        }
    }

    private static bool IsAws(string key) => AwsKey().IsMatch(key);

    [GeneratedRegex(@"^arn:aws[a-z-]*:kms:[a-z0-9-]{1,32}:[0-9]{12}:key/[A-Za-z0-9-]{1,64}\z", RegexOptions.CultureInvariant)]
    private static partial Regex AwsKey();

    [GeneratedRegex(
        @"^projects/[a-z0-9:.-]{1,63}/locations/[a-z0-9-]{1,63}/keyRings/[\w-]{1,63}/cryptoKeys/[\w-]{1,63}/cryptoKeyVersions/[0-9]{1,9}\z",
        RegexOptions.CultureInvariant | RegexOptions.ECMAScript)]
    private static partial Regex GcpVersion();
}

/// <summary>What a KMS said when it was asked for a seal's secret.</summary>
/// <param name="Secret">The secret; null where there is none.</param>
/// <param name="Why">Why there is none; null where there is one.</param>
internal sealed record SealKeyAnswer(byte[]? Secret, string? Why);
