using CmekTools.Engine.State.Shared;

namespace CmekTools.Engine;

/// <summary>
/// The one place that knows which kinds of shared places there are. Nothing is asked and no credentials are looked for before the
/// first use.
/// </summary>
internal static class SharedPlaces
{
    /// <summary>Makes the place of an address.</summary>
    /// <param name="address">The address.</param>
    /// <param name="options">Where the providers' services are and who is calling.</param>
    /// <param name="timings">How long things take.</param>
    public static ISharedPlace Create(SharedAddress address, ProviderOptions options, Timings timings) => address.Kind switch
    {
        SharedKind.Folder => new FolderPlace(address.Root),
        SharedKind.S3 => new Aws.S3Place(
            address,
            () => new Aws.AwsClients(options, timings, TimeProvider.System).S3(address.Region, timings.SharedLimit)),
        _ => new Gcp.GcsPlace(address, cancellation => Gcp.GoogleCloud.StorageAsync(options, cancellation)),
    };
}
