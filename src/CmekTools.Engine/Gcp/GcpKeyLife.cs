using System.Globalization;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.State;

namespace CmekTools.Engine.Gcp;

/// <summary>Makes, destroys and rescues key versions.</summary>
internal sealed class GcpKeyLife(GcpClients clients, GcpKeyReader reader)
{
    // A version this young that never became primary is taken for the work of an interrupted rotation.
    private static readonly TimeSpan s_unfinished = TimeSpan.FromHours(1);

    /// <summary>The kind of the change that completes a rotation.</summary>
    public const string RotationChange = "cloudkms:cryptoKeys.updatePrimaryVersion";

    private readonly OwnSwitchOffs _own = new();

    /// <summary>Marks the key as switched off by a revocation, with the versions that are off already.</summary>
    public async Task MarkRevokedAsync(string keyUri, IReadOnlyList<CmekCluster> clusters, Operation op)
    {
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        IReadOnlyList<JsonObject> versions = await cloud.ListVersionsAsync(keyUri, op.Cancellation).ConfigureAwait(false);
        if (!versions.Any(v => GcpKeyReader.State(v) is "ENABLED" or "DISABLED"))
        {
            // There is nothing that this revocation could switch off.
            return;
        }

        JsonObject[] before = [.. versions];
        if (versions.Any(v => GcpKeyReader.State(v) != "ENABLED"))
        {
            IReadOnlySet<string> own = _own.Read(op);
            before = [.. versions.Where(v => !own.Contains(v["name"]!.ToString()))];
        }

        await RevokedLabel.PutAsync(cloud, keyUri, clusters, before, op).ConfigureAwait(false);
    }

    /// <summary>Disables every enabled version.</summary>
    public async Task DisableKeyAsync(string keyUri, Operation op)
    {
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        foreach (JsonObject version in await cloud.ListVersionsAsync(keyUri, op.Cancellation).ConfigureAwait(false))
        {
            if (GcpKeyReader.State(version) == "ENABLED")
            {
                string name = version["name"]!.ToString();
                if (await op.ChangeAsync(
                    new PlannedChange(
                        "cloudkms:cryptoKeyVersions.patch",
                        name,
                        $"disable version {GcpKeyReader.Version(version)}",
                        Before: version.DeepClone()),
                    token => cloud.SetVersionStateAsync(name, "DISABLED", token),
                    token => IsAsync(cloud, name, "DISABLED", token)).ConfigureAwait(false))
                {
                    _own.Note(name, op);
                }
            }
        }
    }

    /// <summary>Makes a new version and makes it primary.</summary>
    public async Task<CmekKeyRotation?> RotateKeyAsync(string keyUri, Operation op)
    {
        CmekKey known = await reader.GetKeyAsync(keyUri, op).ConfigureAwait(false);
        GcpKeyReader.RequireUsable(known);
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        RequireRotatable(known, await GcpKeyReader.KeyOrThrowAsync(cloud, GcpNames.ParseKey(keyUri), op).ConfigureAwait(false));
        JsonObject? newest = await UnfinishedAsync(cloud, known, op).ConfigureAwait(false);
        if (newest is not null)
        {
            await op.Host.VerboseAsync($"{newest["name"]} was made by a rotation that did not end; it is used.").ConfigureAwait(false);
        }
        else if (!await op.ChangeAsync(
            new PlannedChange(
                "cloudkms:cryptoKeyVersions.create",
                keyUri,
                "make a new key version",
                Before: JsonValue.Create(known.PrimaryVersion)),
            async token => newest = await LostAnswerRetry.SendAsync(
                op,
                $"the new version of {keyUri}",
                t => cloud.CreateVersionAsync(keyUri, t),
                _ => UnfinishedAsync(cloud, known, op),
                TimeSpan.Zero,
                token).ConfigureAwait(false)).ConfigureAwait(false))
        {
            return null;
        }

        newest = await WhenEnabledAsync(cloud, newest!, keyUri, op).ConfigureAwait(false);
        string id = GcpKeyReader.Version(newest);
        bool made = await op.ChangeAsync(
            new PlannedChange(
                RotationChange,
                keyUri,
                $"make version {id} primary",
                $$"""{"cryptoKeyVersionId":"{{id}}"}""",
                JsonValue.Create(known.PrimaryVersion),
                JsonValue.Create(id)),
            token => cloud.SetPrimaryVersionAsync(keyUri, id, token),
            async token =>
                (await cloud.GetKeyAsync(keyUri, token).ConfigureAwait(false))["primary"] is JsonObject now
                    && GcpKeyReader.Version(now) == id).ConfigureAwait(false);
        if (made)
        {
            await UsedAsync(cloud, keyUri, id, op).ConfigureAwait(false);
        }

        return made
            ? new CmekKeyRotation { KeyUri = keyUri, Before = known.PrimaryVersion, After = id, At = op.Session.Time.GetUtcNow() }
            : null;
    }

