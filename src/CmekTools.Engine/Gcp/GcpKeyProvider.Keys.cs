using System.Globalization;
using System.Text.Json.Nodes;
using CmekTools.Engine.Providers;

namespace CmekTools.Engine.Gcp;

/// <summary>Makes keys and versions.</summary>
internal sealed partial class GcpKeyProvider
{
    private const int DefaultRotationDays = 90;

    // A version this young that never became primary is taken for the work of an interrupted rotation.
    private static readonly TimeSpan s_unfinished = TimeSpan.FromHours(1);

    /// <inheritdoc/>
    public async Task<CmekKey> EnsureKeyAsync(CmekCluster cluster, string region, KeyOptions options, Operation op)
    {
        op.TakeChanges();
        if (options.RotationPeriodDays is < 1 or > 36500)
        {
            throw new CmekException("RotationPeriodInvalid", CmekErrorKind.InvalidArgument, $"A rotation period of {options.RotationPeriodDays} days is not possible on Google Cloud: at least 1 day.", "Give -RotationPeriod 90.00:00:00, for example.", options.RotationPeriodDays);
        }

        GcpKeyName name = NameFor(cluster, region, options);
        if (GcpNames.Distance(name.Location, region) == 2)
        {
            await op.Host.WarningAsync($"{name.Location} is far from {region}: the cluster's region depends on the other place for every start of a node.").ConfigureAwait(false);
        }

        IGoogleCloud cloud = await CloudAsync(op).ConfigureAwait(false);
        JsonObject? key = await TryAsync(cloud.GetKeyAsync(name.ToString(), op.Cancellation)).ConfigureAwait(false);
        if (key is null)
        {
            if (!await EnsureRingAsync(cloud, name, op).ConfigureAwait(false) || (key = await CreateAsync(cloud, cluster, region, name, options, op).ConfigureAwait(false)) is null)
            {
                return new CmekKey { ClusterId = cluster.Id, ClusterName = cluster.Name, Provider = CmekProvider.GCP, Region = region, Location = name.Location, State = CmekKeyState.Planned };
            }
        }
        else if (!IsOurs(key, cluster) && options.KeyName is null)
        {
            throw new CmekException(
                "KeyExists",
                CmekErrorKind.ResourceExists,
                $"{name} is there already and was not made for {cluster.Name} ({GcpNames.ClusterLabel}={key["labels"]?[GcpNames.ClusterLabel] ?? "none"}). It was not touched.",
                $"Give another -KeyRing or -KeyName, or use this key: Get-CmekKey {name} | Grant-CmekAccess -ClusterName {cluster.Name} -Region {region}.",
                name.ToString());
        }

        await EnsureRotationAsync(cloud, name, key, options, op).ConfigureAwait(false);
        IReadOnlyList<string> changes = op.TakeChanges();
        if (changes.Count > 0)
        {
            key = await cloud.GetKeyAsync(name.ToString(), op.Cancellation).ConfigureAwait(false);
        }

        CmekKey made = ToKey(name, key, await cloud.ListVersionsAsync(name.ToString(), op.Cancellation).ConfigureAwait(false)) with { ClusterId = cluster.Id, ClusterName = cluster.Name, Region = region, Changes = changes };
        if (made.State != CmekKeyState.Creating)
        {
            RequireUsable(made);
        }

        return made;
    }

