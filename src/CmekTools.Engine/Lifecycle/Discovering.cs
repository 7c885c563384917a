using CmekTools.Engine.Access;

namespace CmekTools.Engine.Lifecycle;

/// <summary>Finds keys by their marks at the providers, without the service and without anything that was seen before.</summary>
internal static class Discovering
{
    /// <summary>Looks in each cloud beside the other; what cannot be looked at is told, and is no reason to stop.</summary>
    /// <param name="places">Where; nothing: in every cloud that there are credentials for.</param>
    /// <param name="op">The run.</param>
    public static async Task DiscoverAsync(DiscoveryPlaces places, Operation op)
    {
        CmekProvider[] clouds = (places.Regions.Count, places.Projects.Count) switch
        {
            ( > 0, 0) => [CmekProvider.AWS],
            (0, > 0) => [CmekProvider.GCP],
            _ => [CmekProvider.AWS, CmekProvider.GCP],
        };
        bool named = places.Regions.Count + places.Projects.Count > 0;
        CmekException?[] failures = await Task.WhenAll(clouds.Select(c => TryAsync(c, places, op))).ConfigureAwait(false);
        bool nowhere = failures.All(f => f is not null);
        foreach ((CmekException? failure, CmekProvider cloud) in failures.Zip(clouds))
        {
            if (failure is null)
            {
                continue;
            }

            bool none = failure.ErrorId == "ProjectMissing" || failure.Kind == CmekErrorKind.AuthenticationError;
            if (none && !named && !nowhere)
            {
                // Whoever has no keys there knows it; whoever has some must not take the others for all.
                bool aws = cloud == CmekProvider.AWS;
                await op.Host.WarningAsync(
                    $"{(aws ? "AWS" : "Google Cloud")} was not looked at, so keys there are missing here: {failure.Message} Where there "
                        + $"are none, {(aws ? "-Project" : "-Region")} leaves it out.").ConfigureAwait(false);
            }
            else
            {
                await op.Host.ErrorAsync(failure).ConfigureAwait(false);
            }
        }
    }

    private static async Task<CmekException?> TryAsync(CmekProvider cloud, DiscoveryPlaces places, Operation op)
    {
        try
        {
            await op.Session.GetProvider(cloud).DiscoverAsync(places, op).ConfigureAwait(false);
            return null;
        }
        catch (CmekException e)
        {
            return e;
        }
    }
}
