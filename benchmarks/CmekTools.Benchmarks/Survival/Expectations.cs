using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Aws;
using CmekTools.Sandbox.Aws.Kms;
using CmekTools.Sandbox.Aws.Policies;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Sandbox.Gcp;

namespace CmekTools.Benchmarks.Survival;

/// <summary>What must be so, read from the sandbox's own state and not through the engine.</summary>
internal sealed class Expectations
{
    private const string StrangerSid = "SomebodyElse";
    private const string Stranger = "user:stranger@example.com";
    private const string ForeignAlias = "alias/not-of-cmektools";

    private readonly SandboxServer _server;
    private readonly LifeOptions _options;
    private readonly Dictionary<string, Stage> _stages = [];
    private readonly List<string> _strangersKeys = [];
    private readonly string _foreign;

    private Expectations(SandboxServer server, LifeOptions options)
    {
        _server = server;
        _options = options;
        DateTimeOffset now = server.Options.Clock.GetUtcNow();
        if (IsAws)
        {
            World.Keys.Add(
                new KmsKey(
                    server.Options.AwsAccountId,
                    options.RegionNames[0],
                    "00000000-1111-2222-3333-444444444444",
                    now,
                    new KmsMaterial(now),
                    KeyPolicy()) { Description = "foreign" });
            World.Keys.Put(
                new KmsAlias(
                    server.Options.AwsAccountId,
                    options.RegionNames[0],
                    ForeignAlias,
                    "00000000-1111-2222-3333-444444444444",
                    now,
                    now));
            World.Add(new IamRole(server.Options.AwsAccountId, "/", "not-of-cmektools", StoredPolicy.Resource(
                """{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}""",
                PolicyKind.Trust,
                p => p),
                now));
        }
        else
        {
            Google.Policies.Put(
                ProjectName,
                AddBinding(Google.Policies.Get(ProjectName), "roles/viewer", Stranger),
                DateTimeOffset.MinValue);
        }

        _foreign = Foreign();
    }

    private bool IsAws => _options.Provider == "AWS";

    private AwsWorld World => _server.Get<AwsService>().World;

    private GcpService Google => _server.Get<GcpService>();

    private CloudApiService Cloud => _server.Get<CloudApiService>();

    private string ProjectName => "projects/" + _server.Options.GoogleProject;

    /// <summary>Puts what is somebody else's into an empty world.</summary>
    public static Expectations Begin(SandboxServer server, LifeOptions options) =>
        server.Exclusively(() => new Expectations(server, options));

    /// <summary>Somebody else adds a rule of his own to the policies of keys.</summary>
    public void AddStranger(IEnumerable<string> keys) => _server.Exclusively(() =>
    {
        foreach (string uri in keys)
        {
            _strangersKeys.Add(uri);
            if (IsAws)
            {
                KmsKey key = World.Keys.Find(uri)!;
                JsonObject policy = JsonNode.Parse(key.Policy.Current.Show())!.AsObject();
                policy["Statement"]!.AsArray().Add(JsonNode.Parse($$$"""
                    {"Sid":"{{{StrangerSid}}}","Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:DescribeKey","Resource":"*",
                    "Condition":{"Bool":{"aws:SecureTransport":"true"} } }
                    """));
                key.Policy.Set(StoredPolicy.Resource(policy.ToJsonString(), PolicyKind.Key, p => p), DateTimeOffset.MinValue);
            }
            else
            {
                Google.Policies.Put(uri, AddBinding(Google.Policies.Get(uri), "roles/cloudkms.viewer", Stranger), DateTimeOffset.MinValue);
            }
        }

        return true;
    });

    /// <summary>From now on these accesses must work, and the cluster must be ENABLED with them.</summary>
    public void Enabled(string cluster, IReadOnlyList<CmekAccess> accesses) => _stages[cluster] = new Stage(Place.Enabled, accesses);

    /// <summary>From now on none of the cluster's accesses may work.</summary>
    public void Revoked(string cluster) => _stages[cluster] = _stages[cluster] with { Place = Place.Revoked };

    /// <summary>The life is over.</summary>
    public void Disabled(string cluster) => _stages[cluster] = _stages[cluster] with { Place = Place.Disabled };

