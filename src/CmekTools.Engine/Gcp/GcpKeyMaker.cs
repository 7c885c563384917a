using System.Globalization;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Gcp;

/// <summary>Makes keys.</summary>
internal sealed class GcpKeyMaker(GcpClients clients, GcpKeyReader reader)
{
    /// <summary>Days between automatic rotations where nobody says how many.</summary>
    public const int DefaultRotationDays = 90;

    private static readonly OneAtATime s_rings = new();

    /// <summary>Finds the region's key, or makes it and completes what is missing.</summary>
    public async Task<CmekKey> EnsureKeyAsync(CmekCluster cluster, string region, KeyOptions options, Operation op)
    {
        int before = op.ChangeCount;
        JsonObject labels = Labels(cluster, region, options);
        RequirePossible(options);
        GcpKeyName name = reader.NameFor(cluster, region, options);
        await WarnIfFarAsync(name.Location, region, op).ConfigureAwait(false);

        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        JsonObject? key = await GcpKeyReader.TryAsync(cloud.GetKeyAsync(name.ToString(), op.Cancellation)).ConfigureAwait(false);
        bool made = key is null;
        if (key is null)
        {
            key = await EnsureRingAsync(cloud, name, op).ConfigureAwait(false)
                ? await CreateAsync(cloud, name, labels, options, op).ConfigureAwait(false)
                : null;
            if (key is null)
            {
                bool rotates = options.EnableRotation || options.RotateNew;
                return new CmekKey
                {
                    ClusterId = cluster.Id,
                    ClusterName = cluster.Name,
                    Provider = CmekProvider.GCP,
                    Region = region,
                    Location = name.Location,
                    PlannedProject = name.Project,
                    ProtectionLevel = options.ProtectionLevel ?? "SOFTWARE",
                    MultiRegion = GcpNames.IsMultiRegion(name.Location),
                    State = CmekKeyState.Planned,
                    KeySpec = "GOOGLE_SYMMETRIC_ENCRYPTION",
                    KeyUsage = "ENCRYPT_DECRYPT",
                    RotationEnabled = rotates,
                    RotationPeriodDays = rotates ? options.RotationPeriodDays ?? DefaultRotationDays : null,
                    Tags = labels.ToDictionary(l => l.Key, l => l.Value!.ToString()),
                };
            }
        }

        // What another run has made in the same moment is looked at like what was there before.
        RequireOurs(cluster, region, name, key, options);
        CmekKey known = await WhenMadeAsync(cloud, name, op).ConfigureAwait(false);
        GcpKeyReader.RequireUsable(known with { ClusterName = cluster.Name });
        RequireLevel(known, options);
        await EnsureLabelsAsync(
            cloud,
            name,
            key,
            GcpKeyReader.IsOurs(key, cluster)
                ? labels
                : new JsonObject(options.Tags.Select(t => KeyValuePair.Create(t.Key, (JsonNode?)t.Value))),
            op).ConfigureAwait(false);
        await EnsureRotationAsync(cloud, name, key, options, op).ConfigureAwait(false);
        IReadOnlyList<string> changes = op.ChangesSince(before);
        known = changes.Count > 0 ? await reader.GetKeyAsync(name.ToString(), op).ConfigureAwait(false) : known;
        return known with { ClusterId = cluster.Id, ClusterName = cluster.Name, Region = region, Changes = changes, Made = made };
    }

    internal static Task WarnIfFarAsync(string location, string region, Operation op) => GcpNames.Distance(location, region) == 2
        ? op.Host.WarningAsync(
            $"{location} is far from {region}: every start of a node there depends on the other place and on the way to it.")
        : Task.CompletedTask;

