using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>One version of a key, with its material.</summary>
internal sealed class GcpKeyVersion(string name, string algorithm, string protection, TimeProvider clock)
{
    private readonly string _created = GcpTime.Text(clock.GetUtcNow());
    private DateTimeOffset? _destroyAt;
    private string _state = "ENABLED";

    public string Name { get; } = name;

    public string Id => Name[(Name.LastIndexOf('/') + 1)..];

    public string Protection { get; } = protection;

    public string Algorithm { get; } = algorithm;

    public byte[] Material { get; } = RandomNumberGenerator.GetBytes(32);

    public string State => _state == "DESTROY_SCHEDULED" && _destroyAt <= clock.GetUtcNow() ? "DESTROYED" : _state;

    public void SetState(string? state)
    {
        if (state is not ("ENABLED" or "DISABLED"))
        {
            throw GcpErrorException.Invalid($"State {state} cannot be set.");
        }

        if (State is not ("ENABLED" or "DISABLED"))
        {
            throw GcpErrorException.Precondition($"{Name} is {State}; it cannot be made {state}.");
        }

        _state = state;
    }

    public void Destroy(TimeSpan after)
    {
        if (State is not ("ENABLED" or "DISABLED"))
        {
            throw GcpErrorException.Precondition($"{Name} is {State}; it cannot be destroyed.");
        }

        _state = "DESTROY_SCHEDULED";
        _destroyAt = clock.GetUtcNow() + after;
    }

    public void Restore()
    {
        if (State != "DESTROY_SCHEDULED")
        {
            throw GcpErrorException.Precondition($"{Name} is {State}; it cannot be restored.");
        }

        _state = "DISABLED";
        _destroyAt = null;
    }

    public JsonObject ToJson()
    {
        JsonObject json = new()
        {
            ["name"] = Name,
            ["state"] = State,
            ["protectionLevel"] = Protection,
            ["algorithm"] = Algorithm,
            ["createTime"] = _created,
            ["generateTime"] = _created,
        };
        if (_destroyAt is { } time)
        {
            json[State == "DESTROYED" ? "destroyEventTime" : "destroyTime"] = GcpTime.Text(time);
        }

        return json;
    }
}