    /// <summary>What is not as it should be. Under the server's lock.</summary>
    public IEnumerable<string> Violations()
    {
        if (Foreign() != _foreign)
        {
            yield return $"what is somebody else's has changed:\n{_foreign}\nnow\n{Foreign()}";
        }

        foreach ((string cluster, Stage stage) in _stages)
        {
            CloudCluster seen = Cloud.Store.All.First(c => c.Id == cluster);
            foreach (string what in (IsAws ? Aws(seen, stage) : Gcp(seen, stage)).Concat(States(seen, stage)))
            {
                yield return $"{seen.Name} ({stage.Place}): {what}";
            }
        }
    }

    private IEnumerable<string> States(CloudCluster cluster, Stage stage)
    {
        foreach (CloudRegion region in cluster.Regions)
        {
            string wanted = stage.Place switch { Place.Enabled => "ENABLED", Place.Revoked => "REVOKED", _ => "DISABLED" };
            if (region.Status.ToString() != wanted)
            {
                yield return $"{region.Name} is {region.Status}, not {wanted}";
            }

            if (region.Keys.GroupBy(k => k.Spec.Uri).FirstOrDefault(g => g.Count() > 1) is { } twice)
            {
                yield return $"{region.Name} lists {twice.Key} twice";
            }
        }

        IClusterKeyService service = IsAws ? _server.Get<AwsService>() : Google;
        foreach (CmekAccess access in stage.Accesses)
        {
            string? refusal = service.TryUse(
                new ClusterIdentity(cluster.Id, cluster.AccountId, _server.Options.OrganizationId),
                access.KeyUri!,
                access.AuthPrincipal!);
            if (stage.Place == Place.Revoked ? refusal is null : refusal is not null)
            {
                yield return $"{access.KeyUri} {(refusal is null ? "can be used" : "cannot be used: " + refusal)}";
            }
        }
    }

    private IEnumerable<string> Aws(CloudCluster cluster, Stage stage)
    {
        KmsKey[] keys = [.. World.Keys.Keys.Where(k => k.Tags.GetValueOrDefault("cmektools:cluster-id") == cluster.Id)];
        foreach (CloudRegion region in cluster.Regions)
        {
            KmsKey[] here = [.. keys.Where(k => k.Region == region.Name)];
            int wanted = Wanted(region.Name, stage);
            if (here.Length != wanted)
            {
                yield return $"{here.Length} keys in {region.Name}, not {wanted}: {string.Join(", ", here.Select(k => k.Id))}";
            }

            int rotations = here.Sum(k => k.Material.OnDemandCount);
            if (rotations != (IsFirst(region.Name) ? 1 : 0))
            {
                yield return $"{rotations} rotations on demand in {region.Name}";
            }
        }

        foreach (KmsKey key in keys)
        {
            int aliases = World.Keys.AliasesIn(key.AccountId, key.Region).Count(a => a.KeyId == key.Id);
            if (aliases != 1)
            {
                yield return $"{key.Arn} has {aliases} aliases";
            }

            JsonArray statements = JsonNode.Parse(key.Policy.Current.Show())!["Statement"]!.AsArray();
            string[] texts = [.. statements.Select(s => s!.ToJsonString())];
            string[] sids = [.. statements.Select(s => s!["Sid"]?.ToString()).OfType<string>()];
            if (texts.Distinct().Count() != texts.Length || sids.Distinct().Count() != sids.Length)
            {
                yield return $"{key.Arn} has a statement twice: {string.Join(" ", texts)}";
            }

            if (sids.Count(s => s == StrangerSid) != _strangersKeys.Count(k => k == key.Arn))
            {
                yield return $"{key.Arn} has lost or doubled somebody else's statement: {string.Join(" ", texts)}";
            }
        }

        int roles = World.Roles(_server.Options.AwsAccountId).Count(r => r.Tags.GetValueOrDefault("cmektools:cluster-id") == cluster.Id);
        if (roles != 1)
        {
            yield return $"{roles} roles";
        }
    }

