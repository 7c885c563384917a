using Amazon.KeyManagementService.Model;
using Amazon.Runtime;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Finds keys by our tags, region by region, for whoever knows of none. Sends no write.</summary>
internal sealed class AwsDiscovery(AwsKeyReader reader)
{
    // Tags are read key by key, ten a second and more; a region of hundreds of keys must not take the whole pool.
    private const int Width = 8;

    public async Task DiscoverAsync(DiscoveryPlaces places, Operation op)
    {
        string[] regions = places.Regions.Count > 0
            ? [.. places.Regions.Distinct(StringComparer.Ordinal)]
            : await AllAsync(op).ConfigureAwait(false);
        Looked[] looked = await Task.WhenAll(regions.Select(r => RegionAsync(r, op))).ConfigureAwait(false);

        // A region that the account has not switched on knows none of its credentials; where they are good elsewhere, that is what it is.
        bool good = looked.Any(l => l.Failure is null);
        if (!good && looked.Select(l => l.Failure).OfType<CmekException>().FirstOrDefault(
            f => f.Kind == CmekErrorKind.AuthenticationError) is { } refused)
        {
            throw refused;
        }

        foreach (Looked region in looked.Where(l => l.Failure is not null))
        {
            if (good && places.Regions.Count == 0 && region.Failure is CmekServiceException { ErrorId: "AwsCredentialsRefused" })
            {
                await op.Host.VerboseAsync($"{region.Region}: the region is not switched on for the account.").ConfigureAwait(false);
                continue;
            }

            await op.Host.ErrorAsync(DiscoveryPlaces.NotSearched(region.Region, region.Failure!)).ConfigureAwait(false);
        }
    }

    // Those of the partition that the credentials are of.
    private static async Task<string[]> AllAsync(Operation op)
    {
        string home = FallbackRegionFactory.GetRegionEndpoint()?.SystemName ?? "us-east-1";
        string partition = AwsNames.Partition(home);
        await op.Host.VerboseAsync($"Looking in every region of the partition {partition}.").ConfigureAwait(false);
        return
        [
            .. AwsNames.SdkRegions
                .Where(r => AwsNames.IsRegion(r) && AwsNames.Partition(r) == partition && r.Count(c => c == '-') == 2),
        ];
    }

    private async Task<Looked> RegionAsync(string region, Operation op)
    {
        if (!AwsNames.IsRegion(region))
        {
            return new Looked(region, new CmekException(
                "RegionUnknown",
                CmekErrorKind.InvalidArgument,
                $"'{region}' has not the form of an AWS region.",
                "Give a region such as eu-west-1; `aws account list-regions` shows them.",
                region));
        }

        int hidden = 0;
        Exception? failure = await TimeBudget.RunAsync(
            op,
            op.Timings.KeyTry,
            async budget => hidden = await SearchAsync(region, budget, op).ConfigureAwait(false)).ConfigureAwait(false);
        if (hidden > 0)
        {
            await op.Host.WarningAsync(
                $"{region}: the tags of {hidden} keys could not be read; whether they are a cluster's is not known.")
                    .ConfigureAwait(false);
        }

        return new Looked(region, failure);
    }

    // A region has its time anew with each answer: what it is not given is silence. Returned is how many keys hide their tags.
    private async Task<int> SearchAsync(string region, TimeBudget budget, Operation op)
    {
        using SemaphoreSlim gate = new(Width);
        int hidden = 0;
        List<Task> looks = [];
        await foreach (IReadOnlyList<string> page in reader.ListAsync(region, budget.Token).ConfigureAwait(false))
        {
            budget.Renew();
            looks.AddRange(page.Select(KeyAsync));
        }

        await Task.WhenAll(looks).ConfigureAwait(false);
        return hidden;

        async Task KeyAsync(string arn)
        {
            await gate.WaitAsync(budget.Token).ConfigureAwait(false);
            try
            {
                IReadOnlyDictionary<string, string>? tags = await AwsEvidence.ReadOrNullAsync(
                    reader.TagsAsync(arn, region, budget.Token)).ConfigureAwait(false);
                budget.Renew();
                if (tags is null)
                {
                    Interlocked.Increment(ref hidden);
                }
                else if (tags.ContainsKey(AwsNames.ClusterIdTag) && AwsNames.TryParseKey(arn) is { } key)
                {
                    await op.Host.OutputAsync(await FoundAsync(key, tags, budget.Token).ConfigureAwait(false)).ConfigureAwait(false);
                }
            }
            finally
            {
                gate.Release();
            }
        }
    }

    private async Task<CmekKey> FoundAsync(KeyArn key, IReadOnlyDictionary<string, string> tags, CancellationToken cancellation)
    {
        Task<KeyMetadata> described = reader.DescribeAsync(key.Text, key.Region, cancellation);
        Task<Evidence<PolicyDocument>> policy = AwsEvidence.TryReadAsync(reader.PolicyAsync(key, cancellation));
        CmekKey found = AwsKeyReader.ToKey(await described.ConfigureAwait(false), tags, null, null);
        PolicyDocument? document = (await policy.ConfigureAwait(false)).Value;
        return found with { Discovered = true, AuthPrincipals = document is null ? [] : OurStatements.Roles(document) };
    }

    private sealed record Looked(string Region, Exception? Failure);
}
