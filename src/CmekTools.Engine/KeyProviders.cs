using CmekTools.Engine.Access;

namespace CmekTools.Engine;

/// <summary>The one place that knows which clouds there are.</summary>
internal static class KeyProviders
{
    /// <summary>Makes the provider of a cloud.</summary>
    /// <exception cref="CmekException">There is none for it (<c>ProviderNotSupported</c>).</exception>
    public static IKeyProvider Create(CmekProvider provider, SessionContext session) => provider switch
    {
        CmekProvider.AWS => new Aws.AwsKeyProvider(session),
        CmekProvider.GCP => new Gcp.GcpKeyProvider(session),
        _ => throw new CmekException(
            "ProviderNotSupported",
            CmekErrorKind.InvalidOperation,
            $"CmekTools does not manage keys and access on {provider} yet.",
            "Make the key and grant access with the provider's own tools; Get-CmekStatus and Enable-CmekCluster -ManifestPath "
                + "work for such clusters.",
            provider),
    };

    /// <summary>The cloud of a key's URI, told by its form alone.</summary>
    /// <exception cref="CmekException"><c>KeyUriInvalid</c>.</exception>
    public static CmekProvider FromKeyUri(string keyUri) => keyUri switch
    {
        _ when keyUri.StartsWith("arn:", StringComparison.OrdinalIgnoreCase) => CmekProvider.AWS,
        _ when keyUri.StartsWith("projects/", StringComparison.OrdinalIgnoreCase) => CmekProvider.GCP,
        _ when keyUri.StartsWith("//cloudkms.googleapis.com/", StringComparison.OrdinalIgnoreCase) => CmekProvider.GCP,
        _ when keyUri.StartsWith("https://", StringComparison.OrdinalIgnoreCase)
            && keyUri.Contains(".vault.", StringComparison.OrdinalIgnoreCase) => CmekProvider.AZURE,
        _ => throw new CmekException(
            "KeyUriInvalid",
            CmekErrorKind.InvalidArgument,
            $"'{keyUri}' is not a key's URI.",
            "Give the key's ARN (arn:aws:kms:us-east-1:111122223333:key/…; an alias or a bare key id will not do), or its resource name "
                + "(projects/P/locations/L/keyRings/R/cryptoKeys/K).",
            keyUri),
    };
}
