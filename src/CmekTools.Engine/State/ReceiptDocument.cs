using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.State;

/// <summary>One access in a receipt, with everything as it was before the cut.</summary>
internal sealed record ReceiptAccess(string Region, string KeyUri, string AuthPrincipal, AccessSnapshot Snapshot)
{
    /// <summary>What tells accesses apart: a region's current and past keys are all there.</summary>
    public string Identity => AccessTarget.IdentityOf(KeyUri, AuthPrincipal);
}

/// <summary>A receipt as it lies on disk: plain JSON, version 2. Version 1 had no seal, and is read.</summary>
internal sealed record ReceiptDocument
{
    private const string Format = "cmektools/receipt";
    private const int Version = 2;
    private const int AccessLimit = 10_000;
    private static readonly JsonSerializerOptions s_indented = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public required string Id { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required string OrganizationId { get; init; }

    public required string ClusterId { get; init; }

    public required string ClusterName { get; init; }

    public required CmekProvider Provider { get; init; }

    public string? AccountId { get; init; }

    public string? StatusBefore { get; init; }

    public IReadOnlyList<ReceiptAccess> Accesses { get; init; } = [];

    public DateTimeOffset? RestoredAt { get; init; }

    /// <summary>
    /// When it was seen that the cluster acts as none of its principals any more: they stay cut off, and nothing is left to be
    /// undone.
    /// </summary>
    public DateTimeOffset? SupersededAt { get; init; }

    /// <summary>
    /// Grows with each time that the receipt is written; 0 in one of an earlier CmekTools. Of two copies the later one counts.
    /// </summary>
    public long Revision { get; init; }

    /// <summary>True while its revocation stands, as far as the file knows.</summary>
    public bool IsOpen => RestoredAt is null && SupersededAt is null;

    /// <summary>The public head of the receipt.</summary>
    public CmekReceipt ToPublic(string path) => new()
    {
        Id = Id,
        ClusterId = ClusterId,
        ClusterName = ClusterName,
        OrganizationId = OrganizationId,
        CreatedAt = CreatedAt,
        RestoredAt = RestoredAt,
        SupersededAt = SupersededAt,
        Path = path,
        Accesses =
        [
            .. Accesses.OrderBy(
                a => a.Region,
                StringComparer.Ordinal).ThenBy(a => a.KeyUri, StringComparer.Ordinal).Select(a => new CmekAccess
            {
                ClusterId = ClusterId,
                ClusterName = ClusterName,
                Provider = Provider,
                Region = a.Region,
                KeyUri = a.KeyUri,
                AuthPrincipal = a.AuthPrincipal,
            }),
        ],
    };

    /// <summary>The receipt as JSON, without a seal.</summary>
    public JsonObject ToJson() => new()
    {
        ["format"] = Format,
        ["version"] = Version,
        ["id"] = Id,
        ["created_at"] = CreatedAt.ToString("O", CultureInfo.InvariantCulture),
        ["restored_at"] = RestoredAt?.ToString("O", CultureInfo.InvariantCulture),
        ["superseded_at"] = SupersededAt?.ToString("O", CultureInfo.InvariantCulture),
        ["revision"] = Revision,
        ["organization_id"] = OrganizationId,
        ["cluster"] = new JsonObject
        {
            ["id"] = ClusterId,
            ["name"] = ClusterName,
            ["provider"] = Provider.ToString(),
            ["account_id"] = AccountId,
        },
        ["status_before"] = StatusBefore,
        ["accesses"] = new JsonArray([.. Accesses.Select(a => (JsonNode)new JsonObject
        {
            ["region"] = a.Region,
            ["key_uri"] = a.KeyUri,
            ["auth_principal"] = a.AuthPrincipal,
            ["snapshot"] = new JsonObject { ["kind"] = a.Snapshot.Kind, ["data"] = a.Snapshot.Data.DeepClone() },
        })]),
    };

    /// <summary>The file's text.</summary>
    public static string ToText(JsonObject json) => json.ToJsonString(s_indented) + "\n";

    /// <summary>Reads a file's text.</summary>
    /// <exception cref="CmekException"><c>ReceiptInvalid</c>: it is no receipt, or one of a newer version.</exception>
    public static JsonObject Read(string text, string path)
    {
        try
        {
            JsonObject json = SafeJson.ParseObject(text);
            int? version = json["version"] is JsonValue value && value.TryGetValue(out int number) ? number : null;
            if (json["format"] is not JsonValue format || !format.TryGetValue(out string? name) || name != Format || version is null or < 1)
            {
                throw new JsonException($"its format is not {Format}.");
            }

            return version <= Version
                ? json
                : throw new CmekException(
                    "ReceiptInvalid",
                    CmekErrorKind.InvalidData,
                    $"{path} is a receipt of version {version}; this CmekTools reads versions 1 to {Version}.",
                    "Update CmekTools (a newer one wrote the receipt), start a new session, and run the command again.",
                    path);
        }
        catch (JsonException e)
        {
            throw Invalid(path, e);
        }
    }

    /// <summary>Takes a receipt out of its JSON.</summary>
    /// <exception cref="CmekException"><c>ReceiptInvalid</c>.</exception>
    public static ReceiptDocument Parse(JsonObject json, string path)
    {
        try
        {
            JsonObject cluster = json["cluster"]!.AsObject();
            JsonArray accesses = json["accesses"]!.AsArray();
            if (accesses.Count > AccessLimit)
            {
                throw new FormatException($"it has {accesses.Count} accesses, and {AccessLimit} is the most that is read.");
            }

            return new ReceiptDocument
            {
                Id = (string)json["id"]!,
                CreatedAt = DateTimeOffset.Parse((string)json["created_at"]!, CultureInfo.InvariantCulture),
                RestoredAt = json["restored_at"] is { } restored
                    ? DateTimeOffset.Parse((string)restored!, CultureInfo.InvariantCulture)
                    : null,
                SupersededAt = json["superseded_at"] is { } superseded
                    ? DateTimeOffset.Parse((string)superseded!, CultureInfo.InvariantCulture)
                    : null,
                Revision = json["revision"] is { } revision ? (long)revision : 0,
                OrganizationId = (string)json["organization_id"]!,
                ClusterId = (string)cluster["id"]!,
                ClusterName = (string)cluster["name"]!,
                Provider = Enum.Parse<CmekProvider>((string)cluster["provider"]!),
                AccountId = (string?)cluster["account_id"],
                StatusBefore = (string?)json["status_before"],
                Accesses =
                [
                    .. accesses.Select(a => new ReceiptAccess(
                        (string)a!["region"]!,
                        (string)a["key_uri"]!,
                        (string)a["auth_principal"]!,
                        new AccessSnapshot((string)a["snapshot"]!["kind"]!, a["snapshot"]!["data"]!.DeepClone().AsObject()))),
                ],
            };
        }
        catch (Exception e) when (
            e is JsonException or FormatException or OverflowException or InvalidOperationException or NullReferenceException
                or ArgumentException)
        {
            throw Invalid(path, e);
        }
    }

    private static CmekException Invalid(string path, Exception e) => new(
        "ReceiptInvalid",
        CmekErrorKind.InvalidData,
        $"{path} is not a receipt of CmekTools: {e.Message}",
        "Get-CmekReceipt lists the receipts.",
        path,
        e);
}