    // The material of such keys comes from outside: Cloud KMS can make no new one.
    private static void RequireRotatable(CmekKey known, JsonObject key)
    {
        bool imported = key["importOnly"]?.ToString() == "true";
        if (imported || known.ProtectionLevel is "EXTERNAL" or "EXTERNAL_VPC")
        {
            throw new CmekException(
                "KeyRotationUnsupported",
                CmekErrorKind.InvalidOperation,
                known.KeyUri
                    + (imported ? " takes imported material only" : $" has its material outside of Google ({known.ProtectionLevel})")
                    + "; no new version can be made here. Nothing was sent.",
                imported
                    ? "gcloud kms keys versions import, then gcloud kms keys set-primary-version; Update-CmekCluster -Rewrap wraps "
                        + "the store key under it."
                    : "Make the new version in the external key manager and with gcloud kms keys versions create, then gcloud kms "
                        + "keys set-primary-version.",
                known.KeyUri);
        }
    }

    // A new primary version is used within a minute as a rule, exceptionally hours later
    // (https://cloud.google.com/kms/docs/consistency). What is wrapped before is wrapped under the old one.
    private static async Task UsedAsync(IGoogleCloud cloud, string keyUri, string id, Operation op)
    {
        long start = op.Session.Time.GetTimestamp();
        while (true)
        {
            string? used;
            try
            {
                used = await cloud.EncryptingVersionAsync(keyUri, op.Cancellation).ConfigureAwait(false);
            }
            catch (CmekServiceException e) when (e.StatusCode is 400 or 403)
            {
                await op.Host.WarningAsync(
                    $"Whether version {id} of {keyUri} is used already was not seen ({e.ErrorId}: "
                        + "cloudkms.cryptoKeyVersions.useToEncrypt tells). It is within a minute as a rule.").ConfigureAwait(false);
                return;
            }

            if (used == id)
            {
                return;
            }

            TimeSpan waited = op.Session.Time.GetElapsedTime(start);
            if (waited > op.Timings.PropagationLimit)
            {
                await op.Host.WarningAsync(
                    $"Version {id} of {keyUri} is primary, and after {waited.TotalMinutes:0.#} min version {used} still encrypts. Run "
                        + "Update-CmekCluster -Rewrap again later.").ConfigureAwait(false);
                return;
            }

            await op.Host.ProgressAsync(
                new OperationProgress(
                    "Waiting for the key version",
                    $"version {used} still encrypts ({waited.TotalSeconds:0} s)")).ConfigureAwait(false);
            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
        }
    }

