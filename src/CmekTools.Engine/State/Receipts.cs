using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.State;

/// <summary>One access in a receipt, with everything as it was before the cut.</summary>
internal sealed record ReceiptAccess(string Region, string KeyUri, string AuthPrincipal, AccessSnapshot Snapshot)
{
    /// <summary>What tells accesses apart: a region's current and past keys are all there.</summary>
    public string Identity => $"{KeyUri}\n{AuthPrincipal}";
}

/// <summary>A receipt as it lies on disk: plain JSON, version 1.</summary>
internal sealed record ReceiptDocument
{
    private const string Format = "cmektools/receipt";
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

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

    /// <summary>The public head of the receipt.</summary>
    public CmekReceipt ToPublic(string path) => new()
    {
        Id = Id,
        ClusterId = ClusterId,
        ClusterName = ClusterName,
        OrganizationId = OrganizationId,
        CreatedAt = CreatedAt,
        RestoredAt = RestoredAt,
        Path = path,
        Accesses = [.. Accesses.Select(a => new CmekAccess { ClusterId = ClusterId, ClusterName = ClusterName, Provider = Provider, Region = a.Region, KeyUri = a.KeyUri, AuthPrincipal = a.AuthPrincipal })],
    };

    /// <summary>The file's text.</summary>
    public string ToText() => new JsonObject
    {
        ["format"] = Format,
        ["version"] = 1,
        ["id"] = Id,
        ["created_at"] = CreatedAt.ToString("O", CultureInfo.InvariantCulture),
        ["restored_at"] = RestoredAt?.ToString("O", CultureInfo.InvariantCulture),
        ["organization_id"] = OrganizationId,
        ["cluster"] = new JsonObject { ["id"] = ClusterId, ["name"] = ClusterName, ["provider"] = Provider.ToString(), ["account_id"] = AccountId },
        ["status_before"] = StatusBefore,
        ["accesses"] = new JsonArray([.. Accesses.Select(a => (JsonNode)new JsonObject
        {
            ["region"] = a.Region,
            ["key_uri"] = a.KeyUri,
            ["auth_principal"] = a.AuthPrincipal,
            ["snapshot"] = new JsonObject { ["kind"] = a.Snapshot.Kind, ["data"] = a.Snapshot.Data.DeepClone() },
        })]),
    }.ToJsonString(s_indented) + "\n";

    /// <summary>Reads a file's text.</summary>
    /// <exception cref="CmekException"><c>ReceiptInvalid</c>.</exception>
    public static ReceiptDocument Parse(string text, string path)
    {
        try
        {
            JsonObject json = JsonNode.Parse(text)?.AsObject() ?? throw new JsonException("it is empty.");
            if ((string?)json["format"] != Format || (int?)json["version"] != 1)
            {
                throw new JsonException($"its format is {json["format"]} {json["version"]}, not {Format} 1; a newer CmekTools may have written it.");
            }

            JsonObject cluster = json["cluster"]!.AsObject();
            return new ReceiptDocument
            {
                Id = (string)json["id"]!,
                CreatedAt = DateTimeOffset.Parse((string)json["created_at"]!, CultureInfo.InvariantCulture),
                RestoredAt = json["restored_at"] is { } restored ? DateTimeOffset.Parse((string)restored!, CultureInfo.InvariantCulture) : null,
                OrganizationId = (string)json["organization_id"]!,
                ClusterId = (string)cluster["id"]!,
                ClusterName = (string)cluster["name"]!,
                Provider = Enum.Parse<CmekProvider>((string)cluster["provider"]!),
                AccountId = (string?)cluster["account_id"],
                StatusBefore = (string?)json["status_before"],
                Accesses =
                [
                    .. json["accesses"]!.AsArray().Select(a => new ReceiptAccess(
                        (string)a!["region"]!,
                        (string)a["key_uri"]!,
                        (string)a["auth_principal"]!,
                        new AccessSnapshot((string)a["snapshot"]!["kind"]!, a["snapshot"]!["data"]!.DeepClone().AsObject()))),
                ],
            };
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or NullReferenceException or ArgumentException)
        {
            throw new CmekException("ReceiptInvalid", CmekErrorKind.InvalidData, $"{path} is not a receipt of CmekTools: {e.Message}", "Get-CmekReceipt lists the receipts.", path, e);
        }
    }
}

/// <summary>The folder of receipts: one file a revocation, never overwritten by another's.</summary>
internal sealed class ReceiptStore(string stateFolder)
{
    /// <summary>The folder.</summary>
    public string Folder { get; } = Path.Combine(stateFolder, "receipts");

    /// <summary>Every receipt, newest first. A file that is no receipt is passed over.</summary>
    public IReadOnlyList<(string Path, ReceiptDocument Document)> List()
    {
        List<(string Path, ReceiptDocument Document)> found = [];
        if (Directory.Exists(Folder))
        {
            foreach (string path in Directory.GetFiles(Folder, "*.json"))
            {
                try
                {
                    found.Add((path, Load(path)));
                }
                catch (CmekException e) when (e.ErrorId is "ReceiptInvalid" or "ReceiptUnreadable")
                {
                    // Another program's file, one of a newer version, or one that cannot be read: none of them may stop a break-glass.
                }
            }
        }

        return [.. found.OrderByDescending(r => r.Document.CreatedAt)];
    }

    /// <summary>The newest receipt of a cluster whose revocation still stands, or null.</summary>
    public (string Path, ReceiptDocument Document)? NewestOpen(string clusterId)
    {
        foreach ((string path, ReceiptDocument document) in List())
        {
            if (document.ClusterId == clusterId && document.RestoredAt is null)
            {
                return (path, document);
            }
        }

        return null;
    }

    /// <summary>Reads one.</summary>
    /// <exception cref="CmekException"><c>ReceiptUnreadable</c> or <c>ReceiptInvalid</c>.</exception>
    public static ReceiptDocument Load(string path)
    {
        try
        {
            return ReceiptDocument.Parse(File.ReadAllText(path), path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CmekException("ReceiptUnreadable", CmekErrorKind.ReadError, $"The receipt {path} cannot be read: {e.Message}", "Get-CmekReceipt lists the receipts.", path, e);
        }
    }

    /// <summary>A file name for a new receipt.</summary>
    public string PathFor(ReceiptDocument document)
    {
        string name = new([.. document.ClusterName.Select(c => char.IsAsciiLetterOrDigit(c) || c == '-' ? c : '_')]);
        return Path.Combine(Folder, $"{name}-{document.CreatedAt.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture)}-{document.Id}.json");
    }

    /// <summary>Writes one, whole or not at all.</summary>
    /// <exception cref="CmekException"><c>ReceiptUnwritable</c>: the change that it is for must not be made.</exception>
    public static void Save(string path, ReceiptDocument document)
    {
        try
        {
            StateFiles.WriteWhole(path, document.ToText());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CmekException("ReceiptUnwritable", CmekErrorKind.WriteError, $"The receipt {path} cannot be written: {e.Message}", "Free space or mend the permissions, or set CMEKTOOLS_STATE to another folder and connect again, and run the command again: nothing is done without a receipt, and nothing is done twice.", path, e);
        }
    }
}
