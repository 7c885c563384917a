namespace CmekTools.Sandbox.CloudApi;

/// <summary>The regions that the clouds have: one that is spelt wrong is none. Of Azure the form has to do.</summary>
internal static class KnownRegions
{
    private static readonly HashSet<string> s_aws = Set(
        """
        us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 ca-west-1 mx-central-1 sa-east-1
        eu-west-1 eu-west-2 eu-west-3 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2
        ap-east-1 ap-east-2 ap-south-1 ap-south-2 ap-northeast-1 ap-northeast-2 ap-northeast-3
        ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7
        me-south-1 me-central-1 me-west-1 sa-west-1 il-central-1 af-south-1 us-gov-east-1 us-gov-west-1 cn-north-1 cn-northwest-1
        eusc-de-east-1 us-iso-east-1 us-iso-west-1 us-isob-east-1 us-isob-west-1 us-isof-east-1 us-isof-south-1 eu-isoe-west-1
        """);

    private static readonly HashSet<string> s_gcp = Set(
        """
        us-central1 us-east1 us-east4 us-east5 us-south1 us-west1 us-west2 us-west3 us-west4
        northamerica-northeast1 northamerica-northeast2 northamerica-south1 southamerica-east1 southamerica-west1
        europe-central2 europe-north1 europe-north2 europe-southwest1 europe-west1 europe-west2 europe-west3 europe-west4
        europe-west6 europe-west8 europe-west9 europe-west10 europe-west12
        asia-east1 asia-east2 asia-northeast1 asia-northeast2 asia-northeast3 asia-south1 asia-south2 asia-southeast1 asia-southeast2
        australia-southeast1 australia-southeast2 me-central1 me-central2 me-west1 africa-south1
        """);

    /// <summary>True where the cloud has it.</summary>
    public static bool Has(string provider, string region) => provider switch
    {
        "AWS" => s_aws.Contains(region),
        "GCP" => s_gcp.Contains(region),
        _ => region.Length > 0 && region.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c)),
    };

    private static HashSet<string> Set(string names) =>
        new(names.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries), StringComparer.Ordinal);
}