    private static void RequirePossible(KeyOptions options)
    {
        if (options.RotationPeriodDays is < 1 or > 36500)
        {
            throw new CmekException(
                "RotationPeriodInvalid",
                CmekErrorKind.InvalidArgument,
                $"A rotation period of {options.RotationPeriodDays} days is not possible on Google Cloud: at least 1 day.",
                "Give -RotationPeriod 90.00:00:00, for example.",
                options.RotationPeriodDays);
        }

        if (options.ProtectionLevel is not (null or "SOFTWARE" or "HSM"))
        {
            throw new CmekException(
                "ProtectionLevelInvalid",
                CmekErrorKind.InvalidArgument,
                $"'{options.ProtectionLevel}' is not a protection level for which a key can be made here.",
                "Give -ProtectionLevel SOFTWARE or HSM.",
                options.ProtectionLevel);
        }
    }

    private static void RequireOurs(CmekCluster cluster, string region, GcpKeyName name, JsonObject key, KeyOptions options)
    {
        if (!GcpKeyReader.IsOurs(key, cluster) && options.KeyName is null)
        {
            throw new CmekException(
                "KeyExists",
                CmekErrorKind.ResourceExists,
                $"{name} is there already and was not made for {cluster.Name} "
                    + $"({GcpNames.ClusterLabel}={key["labels"]?[GcpNames.ClusterLabel]?.ToString() ?? "none"}). It was not touched.",
                "Give another -KeyRing or -KeyName, or use this key: Grant-CmekAccess -ClusterName "
                    + $"{PowerShellText.Quote(cluster.Name)} -Region {PowerShellText.Quote(region)} -KeyUri {name}",
                name.ToString());
        }
    }

    private static void RequireLevel(CmekKey known, KeyOptions options)
    {
        if (options.ProtectionLevel is { } wanted && known.ProtectionLevel is { } level && level != wanted)
        {
            throw new CmekException(
                "ProtectionLevelDiffers",
                CmekErrorKind.InvalidOperation,
                $"{known.KeyUri} is there already with the protection level {level}, not {wanted}, and a key's level cannot be changed.",
                "Give another -KeyName to make a new key, or leave -ProtectionLevel away to use this one.",
                known.KeyUri);
        }
    }

    // An HSM makes a version in its own time.
    private async Task<CmekKey> WhenMadeAsync(IGoogleCloud cloud, GcpKeyName name, Operation op)
    {
        long start = op.Session.Time.GetTimestamp();
        while (true)
        {
            CmekKey key = await reader.GetKeyAsync(name.ToString(), op).ConfigureAwait(false);
            if (key.State != CmekKeyState.Creating)
            {
                return key;
            }

            if (op.Session.Time.GetElapsedTime(start) > op.Timings.PropagationLimit)
            {
                throw new CmekException(
                    "KeyNotReady",
                    CmekErrorKind.OperationTimeout,
                    $"{name} is still being made (PENDING_GENERATION).",
                    "Run the command again: it goes on with this key.",
                    name.ToString());
            }

            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
        }
    }

