using System.Globalization;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp;

/// <summary>Reads keys and tells what they are.</summary>
internal sealed class GcpKeyReader(GcpClients clients)
{
    /// <summary>Reads any key, whoever made it.</summary>
    public async Task<CmekKey> GetKeyAsync(string keyUri, Operation op)
    {
        GcpKeyName name = GcpNames.ParseKey(keyUri);
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        Task<JsonObject> key = KeyOrThrowAsync(cloud, name, op);
        Task<IReadOnlyList<JsonObject>> versions = cloud.ListVersionsAsync(keyUri, op.Cancellation);
        // The key's failure says more than its versions', and whichever comes first must not leave the other unobserved.
        await Task.WhenAll(key, versions).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        JsonObject seen = await key.ConfigureAwait(false);
        return ToKey(name, seen, await versions.ConfigureAwait(false));
    }

    /// <summary>Finds the keys that are marked as the cluster's.</summary>
    public async IAsyncEnumerable<CmekKey> FindKeysAsync(CmekCluster cluster, string? region, KeyOptions options, Operation op)
    {
        (string Region, GcpKeyName Name)[] wanted =
        [
            .. (region is null ? cluster.Regions.Select(r => r.Name) : [region]).Select(r => (r, NameFor(cluster, r, options))),
        ];
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        JsonObject?[] found = await Task.WhenAll(
            wanted.Select(w => TryAsync(cloud.GetKeyAsync(w.Name.ToString(), op.Cancellation)))).ConfigureAwait(false);
        for (int i = 0; i < wanted.Length; i++)
        {
            GcpKeyName name = wanted[i].Name;
            if (found[i] is { } key && IsOurs(key, cluster))
            {
                yield return ToKey(
                    name,
                    key,
                    await cloud.ListVersionsAsync(
                        name.ToString(),
                        op.Cancellation).ConfigureAwait(false)) with
                        {
                            ClusterId = cluster.Id,
                            ClusterName = cluster.Name,
                            Region = wanted[i].Region,
                        };
            }
        }
    }

    /// <summary>A duration as Google writes it (<c>7776000s</c>) in days where it is some; anything else as it is.</summary>
    public static string PeriodText(JsonNode period) =>
        double.TryParse(period.ToString().TrimEnd('s'), NumberStyles.Float, CultureInfo.InvariantCulture, out double seconds)
            ? string.Create(CultureInfo.InvariantCulture, $"{seconds / 86400:0.#} days")
            : period.ToString();

    /// <summary>Throws where the key cannot be a CMEK.</summary>
    public static void RequireUsable(CmekKey key)
    {
        if (key.KeyUsage != "ENCRYPT_DECRYPT" || key.KeySpec is not ("GOOGLE_SYMMETRIC_ENCRYPTION" or "EXTERNAL_SYMMETRIC_ENCRYPTION"))
        {
            throw new CmekException(
                "KeyNotSymmetric",
                CmekErrorKind.InvalidArgument,
                $"{key.KeyUri} has the purpose {key.KeyUsage} and the algorithm {key.KeySpec}; CMEK needs ENCRYPT_DECRYPT with "
                    + "GOOGLE_SYMMETRIC_ENCRYPTION, and neither can be changed.",
                $"New-CmekKey -ClusterName {key.ClusterName ?? "CLUSTER"} makes one that fits.",
                key);
        }

        string version = key.PrimaryVersion ?? "VERSION";
        KeyStates.RequireOn(key, state => state switch
        {
            CmekKeyState.PendingDeletion => new KeyRefusal(
                $"{key.KeyUri} is {state}{(key.DeletionDate is { } date ? $" ({date:u})" : string.Empty)}.",
                $"gcloud kms keys versions restore {version} --key {key.KeyUri} rescues a version that is scheduled for destruction; "
                    + "then enable it."),
            CmekKeyState.Disabled => new KeyRefusal(
                $"{key.KeyUri} has no enabled primary version.",
                $"gcloud kms keys versions enable {version} --key {key.KeyUri}"),
            CmekKeyState.Creating => new KeyRefusal(
                $"{key.KeyUri} is still being made (PENDING_GENERATION).",
                "Run the command again in a minute."),
            CmekKeyState.Destroyed => new KeyRefusal(
                $"The primary version of {key.KeyUri} is destroyed: what it encrypted cannot be read any more, and it does not come back.",
                "Make another key with New-CmekKey."),
            _ => new KeyRefusal(
                $"{key.KeyUri} cannot be used in the state that its primary version is in (its material could not be made or imported, "
                    + "or a state that this version does not know).",
                $"gcloud kms keys versions list --key {key.KeyUri} shows the states; or make another key with New-CmekKey."),
        });
    }

