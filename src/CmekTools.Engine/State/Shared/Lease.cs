using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.State.Shared;

/// <summary>Who works on a cluster. It is a word among colleagues and carries no seal: nothing is given to anybody because of it.</summary>
internal sealed record Lease
{
    private const string Format = "cmektools/lease";
    private const int TextLimit = 120;

    /// <summary>The cluster's id.</summary>
    public required string ClusterId { get; init; }

    /// <summary>The cluster's name.</summary>
    public required string ClusterName { get; init; }

    /// <summary>What tells one holding from another.</summary>
    public required string Token { get; init; }

    /// <summary>The user, and who he is to a cloud where that is known.</summary>
    public required string Holder { get; init; }

    /// <summary>The machine.</summary>
    public required string Machine { get; init; }

    /// <summary>The command.</summary>
    public required string Command { get; init; }

    /// <summary>Since when.</summary>
    public required DateTimeOffset Since { get; init; }

    /// <summary>When it was said last that it is still held.</summary>
    public required DateTimeOffset RenewedAt { get; init; }

    /// <summary>True where its holder has ended.</summary>
    public bool Released { get; init; }

    /// <summary>The document's name in a shared place.</summary>
    public static string NameOf(string clusterId) => SharedNames.Of(SharedNames.Leases, clusterId.ToLowerInvariant() + ".json");

    /// <summary>
    /// True where it stands: it was not released, and was renewed within its time. One that says it was renewed in the future is no
    /// better than one that was not, for nobody knows when it would end; clocks may differ by the time that a lease holds.
    /// </summary>
    /// <param name="now">The time here.</param>
    /// <param name="holds">How long one holds after it was renewed last.</param>
    public bool Stands(DateTimeOffset now, TimeSpan holds) => !Released && now - RenewedAt < holds && RenewedAt - now < holds;

    /// <summary>Who, where and with what, for a message.</summary>
    public string Words(DateTimeOffset now)
    {
        TimeSpan age = now - Since;
        string ago = age.TotalMinutes >= 2 ? $"{age.TotalMinutes:0} minutes" : $"{Math.Max(0, age.TotalSeconds):0} seconds";
        return $"{Holder} on {Machine} with {Command} for {ago} (since "
            + $"{Since.UtcDateTime.ToString("HH:mm:ss", CultureInfo.InvariantCulture)}Z)";
    }

    /// <summary>The document.</summary>
    public string ToText() => new JsonObject
    {
        ["format"] = Format,
        ["version"] = 1,
        ["cluster"] = new JsonObject { ["id"] = ClusterId, ["name"] = ClusterName },
        ["token"] = Token,
        ["holder"] = Holder,
        ["machine"] = Machine,
        ["command"] = Command,
        ["since"] = Text(Since),
        ["renewed_at"] = Text(RenewedAt),
        ["released"] = Released,
    }.ToJsonString() + "\n";

    /// <summary>Reads a document; null where it is no lease: then nobody holds any.</summary>
    public static Lease? Read(string text)
    {
        try
        {
            JsonObject json = SafeJson.ParseObject(text);
            return (string?)json["format"] != Format || (int?)json["version"] != 1 ? null : new Lease
            {
                ClusterId = Short(json["cluster"]!["id"]),
                ClusterName = Short(json["cluster"]!["name"]),
                Token = Short(json["token"]),
                Holder = Short(json["holder"]),
                Machine = Short(json["machine"]),
                Command = Short(json["command"]),
                Since = Time(json["since"]),
                RenewedAt = Time(json["renewed_at"]),
                Released = (bool?)json["released"] ?? false,
            };
        }
        catch (Exception e) when (
            e is JsonException or FormatException or InvalidOperationException or NullReferenceException or ArgumentException)
        {
            return null;
        }
    }

    private static string Text(DateTimeOffset at) => at.ToString("O", CultureInfo.InvariantCulture);

    private static DateTimeOffset Time(JsonNode? node) => DateTimeOffset.Parse((string)node!, CultureInfo.InvariantCulture);

    private static string Short(JsonNode? node) => (string)node! is { Length: > TextLimit } text ? text[..TextLimit] + "…" : (string)node!;
}
