namespace CmekTools.Engine.Clusters;

/// <summary>A key that somebody gave with its principal, of a cluster that is not looked for.</summary>
internal static class UnlistedAccess
{
    /// <summary>Makes it.</summary>
    /// <exception cref="CmekException"><c>KeyUriInvalid</c>.</exception>
    public static CmekAccess Of(string keyUri, string principal, string? region = null)
    {
        string uri = keyUri.Trim();
        return new CmekAccess
        {
            ClusterId = Guid.Empty.ToString(),
            Provider = KeyProviders.FromKeyUri(uri),
            Region = region ?? RegionOf(uri),
            KeyUri = uri,
            AuthPrincipal = principal.Trim(),
        };
    }

    // The place in the key's own name: it only says where to look.
    private static string RegionOf(string uri)
    {
        string[] parts = uri.StartsWith("arn:", StringComparison.OrdinalIgnoreCase) ? uri.Split(':') : uri.Split('/');
        int at = uri.StartsWith("arn:", StringComparison.OrdinalIgnoreCase) ? 3 : Array.IndexOf(parts, "locations") + 1;
        return at > 0 && at < parts.Length && parts[at].Length > 0 ? parts[at] : "unknown";
    }
}
