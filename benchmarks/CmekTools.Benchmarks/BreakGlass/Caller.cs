using CmekTools.Benchmarks.Survival;
using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Engine.BreakGlass;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.Lifecycle;

namespace CmekTools.Benchmarks.BreakGlass;

/// <summary>A session as Connect-CmekCloud makes it, with the real services' patience, and the commands that are measured.</summary>
internal sealed class Caller : IOperationHost, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cmek-reach-").FullName;
    private readonly ListeningHost _quiet = new();
    private SessionContext _session = null!;

    /// <summary>When the one question was answered.</summary>
    public DateTimeOffset EnteredAt { get; private set; }

    /// <inheritdoc/>
    public bool WhatIf => false;

    /// <summary>Connects.</summary>
    public static async Task<Caller> ConnectAsync(OtherProcess other)
    {
        Caller caller = new();
        Uri address = new((string)other.Variables["ADDRESS"]!);
        caller._session = await Connecting.ConnectAsync(
            new ConnectOptions
            {
                Server = address,
                ApiKey = (string)other.Variables["COCKROACH_API_KEY"]!,
                Timings = new Timings { StatusPoll = TimeSpan.FromSeconds(1), CutWatch = TimeSpan.FromSeconds(3) },
                IsSandbox = true,
                RequestsPerSecond = 0,
                StateFolder = caller._folder,
                Providers = new ProviderOptions
                {
                    AwsEndpoint = address,
                    AwsCredentials = ((string)other.Variables["AWS_ACCESS_KEY_ID"]!, (string)other.Variables["AWS_SECRET_ACCESS_KEY"]!),
                },
            },
            CancellationToken.None).ConfigureAwait(false);
        return caller;
    }

    /// <summary>Takes every cluster to ENABLED, where it is not; the keys in use.</summary>
    public async Task<string[]> EnableAsync()
    {
        List<CmekCluster> clusters = [];
        await foreach (CmekCluster cluster in ClusterListing.ListAsync(_session, CancellationToken.None).ConfigureAwait(false))
        {
            clusters.Add(cluster);
        }

        string[][] keys = await Task.WhenAll(clusters.Where(c => c.Provider == CmekProvider.AWS).Select(EnableAsync)).ConfigureAwait(false);
        return [.. keys.SelectMany(k => k)];
    }

    /// <summary>Revokes every cluster at once.</summary>
    /// <param name="cancellation">Ctrl-C.</param>
    /// <param name="scope">Which halves.</param>
    public async Task RevokeAsync(CancellationToken cancellation, RevokeScope scope = RevokeScope.Both)
    {
        ClusterRef[] all = [.. _session.Inventory.List().Select(e => new ClusterRef(null, null, e.Cluster))];
        if (all.Length == 0)
        {
            await EnableAsync().ConfigureAwait(false);
            all = [.. _session.Inventory.List().Select(e => new ClusterRef(null, null, e.Cluster))];
        }

        Operation op = new("Revoke-CmekAccess", _session, this, cancellation);
        await Revocation.RevokeAsync(
            o => SubjectFinder.FindAsync(all, o),
            new RevokeOptions { NoWait = true, Unasked = true, Scope = scope },
            op).ConfigureAwait(false);
    }

    /// <summary>Gives every cluster its access back, and waits until it is ENABLED.</summary>
    public async Task RestoreAsync()
    {
        await Task.WhenAll(_session.Inventory.List().Select(async e =>
        {
            Operation op = new("Restore-CmekAccess", _session, _quiet, CancellationToken.None);
            RestoreOptions options = new(null, true, TimeSpan.FromMinutes(2)) { AcceptChanges = true };
            await Restoration.RestoreAsync(e.Cluster, null, options, op).ConfigureAwait(false);
        })).ConfigureAwait(false);
    }

    public void Dispose()
    {
        _session.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    /// <inheritdoc/>
    public Task OutputAsync(object value) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task VerboseAsync(string message) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task WarningAsync(string message) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task ErrorAsync(CmekException error) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task ProgressAsync(OperationProgress progress) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task<bool> ShouldProcessAsync(string target, string action) => Task.FromResult(true);

    /// <inheritdoc/>
    public Task<bool> ConfirmRunAsync(string target, string action, Unanswered otherwise)
    {
        EnteredAt = DateTimeOffset.UtcNow;
        return Task.FromResult(true);
    }

    /// <inheritdoc/>
    public Task<bool> ShouldContinueAsync(string query, string caption) => Task.FromResult(true);

    private async Task<string[]> EnableAsync(CmekCluster cluster)
    {
        Operation op = new("Enable-CmekCluster", _session, _quiet, CancellationToken.None);
        CmekStatus status = await _session.Cloud.GetCmekAsync(cluster, CancellationToken.None).ConfigureAwait(false);
        if (status.State != CmekState.ENABLED)
        {
            ListeningHost made = new();
            await Keys.MakeAsync(
                cluster,
                [],
                false,
                false,
                new KeyOptions(),
                new Operation("New-CmekKey", _session, made, CancellationToken.None)).ConfigureAwait(false);
            List<CmekAccess> accesses = [];
            foreach (CmekKey key in made.Output.OfType<CmekKey>())
            {
                accesses.Add(await Granting.GrantAsync(cluster, key.Region!, key, null, new PrincipalOptions(), op).ConfigureAwait(false));
            }

            await Enabling.EnableAsync(
                cluster,
                accesses,
                new SwitchOptions(true, TimeSpan.FromMinutes(2), false),
                op).ConfigureAwait(false);
            status = await _session.Cloud.GetCmekAsync(cluster, CancellationToken.None).ConfigureAwait(false);
        }

        return [.. status.Regions.Select(r => r.KeyUri!)];
    }
}