    private static async Task<bool> EnsureRingAsync(IGoogleCloud cloud, GcpKeyName name, Operation op)
    {
        if (await GcpKeyReader.TryAsync(cloud.GetKeyRingAsync(name.RingName, op.Cancellation)).ConfigureAwait(false) is not null)
        {
            return true;
        }

        // Clusters share a ring, and whoever comes second has not made it.
        using IDisposable hold = await s_rings.HoldAsync(
            $"{op.Session.Cloud.Server} {name.RingName}",
            op.Cancellation).ConfigureAwait(false);
        if (await GcpKeyReader.TryAsync(cloud.GetKeyRingAsync(name.RingName, op.Cancellation)).ConfigureAwait(false) is not null)
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
            },
            async token =>
                await GcpKeyReader.TryAsync(
                    cloud.GetKeyRingAsync(name.RingName, token)).ConfigureAwait(false) is not null).ConfigureAwait(false)
            || op.Host.WhatIf;
    }

    private static JsonObject Labels(CmekCluster cluster, string region, KeyOptions options)
    {
        JsonObject labels = new() { [GcpNames.ClusterLabel] = GcpNames.Label(cluster.Id), [GcpNames.RegionLabel] = GcpNames.Label(region) };
        foreach ((string label, string value) in options.Tags)
        {
            if (GcpNames.Label(label) != label
                || GcpNames.Label(value) != value
                || label.Length == 0
                || !char.IsAsciiLetterLower(label[0])
                || labels.ContainsKey(label))
            {
                throw new CmekException(
                    "LabelInvalid",
                    CmekErrorKind.InvalidArgument,
                    $"'{label}={value}' cannot be a label on Google Cloud: up to 63 lower case letters, digits, hyphens and "
                        + $"underscores, the name beginning with a letter; {GcpNames.ClusterLabel} and {GcpNames.RegionLabel} are taken.",
                    "Choose another -Tag.",
                    label);
            }

            labels[label] = value;
        }

        return labels;
    }

    private static async Task<JsonObject?> CreateAsync(
        IGoogleCloud cloud,
        GcpKeyName name,
        JsonObject labels,
        KeyOptions options,
        Operation op)
    {
        JsonObject body = new()
        {
            ["purpose"] = "ENCRYPT_DECRYPT",
            ["versionTemplate"] = new JsonObject
            {
                ["algorithm"] = "GOOGLE_SYMMETRIC_ENCRYPTION",
                ["protectionLevel"] = options.ProtectionLevel ?? "SOFTWARE",
            },
            ["labels"] = labels.DeepClone(),
        };
        if (options.EnableRotation || options.RotateNew)
        {
            AddRotation(body, options, op);
        }

        JsonObject? key = null;
        await op.ChangeAsync(
            new PlannedChange(
                "cloudkms:cryptoKeys.create",
                name.ToString(),
                "make the key (keys cannot be deleted, only their versions)",
                body.ToJsonString(GcpJson.Indented),
                After: body.DeepClone()),
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
            },
            async token =>
                (
                    key = await GcpKeyReader.TryAsync(
                        cloud.GetKeyAsync(name.ToString(), token)).ConfigureAwait(false)) is not null).ConfigureAwait(false);
        return key;
    }

    private static async Task EnsureLabelsAsync(IGoogleCloud cloud, GcpKeyName name, JsonObject key, JsonObject wanted, Operation op)
    {
        JsonObject before = key["labels"] as JsonObject ?? [];
        JsonObject after = before.DeepClone().AsObject();
        foreach ((string label, JsonNode? value) in wanted)
        {
            after[label] = value?.DeepClone();
        }

        if (JsonNode.DeepEquals(before, after))
        {
            return;
        }

        JsonObject patch = new() { ["labels"] = after };
        await op.ChangeAsync(
            new PlannedChange(
                "cloudkms:cryptoKeys.patch",
                name.ToString(),
                "add the labels that are missing",
                patch.ToJsonString(GcpJson.Indented),
                before.DeepClone(),
                after.DeepClone()),
            token => cloud.PatchKeyAsync(name.ToString(), "labels", patch, token),
            async token =>
                JsonNode.DeepEquals(
                    (await cloud.GetKeyAsync(name.ToString(), token).ConfigureAwait(false))["labels"],
                    after)).ConfigureAwait(false);
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
            new PlannedChange(
                "cloudkms:cryptoKeys.patch",
                name.ToString(),
                $"rotate the key every {options.RotationPeriodDays ?? DefaultRotationDays} days",
                patch.ToJsonString(GcpJson.Indented),
                JsonValue.Create(now),
                patch.DeepClone()),
            token => cloud.PatchKeyAsync(name.ToString(), "rotationPeriod,nextRotationTime", patch, token),
            async token =>
                (
                    await cloud.GetKeyAsync(name.ToString(), token)
                        .ConfigureAwait(false))["rotationPeriod"]?
                        .ToString() == wanted)
                        .ConfigureAwait(false);
    }

    private static void AddRotation(JsonObject body, KeyOptions options, Operation op)
    {
        int days = options.RotationPeriodDays ?? DefaultRotationDays;
        body["rotationPeriod"] = $"{days * 86400L}s";
        body["nextRotationTime"] = op.Session.Time.GetUtcNow().AddDays(days).UtcDateTime.ToString(
            "yyyy-MM-dd'T'HH:mm:ss'Z'",
            CultureInfo.InvariantCulture);
    }
}