    /// <summary>Schedules the destruction of every version.</summary>
    public async Task<DateTimeOffset?> ScheduleDeletionAsync(string keyUri, int days, Operation op)
    {
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        JsonObject key = await GcpKeyReader.KeyOrThrowAsync(cloud, GcpNames.ParseKey(keyUri), op).ConfigureAwait(false);
        string wait = Wait(key);
        await op.Host.VerboseAsync(
            $"On Google Cloud the waiting time is the key's own ({wait}), set when it was made; {days} days cannot be asked for.")
                .ConfigureAwait(false);
        if (key["rotationPeriod"] is not null)
        {
            // Else a new version would be made and become primary while the old ones wait.
            await op.ChangeAsync(
                new PlannedChange("cloudkms:cryptoKeys.patch", keyUri, "stop the automatic rotation", Before: Rotation(key)),
                token => cloud.PatchKeyAsync(keyUri, RotationMask, [], token)).ConfigureAwait(false);
        }

        DateTimeOffset? last = null;
        foreach (JsonObject version in await cloud.ListVersionsAsync(keyUri, op.Cancellation).ConfigureAwait(false))
        {
            JsonObject after = version;
            if (GcpKeyReader.State(version) is "ENABLED" or "DISABLED")
            {
                string name = version["name"]!.ToString();
                bool done = await op.ChangeAsync(
                    new PlannedChange(
                        "cloudkms:cryptoKeyVersions.destroy",
                        name,
                        $"disable version {GcpKeyReader.Version(version)} and schedule its destruction for {Ends(key, op)} (in {wait}); "
                            + "until then it can be rescued, afterwards nothing that it encrypted can be read",
                        Before: version.DeepClone()),
                    async token =>
                    {
                        // An organization may demand it (constraints/cloudkms.disableBeforeDestroy), and it ends the use at once.
                        if (GcpKeyReader.State(version) == "ENABLED")
                        {
                            await cloud.SetVersionStateAsync(name, "DISABLED", token).ConfigureAwait(false);
                        }

                        after = await cloud.DestroyVersionAsync(name, token).ConfigureAwait(false);
                    },
                    async token =>
                        GcpKeyReader.State(
                            after = await cloud.GetVersionAsync(name, token).ConfigureAwait(false)) is "DESTROY_SCHEDULED" or "DESTROYED")
                    .ConfigureAwait(false);
                if (!done)
                {
                    continue;
                }
            }

            DateTimeOffset? time = GcpKeyReader.Time(after["destroyTime"]);
            last = last is null || time > last ? time : last;
        }

        return last;
    }

    /// <summary>Rescues and enables versions; touches no policy.</summary>
    public async Task ReviveKeyAsync(string keyUri, Revival how, Operation op)
    {
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        await ReviveVersionsAsync(cloud, GcpNames.ParseKey(keyUri), null, how, op).ConfigureAwait(false);
        await RestoreRotationAsync(cloud, keyUri, null, op).ConfigureAwait(false);
    }

    private static async Task<JsonObject?> UnfinishedAsync(IGoogleCloud cloud, CmekKey known, Operation op)
    {
        IReadOnlyList<JsonObject> versions = await cloud.ListVersionsAsync(known.KeyUri!, op.Cancellation).ConfigureAwait(false);
        return versions.Count > 0
            && versions[^1] is { } newest
            && GcpKeyReader.State(newest) is "ENABLED" or "PENDING_GENERATION"
            && Number(GcpKeyReader.Version(newest)) > Number(known.PrimaryVersion)
            && GcpKeyReader.Time(newest["createTime"]) is { } made
            && op.Session.Time.GetUtcNow() - made < s_unfinished ? newest : null;
    }

    private static async Task<JsonObject> WhenEnabledAsync(IGoogleCloud cloud, JsonObject version, string keyUri, Operation op)
    {
        string name = version["name"]!.ToString();
        long start = op.Session.Time.GetTimestamp();
        while (GcpKeyReader.State(version) != "ENABLED")
        {
            bool pending = GcpKeyReader.State(version) == "PENDING_GENERATION";
            if (!pending || op.Session.Time.GetElapsedTime(start) > op.Timings.PropagationLimit)
            {
                throw new CmekException(
                    "RotationNotSeen",
                    pending ? CmekErrorKind.OperationTimeout : CmekErrorKind.InvalidOperation,
                    $"{name} is {GcpKeyReader.State(version)}"
                        + (version["generationFailureReason"] is { } why ? $": {why}" : string.Empty)
                        + "; the primary version was left as it is.",
                    pending ? "Run the command again: it goes on with this version." : "Run the command again: it makes another version.",
                    keyUri);
            }

            await op.Host.ProgressAsync(
                new OperationProgress("Waiting for the key version", GcpKeyReader.State(version))).ConfigureAwait(false);
            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
            version = await cloud.GetVersionAsync(name, op.Cancellation).ConfigureAwait(false);
        }

        return version;
    }