    /// <inheritdoc/>
    public async Task<string?> RotateKeyAsync(string keyUri, Operation op)
    {
        CmekKey known = await GetKeyAsync(keyUri, op).ConfigureAwait(false);
        RequireUsable(known);
        IGoogleCloud cloud = await CloudAsync(op).ConfigureAwait(false);
        JsonObject newest = (await cloud.ListVersionsAsync(keyUri, op.Cancellation).ConfigureAwait(false))[^1];
        bool unfinished = int.Parse(Version(newest), CultureInfo.InvariantCulture) > int.Parse(known.PrimaryVersion!, CultureInfo.InvariantCulture)
            && State(newest) is "ENABLED" or "PENDING_GENERATION"
            && Time(newest["createTime"]) is { } made
            && op.Session.Time.GetUtcNow() - made < s_unfinished
            && Version(newest) != known.PrimaryVersion;
        if (!unfinished)
        {
            bool created = await op.ChangeAsync(
                new PlannedChange("cloudkms:cryptoKeyVersions.create", keyUri, "make a new key version"),
                async token => newest = await cloud.CreateVersionAsync(keyUri, token).ConfigureAwait(false)).ConfigureAwait(false);
            if (!created)
            {
                return null;
            }
        }

        string name = newest["name"]!.ToString();
        long start = op.Session.Time.GetTimestamp();
        while (State(newest) != "ENABLED")
        {
            if (op.Session.Time.GetElapsedTime(start) > op.Timings.PropagationLimit)
            {
                throw new CmekException("RotationNotSeen", CmekErrorKind.OperationTimeout, $"{name} is still {State(newest)}.", "Run the command again: it goes on with this version.", keyUri);
            }

            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
            newest = await cloud.GetVersionAsync(name, op.Cancellation).ConfigureAwait(false);
        }

        string id = Version(newest);
        await op.ChangeAsync(
            new PlannedChange("cloudkms:cryptoKeys.updatePrimaryVersion", keyUri, $"make version {id} primary", Before: JsonValue.Create(known.PrimaryVersion), After: JsonValue.Create(id)),
            token => cloud.SetPrimaryVersionAsync(keyUri, id, token)).ConfigureAwait(false);
        return id;
    }

    /// <inheritdoc/>
    public async Task<DateTimeOffset?> ScheduleDeletionAsync(string keyUri, int days, Operation op)
    {
        IGoogleCloud cloud = await CloudAsync(op).ConfigureAwait(false);
        await KeyOrThrowAsync(cloud, GcpNames.ParseKey(keyUri), op).ConfigureAwait(false);
        DateTimeOffset? last = null;
        foreach (JsonObject version in await cloud.ListVersionsAsync(keyUri, op.Cancellation).ConfigureAwait(false))
        {
            JsonObject after = version;
            if (State(version) is "ENABLED" or "DISABLED")
            {
                string name = version["name"]!.ToString();
                bool done = await op.ChangeAsync(
                    new PlannedChange("cloudkms:cryptoKeyVersions.destroy", name, $"schedule the destruction of version {Version(version)} (after the key's own waiting time)", Before: version.DeepClone()),
                    async token => after = await cloud.DestroyVersionAsync(name, token).ConfigureAwait(false)).ConfigureAwait(false);
                if (!done)
                {
                    return last;
                }
            }

            DateTimeOffset? time = Time(after["destroyTime"]);
            last = time > last || last is null ? time : last;
        }

        return last;
    }

    /// <inheritdoc/>
    public async Task ReviveKeyAsync(string keyUri, Operation op)
    {
        IGoogleCloud cloud = await CloudAsync(op).ConfigureAwait(false);
        JsonObject key = await KeyOrThrowAsync(cloud, GcpNames.ParseKey(keyUri), op).ConfigureAwait(false);
        string? primary = key["primary"] is JsonObject version ? Version(version) : null;
        await ReviveVersionsAsync(cloud, keyUri, id => id == primary, op).ConfigureAwait(false);
    }

    // Rescues every version that is scheduled for destruction, and enables those that were enabled.
    private static async Task ReviveVersionsAsync(IGoogleCloud cloud, string keyUri, Func<string, bool> wasEnabled, Operation op)
    {
        foreach (JsonObject version in await cloud.ListVersionsAsync(keyUri, op.Cancellation).ConfigureAwait(false))
        {
            string name = version["name"]!.ToString();
            string state = State(version);
            if (state == "DESTROY_SCHEDULED")
            {
                if (!await op.ChangeAsync(new PlannedChange("cloudkms:cryptoKeyVersions.restore", name, $"rescue version {Version(version)} from destruction"), token => cloud.RestoreVersionAsync(name, token)).ConfigureAwait(false))
                {
                    return;
                }

                state = "DISABLED";
            }

            if (state == "DISABLED" && wasEnabled(Version(version)))
            {
                await op.ChangeAsync(new PlannedChange("cloudkms:cryptoKeyVersions.patch", name, $"enable version {Version(version)}"), token => cloud.SetVersionStateAsync(name, "ENABLED", token)).ConfigureAwait(false);
            }
        }
    }

