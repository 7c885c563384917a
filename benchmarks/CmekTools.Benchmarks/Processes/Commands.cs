using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Engine.BreakGlass;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.State;
using CmekTools.Benchmarks.Survival;

namespace CmekTools.Benchmarks.Processes;

/// <summary>The commands that change something, by name, as a worker runs them.</summary>
internal static class Commands
{
    /// <summary>The variable that says after how many milliseconds a key policy that was written is looked at once more.</summary>
    public const string Settle = "CMEKTOOLS_BENCHMARK_SETTLE";

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    /// <summary>A cluster's life: each begins where those before it ended.</summary>
    public static IReadOnlyList<string> All { get; } =
        ["begin", "rewrap", "generation", "move", "region", "add-region", "revoke", "restore", "spare", "remove", "disable"];

    /// <summary>Those that a race is between.</summary>
    public static IReadOnlyList<string> Racing { get; } = ["grant", "revoke", "restore", "rewrap", Stranger.Command];

    /// <summary>Connects with what a sandbox says.</summary>
    /// <param name="variables">What it says, and <see cref="Settle"/>.</param>
    /// <param name="folder">The state folder.</param>
    /// <param name="time">The session's clock; null for the machine's.</param>
    public static SessionContext Connect(IReadOnlyDictionary<string, string> variables, string folder, TimeProvider? time = null)
    {
        Uri address = new(variables["ADDRESS"]);
        Timings timings = Timings.Sandbox with
        {
            StatusPoll = TimeSpan.FromMilliseconds(20),
            CutWatch = TimeSpan.FromMilliseconds(20),
        };
        if (variables.TryGetValue(Settle, out string? ms))
        {
            // Many processes on a busy machine answer late, and none of them is gone.
            timings = timings with
            {
                PolicySettle = TimeSpan.FromMilliseconds(int.Parse(ms, System.Globalization.CultureInfo.InvariantCulture)),
                KeyTry = TimeSpan.FromSeconds(30),
                KeyPatience = TimeSpan.FromMinutes(2),
                ServicePatience = TimeSpan.FromSeconds(30),
                CallLimit = TimeSpan.FromSeconds(60),
            };
        }

        return new SessionContext(
            new CloudApiClient(address, variables["COCKROACH_API_KEY"], timings),
            new CmekOrganization { Id = variables["ORGANIZATION"], Name = "Sandbox" },
            new ProviderOptions
            {
                AwsEndpoint = address,
                AwsCredentials = (variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]),
                GoogleKmsEndpoint = address,
                GoogleIamEndpoint = address,
                GoogleAccessToken = variables["GOOGLE_SANDBOX_ACCESS_TOKEN"],
                GoogleProject = variables["PROJECT"],
            },
            timings,
            new JournalWriter(folder),
            time);
    }

    /// <summary>Runs one.</summary>
    /// <param name="order">Which.</param>
    /// <param name="session">Where.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <param name="cutSeen">Is told whether the last word on all keys was that they are cut, also where something else failed.</param>
    /// <param name="listener">Hears what it says; null for nobody.</param>
    /// <param name="limit">How long a cluster is waited for; null for two minutes.</param>
    /// <returns>Keys and accesses that came out.</returns>
    /// <exception cref="CmekException">It failed, or a record of it did.</exception>
    public static async Task<Outcome> RunAsync(
        Order order,
        SessionContext session,
        CancellationToken cancellation,
        Action<bool>? cutSeen = null,
        ListeningHost? listener = null,
        TimeSpan? limit = null)
    {
        ListeningHost host = listener ?? new();
        Operation op = new(order.Command, session, host, cancellation);
        SwitchOptions wait = new(true, limit ?? s_limit, false);

        // A break-glass asks nobody which cluster is meant.
        CmekCluster cluster = order.Command == "revoke"
            ? new CmekCluster { Id = order.Cluster, Name = order.Cluster, Plan = "UNKNOWN", State = "UNKNOWN" }
            : await session.Cloud.GetClusterAsync(order.Cluster, cancellation).ConfigureAwait(false);
        IReadOnlyList<CmekAccess> accesses = [];
        IReadOnlyList<CmekAccess> given =
        [
            .. order.Accesses.Select(a => a with { ClusterName = cluster.Name, Provider = cluster.Provider }),
        ];
        KeyOptions rotating = new() { EnableRotation = true };
        switch (order.Command)
        {
            case "begin":
                await Keys.MakeAsync(cluster, [], false, false, rotating, op).ConfigureAwait(false);
                accesses = await GrantAsync().ConfigureAwait(false);
                await Enabling.EnableAsync(cluster, accesses, wait, op).ConfigureAwait(false);
                break;
            case "rewrap":
                await Updating.RewrapAsync(cluster, [], true, wait, op).ConfigureAwait(false);
                break;
            case "generation":
                await Keys.MakeAsync(cluster, [], false, true, rotating, op).ConfigureAwait(false);
                accesses = await GrantAsync().ConfigureAwait(false);
                break;
            case "move":
                await Updating.MoveAsync(cluster, given, false, false, wait, op).ConfigureAwait(false);
                break;
            case "region":
                await Keys.MakeAsync(cluster, [order.Key!], true, false, rotating, op).ConfigureAwait(false);
                accesses = await GrantAsync().ConfigureAwait(false);
                break;
            case "add-region":
                await AddingRegion.AddAsync(cluster, given, 3, wait, op).ConfigureAwait(false);
                break;
            case "revoke":
                await Revocation.RevokeAsync(
                    o => SubjectFinder.FindAsync([new ClusterRef(null, order.Cluster, null)], o),
                    new RevokeOptions { Unasked = true, Limit = wait.Limit },
                    op).ConfigureAwait(false);
                break;
            case "restore":
                await Restoration.RestoreAsync(
                    cluster,
                    null,
                    new RestoreOptions(null, true, wait.Limit) { AcceptChanges = true },
                    op).ConfigureAwait(false);
                break;
            case "spare":
                KeyOptions spare = cluster.Provider == CmekProvider.AWS
                    ? new KeyOptions { AliasName = cluster.Name + "-spare" }
                    : new KeyOptions { KeyName = cluster.Name + "-spare" };
                await Keys.MakeAsync(cluster, [cluster.Regions[0].Name], false, false, spare, op).ConfigureAwait(false);
                break;
            case "remove":
                await Removing.RemoveAsync(order.Key!, null, [], op).ConfigureAwait(false);
                break;
            case "disable":
                await Disabling.DisableAsync(cluster, wait, op).ConfigureAwait(false);
                break;
            case "grant":
                foreach (CmekAccess access in given)
                {
                    CmekKey key = await session.GetProvider(cluster.Provider).GetKeyAsync(access.KeyUri!, op).ConfigureAwait(false);
                    PrincipalOptions principal = cluster.Provider == CmekProvider.AWS
                        ? new PrincipalOptions { RoleName = order.Key }
                        : new PrincipalOptions { ServiceAccount = order.Key };
                    await Granting.GrantAsync(cluster, access.Region!, key, null, principal, op).ConfigureAwait(false);
                }

                break;
            case Stranger.Command:
                await Stranger.AddAsync(order.Accesses[0].KeyUri!, order.Key!, op).ConfigureAwait(false);
                break;
            default:
                throw new ArgumentException($"There is no command {order.Command}.", nameof(order));
        }

        bool cut = host.Output.OfType<CmekStep>().LastOrDefault()?.KeyCut == true;
        cutSeen?.Invoke(cut);
        return host.Errors.FirstOrDefault() is { } error
            ? throw error
            : new Outcome([.. host.Output.OfType<CmekKey>()], accesses, cut);

        async Task<IReadOnlyList<CmekAccess>> GrantAsync()
        {
            List<CmekAccess> granted = [];
            foreach (CmekKey key in host.Output.OfType<CmekKey>())
            {
                granted.Add(
                    await Granting.GrantAsync(cluster, key.Region!, key, null, new PrincipalOptions(), op).ConfigureAwait(false));
            }

            return granted;
        }
    }

    /// <summary>What came out of a command.</summary>
    /// <param name="Keys">Keys.</param>
    /// <param name="Accesses">Accesses that were granted.</param>
    /// <param name="Cut">A revocation said of all keys that they are cut.</param>
    internal sealed record Outcome(IReadOnlyList<CmekKey> Keys, IReadOnlyList<CmekAccess> Accesses, bool Cut);
}