    /// <summary>A key's automatic rotation as it is written into a patch; empty where it has none.</summary>
    public static JsonObject Rotation(JsonObject key) => key["rotationPeriod"] is { } period
        ? new JsonObject { ["rotationPeriod"] = period.DeepClone(), ["nextRotationTime"] = key["nextRotationTime"]?.DeepClone() }
        : [];

    /// <summary>Turns the automatic rotation on again that a key had: by a receipt, or else by the label of the revocation.</summary>
    public static async Task RestoreRotationAsync(IGoogleCloud cloud, string keyUri, JsonObject? was, Operation op)
    {
        JsonObject now = await GcpKeyReader.KeyOrThrowAsync(cloud, GcpNames.ParseKey(keyUri), op).ConfigureAwait(false);
        JsonObject? rotation = was?["rotationPeriod"] is null ? RevokedLabel.Rotation(now) : was;
        if (rotation is null || now["rotationPeriod"] is not null)
        {
            return;
        }

        JsonObject patch = rotation.DeepClone().AsObject();
        DateTimeOffset soon = op.Session.Time.GetUtcNow().AddDays(1);
        if (GcpKeyReader.Time(patch["nextRotationTime"]) is not { } next || next < soon)
        {
            // A time that has passed is refused.
            patch["nextRotationTime"] = soon.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        }

        await op.ChangeAsync(
            new PlannedChange(
                "cloudkms:cryptoKeys.patch",
                keyUri,
                "turn the automatic rotation on again",
                patch.ToJsonString(GcpJson.Indented),
                After: patch.DeepClone()),
            token => cloud.PatchKeyAsync(keyUri, RotationMask, patch, token)).ConfigureAwait(false);
    }

    private const string RotationMask = "rotationPeriod,nextRotationTime";

    private static string Ends(JsonObject key, Operation op)
    {
        string? text = key["destroyScheduledDuration"]?.ToString();
        TimeSpan wait = long.TryParse(text?.TrimEnd('s'), NumberStyles.None, CultureInfo.InvariantCulture, out long seconds)
            ? TimeSpan.FromSeconds(seconds)
            : TimeSpan.FromDays(30);
        return (op.Session.Time.GetUtcNow() + wait).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
    }

    private static string Wait(JsonObject key)
    {
        string? text = key["destroyScheduledDuration"]?.ToString();
        return long.TryParse(text?.TrimEnd('s'), NumberStyles.None, CultureInfo.InvariantCulture, out long seconds)
            ? seconds % 86400 == 0 ? $"{seconds / 86400} days" : $"{seconds / 3600.0:0.#} hours"
            : text ?? "30 days, the default";
    }

