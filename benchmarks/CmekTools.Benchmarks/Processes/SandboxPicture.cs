using System.Text.RegularExpressions;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Aws;
using CmekTools.Sandbox.Aws.Kms;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Sandbox.Gcp;

namespace CmekTools.Benchmarks.Processes;

/// <summary>
/// All that is in a sandbox as text, from its own state and not through the engine, so that two worlds can be compared: what is there
/// twice, and what is nobody's, is in it too. Ids and times are numbered as they come.
/// </summary>
internal static partial class SandboxPicture
{
    /// <summary>Takes it, while no request is being answered.</summary>
    public static string Take(SandboxServer server) => server.Exclusively(() =>
    {
        CloudCluster[] clusters = [.. server.Get<CloudApiService>().Store.All.OrderBy(c => c.Name, StringComparer.Ordinal)];

        // Keys have their numbers in the order of their names, which is the same in each world.
        string[] provider = [.. clusters.Any(c => c.Provider == "AWS") ? Aws(server) : Google(server.Get<GcpService>())];
        IEnumerable<string> regions = clusters.SelectMany(
            c => c.Regions.SelectMany(
                r => r.Keys.Select(k => $"{c.Name} {r.Name} {k.Status} {k.Spec.Uri} {k.Spec.Principal}")
                    .Prepend($"{c.Name} {r.Name} {r.Status}")));
        string[] all = Numbered(string.Join('\n', provider.Concat(regions))).Split('\n');
        return string.Join('\n', all.Take(provider.Length).Concat(all.Skip(provider.Length).Order(StringComparer.Ordinal)));
    });

    private static IEnumerable<string> Aws(SandboxServer server)
    {
        AwsWorld world = server.Get<AwsService>().World;
        foreach ((KmsKey key, string names) in world.Keys.Keys
            .Select(k => (k, string.Join(",", world.Keys.AliasesIn(k.AccountId, k.Region).Where(a => a.KeyId == k.Id).Select(a => a.Name))))
            .OrderBy(k => k.k.Region, StringComparer.Ordinal).ThenBy(k => k.Item2, StringComparer.Ordinal))
        {
            yield return $"{key.Region} {names} {key.State(world.Now)} on demand {key.Material.OnDemandCount} "
                + $"{string.Join(",", key.Tags.Select(t => t.Key + "=" + t.Value))} {key.Id} {key.Policy.Current.Show()}";
        }

        foreach (IamRole role in world.Roles(server.Options.AwsAccountId).OrderBy(r => r.Arn, StringComparer.Ordinal))
        {
            yield return $"{role.Arn} {role.Trust.Current.Show()}";
        }
    }

    private static IEnumerable<string> Google(GcpService google)
    {
        foreach (GcpKey key in google.Kms.Keys.OrderBy(k => k.Name, StringComparer.Ordinal))
        {
            yield return $"{key.Name} versions {string.Join(",", key.Versions.Select(v => v.State))} {Policy(google, key.Name)}";
        }

        foreach (GcpServiceAccount account in google.Accounts.All.OrderBy(a => a.Email, StringComparer.Ordinal))
        {
            yield return $"{account.Email} disabled {account.Disabled} {Policy(google, account.Name)}";
        }
    }

    private static string Policy(GcpService google, string resource) =>
        google.Policies.Get(resource)["bindings"]?.ToJsonString() ?? "nothing";

    private static string Numbered(string text)
    {
        Dictionary<string, int> seen = [];
        return Ids().Replace(Times().Replace(text, "TIME"), m =>
        {
            seen.TryAdd(m.Value, seen.Count);
            return "#" + seen[m.Value];
        });
    }

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)")]
    private static partial Regex Times();

    [GeneratedRegex(@"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32}|A(RO|ID)A[A-Z0-9]{10,}")]
    private static partial Regex Ids();
}