    private IEnumerable<string> Gcp(CloudCluster cluster, Stage stage)
    {
        GcpKey[] keys =
        [
            .. Google.Kms.Keys.Where(k => k.ToJson()["labels"]?.AsObject().Any(l => l.Value?.ToString() == cluster.Id) == true),
        ];
        int wanted = cluster.Regions.Sum(r => Wanted(r.Name, stage));
        if (keys.Length != wanted)
        {
            yield return $"{keys.Length} keys, not {wanted}: {string.Join(", ", keys.Select(k => k.Name))}";
        }

        int versions = keys.Sum(k => k.Versions.Count);
        if (versions != wanted + _options.Regions)
        {
            yield return $"{versions} versions, not {wanted + _options.Regions}: "
                + $"{string.Join(", ", keys.SelectMany(k => k.Versions).Select(v => v.Name))}";
        }

        foreach (GcpKey key in keys)
        {
            foreach (string what in Bindings(key.Name, _strangersKeys.Count(k => k == key.Name)))
            {
                yield return what;
            }
        }

        string[] principals = [.. stage.Accesses.Select(a => a.AuthPrincipal!).Distinct()];
        GcpServiceAccount[] accounts = [.. Google.Accounts.All.Where(a => principals.Contains(a.Email))];
        if (principals.Length != 1 || accounts.Length != 1 || accounts[0].Disabled)
        {
            yield return $"the accounts {string.Join(", ", principals)}: {accounts.Length} there";
        }

        foreach (string what in accounts.SelectMany(a => Bindings(a.Name, 0)))
        {
            yield return what;
        }
    }

    private IEnumerable<string> Bindings(string resource, int strangers)
    {
        (string Role, string Condition, string Member)[] all =
        [
            .. (Google.Policies.Get(resource)["bindings"] as JsonArray ?? []).OfType<JsonObject>().SelectMany(
                b => b["members"]!.AsArray().Select(
                    m => (b["role"]!.ToString(), b["condition"]?.ToJsonString() ?? string.Empty, m!.ToString()))),
        ];
        if (all.Distinct().Count() != all.Length)
        {
            yield return $"{resource} has a member twice: {Google.Policies.Get(resource).ToJsonString()}";
        }

        if (all.Count(b => b.Member == Stranger) != strangers)
        {
            yield return $"{resource} has lost or doubled somebody else's binding: {Google.Policies.Get(resource).ToJsonString()}";
        }
    }

    // One of each generation in the first regions, and at the end the spare one that was removed.
    private int Wanted(string region, Stage stage) =>
        (IsFirst(region) ? 2 : 1) + (stage.Place == Place.Disabled && region == _options.RegionNames[0] ? 1 : 0);

    private bool IsFirst(string region) => Array.IndexOf(_options.RegionNames, region) < _options.Regions;

    private string Foreign()
    {
        if (!IsAws)
        {
            return Google.Policies.Get(ProjectName).ToJsonString() + string.Join(
                ",",
                Google.Accounts.All.Select(a => a.Email).Where(e => !e.StartsWith("cmek", StringComparison.Ordinal)));
        }

        KmsKey[] keys = [.. World.Keys.Keys.Where(k => !k.Tags.ContainsKey("cmektools:cluster-id"))];
        IamRole[] roles = [.. World.Roles(_server.Options.AwsAccountId).Where(r => !r.Tags.ContainsKey("cmektools:cluster-id"))];
        return string.Join(
            '\n',
            keys.Select(
                k => $"{k.Arn} {k.IsEnabled} {k.DeletionDate} {k.Policy.Current.Show()} {k.Material.Versions.Count} "
                    + $"{string.Join(",", World.Keys.AliasesIn(k.AccountId, k.Region).Where(a => a.KeyId == k.Id).Select(a => a.Name))}"))
            + string.Join('\n', roles.Select(r => $"{r.Arn} {r.Trust.Current.Show()} {r.Inline.Count}"));
    }

    private static StoredPolicy KeyPolicy() => StoredPolicy.Resource(
        """{"Version":"2012-10-17","Statement":[{"Sid":"x","Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*"}]}""",
        PolicyKind.Key,
        p => p);

    private static JsonObject AddBinding(JsonObject policy, string role, string member)
    {
        JsonObject copy = policy.DeepClone().AsObject();
        if (copy["bindings"] is not JsonArray bindings)
        {
            copy["bindings"] = bindings = [];
        }

        bindings.Add(new JsonObject { ["role"] = role, ["members"] = new JsonArray(member) });
        return copy;
    }

    private enum Place
    {
        Enabled,
        Revoked,
        Disabled,
    }

    private sealed record Stage(Place Place, IReadOnlyList<CmekAccess> Accesses);
}