    internal static async Task<JsonObject?> TryAsync(Task<JsonObject> read)
    {
        try
        {
            return await read.ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.StatusCode == 404)
        {
            return null;
        }
    }

    internal static async Task<JsonObject> KeyOrThrowAsync(IGoogleCloud cloud, GcpKeyName name, Operation op)
    {
        try
        {
            return await cloud.GetKeyAsync(name.ToString(), op.Cancellation).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.StatusCode == 404)
        {
            throw new CmekServiceException(
                e.Service,
                "KeyNotFound",
                CmekErrorKind.ObjectNotFound,
                $"There is no key {name}: {e.Message}",
                e.StatusCode,
                e.Code,
                e.RequestId,
                $"gcloud kms keys list --keyring {name.Ring} --location {name.Location} --project {name.Project} shows what there is.",
                name.ToString(),
                e);
        }
    }

    internal static bool IsOurs(JsonObject key, CmekCluster cluster) =>
        key["labels"]?[GcpNames.ClusterLabel]?.ToString() == GcpNames.Label(cluster.Id);

    internal static DateTimeOffset? Time(JsonNode? node) =>
        DateTimeOffset.TryParse(node?.ToString(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time)
            ? time
            : null;

    internal static string Version(JsonObject version) => version["name"]?.ToString().Split('/')[^1] ?? string.Empty;

    internal static string State(JsonObject? version) => version?["state"]?.ToString() ?? string.Empty;

    internal static CmekKey ToKey(GcpKeyName name, JsonObject key, IReadOnlyList<JsonObject> versions)
    {
        JsonObject? primary = key["primary"] as JsonObject;
        int? days = int.TryParse(
            key["rotationPeriod"]?.ToString().TrimEnd('s'),
            NumberStyles.Integer,
            CultureInfo.InvariantCulture,
            out int seconds)
            ? seconds / 86400
            : null;
        return new CmekKey
        {
            ClusterId = key["labels"]?[GcpNames.ClusterLabel]?.ToString(),
            Region = key["labels"]?[GcpNames.RegionLabel]?.ToString(),
            Provider = CmekProvider.GCP,
            KeyUri = name.ToString(),
            Location = name.Location,
            State = StateOf(key, versions),
            DeletionDate = Time(primary?["destroyTime"]),
            DestructionWait = long.TryParse(
                key["destroyScheduledDuration"]?.ToString().TrimEnd('s'), NumberStyles.None, CultureInfo.InvariantCulture, out long wait)
                && wait < TimeSpan.FromDays(3650).TotalSeconds
                ? TimeSpan.FromSeconds(wait)
                : null,
            KeyUsage = key["purpose"]?.ToString(),
            KeySpec = key["versionTemplate"]?["algorithm"]?.ToString(),
            ProtectionLevel = key["versionTemplate"]?["protectionLevel"]?.ToString(),
            MultiRegion = GcpNames.IsMultiRegion(name.Location),
            RotationEnabled = days is not null,
            RotationPeriodDays = days,
            NextRotation = Time(key["nextRotationTime"]),
            PrimaryVersion = primary is null ? null : Version(primary),
            CreatedAt = Time(key["createTime"]),
            LastRotation = primary is not null && Version(primary) != "1" ? Time(primary["createTime"]) : null,
            Tags = (key["labels"] as JsonObject ?? []).ToDictionary(l => l.Key, l => l.Value?.ToString() ?? string.Empty),
        };
    }

    // A symmetric key is as good as its primary version: without one it encrypts nothing, whatever its other versions are.
    internal static CmekKeyState StateOf(JsonObject key, params IReadOnlyList<JsonObject> versions)
    {
        string state = State(key["primary"] as JsonObject ?? (versions.Count > 0 ? versions[^1] : null));
        return state switch
        {
            "ENABLED" => key["primary"] is null && key["purpose"]?.ToString() == "ENCRYPT_DECRYPT"
                ? CmekKeyState.Disabled
                : CmekKeyState.Enabled,
            "DISABLED" or "" => CmekKeyState.Disabled,
            "DESTROY_SCHEDULED" => CmekKeyState.PendingDeletion,
            "DESTROYED" => CmekKeyState.Destroyed,
            "PENDING_GENERATION" => CmekKeyState.Creating,
            _ => CmekKeyState.Unknown,
        };
    }

    internal GcpKeyName NameFor(CmekCluster cluster, string region, KeyOptions options)
    {
        string location = options.Location ?? region;
        GcpNames.RequireLocation(location);
        return new GcpKeyName(
            clients.ProjectOf(options),
            location,
            GcpNames.RequireName(options.KeyRing ?? "cmektools", "KeyRing"),
            GcpNames.RequireName(options.KeyName ?? GcpNames.KeyName(cluster, region, options.Generation), "KeyName"));
    }
}