    private static async Task<bool> EnsureRingAsync(IGoogleCloud cloud, GcpKeyName name, Operation op)
    {
        if (await TryAsync(cloud.GetKeyRingAsync(name.RingName, op.Cancellation)).ConfigureAwait(false) is not null)
        {
            return true;
        }

        return await op.ChangeAsync(
            new PlannedChange("cloudkms:keyRings.create", name.RingName, "make the key ring (key rings cannot be deleted)"),
            async token =>
            {
                try
                {
                    await cloud.CreateKeyRingAsync(name.Parent, name.Ring, token).ConfigureAwait(false);
                }
                catch (CmekServiceException e) when (e.StatusCode == 409)
                {
                    // Another run was quicker.
                }
            }).ConfigureAwait(false) || op.Host.WhatIf;
    }

    private static async Task<JsonObject?> CreateAsync(IGoogleCloud cloud, CmekCluster cluster, string region, GcpKeyName name, KeyOptions options, Operation op)
    {
        JsonObject labels = new() { [GcpNames.ClusterLabel] = GcpNames.Label(cluster.Id), [GcpNames.RegionLabel] = GcpNames.Label(region) };
        foreach ((string label, string value) in options.Tags)
        {
            if (GcpNames.Label(label) != label || GcpNames.Label(value) != value || label.Length == 0 || !char.IsAsciiLetterLower(label[0]))
            {
                throw new CmekException("LabelInvalid", CmekErrorKind.InvalidArgument, $"'{label}={value}' cannot be a label on Google Cloud: lower case letters, digits, hyphens and underscores, beginning with a letter.", "Choose another -Tag.", label);
            }

            labels[label] = value;
        }

        JsonObject body = new()
        {
            ["purpose"] = "ENCRYPT_DECRYPT",
            ["versionTemplate"] = new JsonObject { ["algorithm"] = "GOOGLE_SYMMETRIC_ENCRYPTION", ["protectionLevel"] = options.ProtectionLevel ?? "SOFTWARE" },
            ["labels"] = labels,
        };
        if (options.EnableRotation)
        {
            AddRotation(body, options, op);
        }

        JsonObject? key = null;
        await op.ChangeAsync(
            new PlannedChange("cloudkms:cryptoKeys.create", name.ToString(), "make the key (keys cannot be deleted, only their versions)", body.ToJsonString(s_indented), After: body.DeepClone()),
            async token =>
            {
                try
                {
                    key = await cloud.CreateKeyAsync(name.RingName, name.Key, body, token).ConfigureAwait(false);
                }
                catch (CmekServiceException e) when (e.StatusCode == 409)
                {
                    key = await cloud.GetKeyAsync(name.ToString(), token).ConfigureAwait(false);
                }
            }).ConfigureAwait(false);
        return key;
    }

    private static async Task EnsureRotationAsync(IGoogleCloud cloud, GcpKeyName name, JsonObject key, KeyOptions options, Operation op)
    {
        string wanted = $"{(options.RotationPeriodDays ?? DefaultRotationDays) * 86400L}s";
        string? now = key["rotationPeriod"]?.ToString();
        if (!options.EnableRotation || now == wanted || (now is not null && options.RotationPeriodDays is null))
        {
            return;
        }

        JsonObject patch = [];
        AddRotation(patch, options, op);
        await op.ChangeAsync(
            new PlannedChange("cloudkms:cryptoKeys.patch", name.ToString(), $"rotate the key every {options.RotationPeriodDays ?? DefaultRotationDays} days", patch.ToJsonString(s_indented), JsonValue.Create(now), patch.DeepClone()),
            token => cloud.PatchKeyAsync(name.ToString(), "rotationPeriod,nextRotationTime", patch, token)).ConfigureAwait(false);
    }

    private static void AddRotation(JsonObject body, KeyOptions options, Operation op)
    {
        int days = options.RotationPeriodDays ?? DefaultRotationDays;
        body["rotationPeriod"] = $"{days * 86400L}s";
        body["nextRotationTime"] = op.Session.Time.GetUtcNow().AddDays(days).UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
    }
}
