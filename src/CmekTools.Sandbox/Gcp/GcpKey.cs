using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>A key with its versions.</summary>
internal sealed class GcpKey
{
    private readonly List<GcpKeyVersion> _versions = [];
    private readonly TimeProvider _clock;
    private readonly string _created;
    private JsonObject _settings;
    private GcpKeyVersion? _primary;
    private GcpKeyVersion? _before;
    private DateTimeOffset _since;

    private GcpKey(string name, JsonObject settings, TimeProvider clock)
    {
        _clock = clock;
        _created = GcpTime.Text(clock.GetUtcNow());
        Name = name;
        _settings = settings;
    }

    public string Name { get; }

    public string Purpose => _settings["purpose"]!.ToString();

    public IReadOnlyList<GcpKeyVersion> Versions => _versions;

    public GcpKeyVersion? Primary => _primary;

    /// <summary>A new primary version is not used everywhere at once: for a while the one before it encrypts.</summary>
    public GcpKeyVersion? EncryptsWith(TimeSpan lag) => _before is not null && _clock.GetUtcNow() - _since < lag ? _before : _primary;

    public bool ImportOnly => _settings["importOnly"] is not null;

    public TimeSpan DestroyAfter => GcpTime.Seconds(_settings["destroyScheduledDuration"]?.ToString()) ?? TimeSpan.FromDays(30);

    private string Algorithm => _settings["versionTemplate"]!["algorithm"]!.ToString();

    private string Protection => _settings["versionTemplate"]!["protectionLevel"]!.ToString();

    public static GcpKey Create(string name, JsonObject body, TimeProvider clock)
    {
        string purpose = body["purpose"]?.ToString() ?? throw GcpErrorException.Invalid("purpose is required.");
        Known("purpose", purpose, "ENCRYPT_DECRYPT", "ASYMMETRIC_SIGN", "ASYMMETRIC_DECRYPT", "RAW_ENCRYPT_DECRYPT", "MAC");
        Known(
            "protectionLevel",
            body["versionTemplate"]?["protectionLevel"]?.ToString() ?? "SOFTWARE",
            "SOFTWARE",
            "HSM",
            "EXTERNAL",
            "EXTERNAL_VPC");
        if (body["destroyScheduledDuration"] is { } wait
            && GcpTime.Seconds(wait.ToString()) is not { TotalHours: >= 24, TotalDays: <= 120 })
        {
            throw GcpErrorException.Invalid("destroy_scheduled_duration must be between 24 hours and 120 days.");
        }

        string? algorithm = body["versionTemplate"]?["algorithm"]?.ToString() ?? purpose switch
        {
            "ENCRYPT_DECRYPT" => "GOOGLE_SYMMETRIC_ENCRYPTION",
            _ => throw GcpErrorException.Invalid($"versionTemplate.algorithm is required for {purpose}."),
        };
        JsonObject settings = new()
        {
            ["purpose"] = purpose,
            ["versionTemplate"] = new JsonObject
            {
                ["algorithm"] = algorithm,
                ["protectionLevel"] = body["versionTemplate"]?["protectionLevel"]?.ToString() ?? "SOFTWARE",
            },
            ["destroyScheduledDuration"] = body["destroyScheduledDuration"]?.ToString() ?? "2592000s",
        };
        foreach (string field in (string[])["labels", "rotationPeriod", "nextRotationTime"])
        {
            if (body[field] is { } value)
            {
                settings[field] = value.DeepClone();
            }
        }

        if (body["importOnly"]?.GetValue<bool>() == true)
        {
            settings["importOnly"] = true;
        }

        CheckRotation(settings);
        return new GcpKey(name, settings, clock);
    }

    public GcpKeyVersion AddVersion(bool makePrimary)
    {
        GcpKeyVersion version = new($"{Name}/cryptoKeyVersions/{_versions.Count + 1}", Algorithm, Protection, _clock);
        _versions.Add(version);
        if (makePrimary && Purpose == "ENCRYPT_DECRYPT")
        {
            _primary = version;
        }

        return version;
    }

    public GcpKeyVersion Version(string id) =>
        _versions.Find(v => v.Id == id) ?? throw GcpErrorException.NotFound($"CryptoKeyVersion {Name}/cryptoKeyVersions/{id}");

    public void SetPrimary(string id)
    {
        GcpKeyVersion version = Version(id);
        if (Purpose != "ENCRYPT_DECRYPT" || version.State != "ENABLED")
        {
            throw GcpErrorException.Precondition($"{version.Name} cannot be made primary: it is {version.State}.");
        }

        _before = _primary;
        _since = _clock.GetUtcNow();
        _primary = version;
    }

    public void Patch(JsonObject body, string mask)
    {
        // On a copy: what is refused leaves the key as it was.
        JsonObject next = _settings.DeepClone().AsObject();
        foreach (string field in mask.Split(','))
        {
            string name = field.Split('.')[0];
            if (
                name is not (
                    "labels" or "rotationPeriod" or "nextRotationTime" or "versionTemplate" or "rotation_period" or "next_rotation_time"))
            {
                throw GcpErrorException.Invalid($"Field '{field}' is immutable or unknown.");
            }

            name = name switch
            {
                "rotation_period" => "rotationPeriod",
                "next_rotation_time" => "nextRotationTime",
                _ => name,
            };
            if (name == "versionTemplate")
            {
                // The protection level of a key is for life.
                JsonNode? algorithm = field is "versionTemplate" or "versionTemplate.algorithm" ? body[name]?["algorithm"] : null;
                _ = algorithm ?? throw GcpErrorException.Invalid("Only the algorithm of a versionTemplate can be updated.");
                next[name]!["algorithm"] = algorithm.ToString();
            }
            else if (body[name] is { } value)
            {
                next[name] = value.DeepClone();
            }
            else
            {
                next.Remove(name);
            }
        }

        CheckRotation(next);
        _settings = next;
    }

    public JsonObject ToJson()
    {
        JsonObject json = new() { ["name"] = Name, ["createTime"] = _created };
        if (_primary is not null)
        {
            json["primary"] = _primary.ToJson();
        }

        foreach ((string name, JsonNode? value) in _settings)
        {
            json[name] = value?.DeepClone();
        }

        return json;
    }

    private static void Known(string field, string value, params string[] values)
    {
        if (!values.Contains(value))
        {
            throw GcpErrorException.Invalid($"Invalid value at '{field}': \"{value}\".");
        }
    }

    private static void CheckRotation(JsonObject settings)
    {
        if (settings["nextRotationTime"] is { } next && !GcpTime.IsTime(next.ToString()))
        {
            throw GcpErrorException.Invalid($"Invalid value at 'next_rotation_time': \"{next}\".");
        }

        if (settings["rotationPeriod"] is not { } period)
        {
            return;
        }

        if (settings["purpose"]!.ToString() != "ENCRYPT_DECRYPT"
            || GcpTime.Seconds(period.ToString()) is not { } time
            || time < TimeSpan.FromDays(1))
        {
            throw GcpErrorException.Invalid("rotation_period must be at least 24 hours and is only for ENCRYPT_DECRYPT keys.");
        }

        if (settings["nextRotationTime"] is null)
        {
            throw GcpErrorException.Invalid("next_rotation_time must be set with rotation_period.");
        }
    }
}
