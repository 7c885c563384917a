using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.State;
using CmekTools.Engine.State.Shared;
using CmekTools.Engine.Access;

namespace CmekTools.Engine;

/// <summary>
/// Where a provider's services are and who is calling: what a session overrides; null leaves it to the provider's own chain.
/// </summary>
internal sealed record ProviderOptions
{
    /// <summary>The AWS endpoint for KMS, STS and IAM; null: the SDK's own resolution (environment, profile, public).</summary>
    public Uri? AwsEndpoint { get; init; }

    /// <summary>The AWS endpoint for STS and IAM where they are elsewhere than KMS; null: as <see cref="AwsEndpoint"/> says.</summary>
    public Uri? AwsIamEndpoint { get; init; }

    /// <summary>Fixed AWS credentials (a sandbox's); null: the SDK's own chain.</summary>
    public (string AccessKeyId, string SecretAccessKey)? AwsCredentials { get; init; }

    /// <summary>The AWS profile, as <c>-ProfileName</c> chose it.</summary>
    public string? AwsProfileName { get; init; }

    /// <summary>The Cloud KMS endpoint; null: gcloud's variable or the public one.</summary>
    public Uri? GoogleKmsEndpoint { get; init; }

    /// <summary>The Google IAM endpoint; null: gcloud's variable or the public one.</summary>
    public Uri? GoogleIamEndpoint { get; init; }

    /// <summary>The Cloud Storage endpoint; null: gcloud's variable or the public one.</summary>
    public Uri? GoogleStorageEndpoint { get; init; }

    /// <summary>A fixed Google access token (a sandbox's); null: Application Default Credentials.</summary>
    public string? GoogleAccessToken { get; init; }

    /// <summary>The customer's Google Cloud project; null: each command's <c>-Project</c> or the credentials' own.</summary>
    public string? GoogleProject { get; init; }

    /// <summary>The project that keys are made in where a command names none: the session's, else the environment's as it is now.</summary>
    public string? ProjectNow => new[]
    {
        GoogleProject,
        Environment.GetEnvironmentVariable("GOOGLE_CLOUD_PROJECT"),
        Environment.GetEnvironmentVariable("CLOUDSDK_CORE_PROJECT"),
    }.FirstOrDefault(p => !string.IsNullOrWhiteSpace(p));
}

/// <summary>The engine's side of a session: the clients, made at first use and shared by the session's commands.</summary>
internal sealed class SessionContext : IDisposable
{
    private readonly object _lock = new();
    private readonly Dictionary<CmekProvider, IKeyProvider> _providers = [];
    private readonly RecentRead<IReadOnlyDictionary<string, CmekJournalEntry>> _taken = new();

    public SessionContext(
        CloudApiClient cloud,
        CmekOrganization organization,
        ProviderOptions providers,
        Timings timings,
        JournalWriter journal,
        TimeProvider? time = null)
    {
        Cloud = cloud;
        Organization = organization;
        ProviderOptions = providers;
        Timings = timings;
        Journal = journal;
        Time = time ?? TimeProvider.System;
        Inventory = new Inventory(journal.Folder, Time);
        Inventory.Kept = () => Shared?.Offer();
        cloud.StatusRead = (cluster, status) => Inventory.Keep(Organization, cloud.Server, cluster, status);
        cloud.KnownWithKeys = id => Inventory.Find(id) is { Keys.Count: > 0 };
    }

    /// <summary>The Cloud API.</summary>
    public CloudApiClient Cloud { get; }

    /// <summary>The organization of the API key.</summary>
    public CmekOrganization Organization { get; }

    /// <summary>What the session says about the providers.</summary>
    public ProviderOptions ProviderOptions { get; }

    /// <summary>How long things take.</summary>
    public Timings Timings { get; }

    /// <summary>Where every change is written down.</summary>
    public JournalWriter Journal { get; }

    /// <summary>What was last seen of each cluster: what a break-glass goes by where the service does not answer.</summary>
    public Inventory Inventory { get; }

    /// <summary>
    /// The state that is shared with other people and machines; null where none is. It is never waited for where a cut is to be made.
    /// </summary>
    public SharedState? Shared { get; init; }

    /// <summary>The KMS key that receipts are sealed by; null where they are sealed with the user's own secret.</summary>
    public string? SealKey { get; init; }

    /// <summary>Why the KMS key that was asked for gave no secret; null where it did, or none was asked for.</summary>
    public string? NoSealKey { get; init; }

    /// <summary>Why the service is not asked: its failure when the session was made; null for a session that is connected.</summary>
    public CmekException? Offline { get; init; }

    /// <summary>True where the other side is a sandbox.</summary>
    public bool IsSandbox { get; init; }

    /// <summary>Who runs the commands, for the journal.</summary>
    public Who Who { get; init; } = new();

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; }

    /// <summary>
    /// The last change of each cluster that the service took from this session's API key, by the journal; read once for all who ask side
    /// by side. None where the key's id is not known, or the journal cannot be read.
    /// </summary>
    public Task<IReadOnlyDictionary<string, CmekJournalEntry>> ChangesTakenAsync(CancellationToken cancellation) =>
        _taken.GetAsync(TimeSpan.FromSeconds(10), Time, () => Task.Run(ReadTaken, CancellationToken.None), cancellation);

    /// <summary>The key provider of a cloud.</summary>
    /// <exception cref="CmekException">There is none for it (<c>ProviderNotSupported</c>).</exception>
    public IKeyProvider GetProvider(CmekProvider provider)
    {
        lock (_lock)
        {
            if (!_providers.TryGetValue(provider, out IKeyProvider? found))
            {
                found = KeyProviders.Create(provider, this);
                _providers.Add(provider, found);
            }

            return found;
        }
    }

    private IReadOnlyDictionary<string, CmekJournalEntry> ReadTaken()
    {
        Dictionary<string, CmekJournalEntry> taken = new(StringComparer.OrdinalIgnoreCase);
        if (Who.ApiKeyId is not { } id)
        {
            return taken;
        }

        try
        {
            foreach (CmekJournalEntry entry in JournalReader.Read(Journal.FilePath).Where(
                e => e is { Outcome: "done" or "failed", ClusterId: not null }
                    && e.Kind?.StartsWith("cmek:", StringComparison.Ordinal) == true
                    && e.Who?.Contains(id, StringComparison.Ordinal) == true))
            {
                // What failed since may have failed for want of the role.
                if (entry.Outcome == "done")
                {
                    taken[entry.ClusterId!] = entry;
                }
                else
                {
                    taken.Remove(entry.ClusterId!);
                }
            }
        }
        catch (CmekException)
        {
            // It tells nothing then; Test-CmekJournal says why.
        }

        return taken;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            foreach (IKeyProvider provider in _providers.Values)
            {
                provider.Dispose();
            }

            _providers.Clear();
        }

        Shared?.Dispose();
        Cloud.Dispose();
    }
}