    // Rescues what is scheduled for destruction and enables it; what the key's label or a snapshot says was off before stays off. The
    // primary version of a key in use is enabled in any case: without it the key is of no use.
    internal static async Task ReviveVersionsAsync(IGoogleCloud cloud, GcpKeyName key, JsonObject? snapshot, Revival how, Operation op)
    {
        bool inUse = how == Revival.ForUse;
        JsonObject seen = await GcpKeyReader.KeyOrThrowAsync(cloud, key, op).ConfigureAwait(false);
        string? primary = seen["primary"] is JsonObject main ? GcpKeyReader.Version(main) : null;
        Dictionary<string, string> was = ((snapshot?["versions"] as JsonArray) ?? []).OfType<JsonObject>().ToDictionary(
            v => v["version"]?.ToString() ?? string.Empty,
            GcpKeyReader.State);
        Dictionary<string, string> labelled = new(RevokedLabel.Off(seen));
        foreach ((string version, string state) in labelled)
        {
            // Whoever may label a key may write this: what a receipt has as on was on.
            was[version] = was.GetValueOrDefault(version) == "ENABLED" ? "ENABLED" : state;
        }

        // What neither of them names was on, where it was a revocation that switched the key off.
        bool marked = RevokedLabel.Read(seen) is not null;
        bool told = how == Revival.AsItWas || marked;
        bool untold = RevokedLabel.TellsNotAll(seen);
        if (marked && !untold && snapshot?["switched_off"]?.ToString() != "false")
        {
            // A second revocation, perhaps on another machine, finds off what the first one has switched off: its receipt says nothing of
            // what was before that. The mark is the first one's; a receipt that was written before there was a mark knows better.
            foreach (string version in was.Where(v => v.Value != "ENABLED" && !labelled.ContainsKey(v.Key)).Select(v => v.Key).ToArray())
            {
                was.Remove(version);
            }
        }

        List<string> off = [];
        List<string> doomed = [];
        foreach (JsonObject one in await cloud.ListVersionsAsync(key.ToString(), op.Cancellation).ConfigureAwait(false))
        {
            string id = GcpKeyReader.Version(one);
            string name = one["name"]!.ToString();
            string state = GcpKeyReader.State(one);
            string? before = was.GetValueOrDefault(id);
            bool rescued = false;
            if (state == "DESTROY_SCHEDULED" && (before != "DESTROY_SCHEDULED" || (inUse && id == primary)))
            {
                rescued = await op.ChangeAsync(
                    new PlannedChange(
                        "cloudkms:cryptoKeyVersions.restore",
                        name,
                        $"rescue version {id} from destruction",
                        Before: one.DeepClone()),
                    token => cloud.RestoreVersionAsync(name, token),
                    async token =>
                        GcpKeyReader.State(await cloud.GetVersionAsync(name, token).ConfigureAwait(false)) is "DISABLED" or "ENABLED")
                    .ConfigureAwait(false) || op.Host.WhatIf;
                state = rescued ? "DISABLED" : state;
            }

            if (state == "DESTROY_SCHEDULED" && !rescued)
            {
                doomed.Add(id);
            }

            bool wanted = (inUse && id == primary) || before == "ENABLED" || (before is null && (rescued || told) && !untold);
            if (state == "DISABLED" && wanted)
            {
                await op.ChangeAsync(
                    new PlannedChange(
                        "cloudkms:cryptoKeyVersions.patch",
                        name,
                        $"enable version {id}",
                        """{"state":"ENABLED"}""",
                        JsonValue.Create(state),
                        JsonValue.Create("ENABLED")),
                    token => cloud.SetVersionStateAsync(name, "ENABLED", token),
                    token => IsAsync(cloud, name, "ENABLED", token)).ConfigureAwait(false);
            }
            else if (state == "DISABLED" && before is null)
            {
                off.Add(id);
            }
        }

        if (doomed.Count > 0)
        {
            await op.Host.WarningAsync(
                $"Of {key} these versions were scheduled to be destroyed before the revocation, and stay so: {string.Join(", ", doomed)}. "
                    + $"gcloud kms keys versions restore VERSION --key {key} rescues one.").ConfigureAwait(false);
        }

        if (off.Count > 0)
        {
            await op.Host.WarningAsync(
                $"Of {key} these versions stay disabled: {string.Join(", ", off)}. What was encrypted under them cannot be read until "
                    + $"gcloud kms keys versions enable VERSION --key {key}.").ConfigureAwait(false);
        }
    }

    private static async Task<bool> IsAsync(IGoogleCloud cloud, string version, string state, CancellationToken cancellation) =>
        GcpKeyReader.State(await cloud.GetVersionAsync(version, cancellation).ConfigureAwait(false)) == state;

    private static int Number(string? version) =>
        int.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : 0;
}
