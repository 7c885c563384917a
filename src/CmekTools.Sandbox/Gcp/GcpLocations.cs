namespace CmekTools.Sandbox.Gcp;

/// <summary>Where Cloud KMS is. A list and not a pattern: a misspelt region has to fail here as it does at Google.</summary>
internal static class GcpLocations
{
    public static IReadOnlyList<string> All { get; } =
    [
        .. "global us europe asia asia1 ca eur3 eur4 eur5 eur6 nam3 nam4 nam6 nam7 nam8 nam9 nam10 nam11 nam12".Split(' '),
        .. "africa-south1 asia-east1 asia-east2 asia-northeast1 asia-northeast2 asia-northeast3 asia-south1 asia-south2".Split(' '),
        .. "asia-southeast1 asia-southeast2 australia-southeast1 australia-southeast2 me-central1 me-central2 me-west1".Split(' '),
        .. "europe-central2 europe-north1 europe-north2 europe-southwest1 europe-west1 europe-west2 europe-west3 europe-west4".Split(' '),
        .. "europe-west6 europe-west8 europe-west9 europe-west10 europe-west12 northamerica-northeast1 northamerica-northeast2".Split(' '),
        .. "northamerica-south1 southamerica-east1 southamerica-west1 us-central1 us-east1 us-east4 us-east5 us-south1".Split(' '),
        .. "us-west1 us-west2 us-west3 us-west4".Split(' '),
    ];

    public static void Require(string location)
    {
        if (!All.Contains(location))
        {
            throw GcpErrorException.Missing(
                $"The request concerns location '{location}' but was sent to location 'global'. Either Cloud KMS is not available in "
                    + $"'{location}' or the request was misrouted.");
        }
    }
}
