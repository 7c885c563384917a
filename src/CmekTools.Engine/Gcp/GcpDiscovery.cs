using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;

namespace CmekTools.Engine.Gcp;

/// <summary>Finds keys by our labels, project by project and location by location. Sends no write.</summary>
internal sealed class GcpDiscovery(GcpClients clients)
{
    private const int Width = 16;

    public async Task DiscoverAsync(DiscoveryPlaces places, Operation op)
    {
        List<string> projects = places.Projects.Count > 0 ? [] : [clients.ProjectOf(null)];
        List<(string Project, CmekException Failure)> malformed = [];
        foreach (string given in places.Projects.Distinct(StringComparer.Ordinal))
        {
            try
            {
                projects.Add(GcpNames.RequireProject(given));
            }
            catch (CmekException e) when (places.Projects.Count > 1)
            {
                malformed.Add((given, e));
            }
        }

        if (projects.Count == 0)
        {
            throw malformed[0].Failure;
        }

        foreach ((string project, CmekException failure) in malformed)
        {
            await op.Host.ErrorAsync(DiscoveryPlaces.NotSearched(project, failure)).ConfigureAwait(false);
        }

        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        using SemaphoreSlim gate = new(Width);
        await Task.WhenAll(projects.Select(p => ProjectAsync(cloud, p, gate, op))).ConfigureAwait(false);
    }

    private static async Task ProjectAsync(IGoogleCloud cloud, string project, SemaphoreSlim gate, Operation op)
    {
        IReadOnlyList<JsonObject> locations = [];
        if (await InTimeAsync(
            $"the project {project}",
            async budget => locations = await cloud.ListLocationsAsync(project, budget.Token).ConfigureAwait(false),
            op).ConfigureAwait(false))
        {
            await Task.WhenAll(
                locations.Select(l => l["locationId"]?.ToString()).OfType<string>().Select(async location =>
                {
                    await gate.WaitAsync(op.Cancellation).ConfigureAwait(false);
                    try
                    {
                        string place = $"projects/{project}/locations/{location}";
                        await InTimeAsync(place, budget => LocationAsync(cloud, place, budget, op), op).ConfigureAwait(false);
                    }
                    finally
                    {
                        gate.Release();
                    }
                })).ConfigureAwait(false);
        }
    }

    // A location has its time anew with each answer: what it is not given is silence.
    private static async Task LocationAsync(IGoogleCloud cloud, string place, TimeBudget budget, Operation op)
    {
        IReadOnlyList<JsonObject> rings = await cloud.ListKeyRingsAsync(place, budget.Token).ConfigureAwait(false);
        foreach (JsonObject ring in rings)
        {
            budget.Renew();
            IReadOnlyList<JsonObject> keys = await cloud.ListKeysAsync(ring["name"]!.ToString(), budget.Token).ConfigureAwait(false);
            foreach (JsonObject key in keys.Where(k => k["labels"]?[GcpNames.ClusterLabel] is not null))
            {
                budget.Renew();
                await op.Host.OutputAsync(await FoundAsync(cloud, key, budget.Token).ConfigureAwait(false)).ConfigureAwait(false);
            }
        }
    }

    private static async Task<CmekKey> FoundAsync(IGoogleCloud cloud, JsonObject key, CancellationToken cancellation)
    {
        string name = key["name"]!.ToString();
        Task<IReadOnlyList<JsonObject>> versions = cloud.ListVersionsAsync(name, cancellation);
        Evidence<JsonObject> policy = await GcpEvidence.ReadAsync(
            cloud.GetKmsPolicyAsync(name, cancellation),
            "cloudkms.cryptoKeys.getIamPolicy",
            name)
            .ConfigureAwait(false);
        IReadOnlyList<JsonObject> seen = [];
        try
        {
            seen = await versions.ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.StatusCode == 403)
        {
            // The key's own answer has its primary version.
        }

        return GcpKeyReader.ToKey(GcpNames.ParseKey(name), key, seen) with { Discovered = true, AuthPrincipals = Accounts(policy.Value) };
    }

    // Whoever is bound to the key as a service account: one that a cluster acts as is among them, where it is let in on the key itself.
    private static IReadOnlyList<string> Accounts(JsonObject? policy) => policy is null
        ? []
        :
        [
            .. IamBindings.Bindings(policy).SelectMany(IamBindings.Members)
                .Select(IamMembers.EmailOf).OfType<string>()
                .Where(m => GcpNames.IsAccount(m) && !m.StartsWith("crl-kms-user-", StringComparison.Ordinal))
                .Distinct(StringComparer.Ordinal),
        ];

    private static async Task<bool> InTimeAsync(string place, Func<TimeBudget, Task> look, Operation op)
    {
        if (await TimeBudget.RunAsync(op, op.Timings.KeyTry, look).ConfigureAwait(false) is not { } failure)
        {
            return true;
        }

        await op.Host.ErrorAsync(DiscoveryPlaces.NotSearched(place, failure)).ConfigureAwait(false);
        return false;
    }
}
