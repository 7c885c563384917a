using System.Text.Json;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Aws;

/// <summary>What opens a key beside its policy: copies in other regions, and grants.</summary>
internal sealed class AwsOtherAccess(AwsClients clients, AwsKeyReader reader)
{
    /// <summary>Told by the ARN alone: a multi-region key and its copies have one id in every region.</summary>
    public static KeyIdentity Identify(string keyUri) => new(AwsInput.ParseKey(keyUri).Text, AwsKeyLife.MaterialOf(keyUri));

    /// <summary>
    /// Copies and grants. What cannot be read is named and not thrown; a key that is not found is no proof that nothing opens it.
    /// </summary>
    public async Task<OtherAccess> ReadAsync(string keyUri, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(keyUri);
        Task<Evidence<KeyMetadata>> describing = AwsEvidence.ReadAsync(reader.DescribeAsync(key.Text, key.Region, op.Cancellation));
        Task<Evidence<IReadOnlyList<KeyGrant>>> listing = AwsEvidence.ReadAsync(GrantsAsync(key, op.Cancellation));
        await Task.WhenAll(describing, listing).ConfigureAwait(false);
        Evidence<KeyMetadata> data = await describing.ConfigureAwait(false);
        Evidence<IReadOnlyList<KeyGrant>> grants = await listing.ConfigureAwait(false);
        List<string> unread = [];
        if (data.Value is null)
        {
            unread.Add($"the copies of {key.Text} could not be read: {data.Why}");
        }

        if (grants.Value is null)
        {
            unread.Add($"the grants on {key.Text} could not be read: {grants.Why}");
        }

        MultiRegionConfiguration? regions = data.Value?.MultiRegionConfiguration;
        KeyReplica[] replicas = regions?.PrimaryKey?.Arn is { } primary
            ? [new KeyReplica(primary, true), .. (regions.ReplicaKeys ?? []).Select(c => new KeyReplica(c.Arn, false))]
            : [];
        return new OtherAccess(replicas, grants.Value ?? [], unread)
        {
            State = data.Value is { } known ? AwsKeyReader.ToState(known) : CmekKeyState.Unknown,
        };
    }

    /// <summary>Every grant on a key, all pages.</summary>
    public async Task<IReadOnlyList<KeyGrant>> GrantsAsync(KeyArn key, CancellationToken cancellation)
    {
        List<KeyGrant> grants = [];
        string? marker = null;
        do
        {
            string? from = marker;
            ListGrantsResponse page = await AwsErrors.CallAsync(
                "kms:ListGrants",
                key.Text,
                ct => clients.Kms(key.Region).ListGrantsAsync(new ListGrantsRequest { KeyId = key.Text, Marker = from }, ct),
                cancellation).ConfigureAwait(false);
            grants.AddRange((page.Grants ?? []).Select(g => ToGrant(key, g)));
            marker = page.Truncated == true ? page.NextMarker : null;
        }
        while (!string.IsNullOrEmpty(marker));
        return grants;
    }

    /// <summary>Takes a grant back. One that is gone already is no failure.</summary>
    public async Task RevokeGrantAsync(KeyGrant grant, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(grant.KeyUri);
        try
        {
            await op.ChangeAsync(
                new PlannedChange("kms:RevokeGrant", key.Text, $"revoke the grant {grant.GrantId} to {grant.Grantee}"),
                cancellation => AwsErrors.CallAsync(
                    "kms:RevokeGrant",
                    key.Text,
                    ct => clients.Kms(key.Region).RevokeGrantAsync(
                        new RevokeGrantRequest { KeyId = key.Text, GrantId = grant.GrantId },
                        ct),
                    cancellation)).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.ErrorId == AwsErrors.KeyNotFound)
        {
            // KMS says NotFound for a grant as for a key: only a list without the grant shows that it is gone.
            IReadOnlyList<KeyGrant> left = await GrantsAsync(key, op.Cancellation).ConfigureAwait(false);
            if (left.Any(g => g.GrantId == grant.GrantId))
            {
                throw;
            }

            await op.Host.VerboseAsync($"The grant {grant.GrantId} on {key.Text} is gone already.").ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Makes again what a cut revoked of the cluster's own grants, as a receipt has them; one that is there in the same words is left.
    /// What cannot be made
    /// again is told, and is no reason to leave the rest.
    /// </summary>
    /// <param name="target">The access.</param>
    /// <param name="snapshot">What the receipt has of it; null where there is none.</param>
    /// <param name="op">The run.</param>
    public async Task RestoreGrantsAsync(AccessTarget target, AccessSnapshot? snapshot, Operation op)
    {
        // Nobody else's grant is made from a file, whatever it says.
        KeyGrant[] wanted = snapshot is null
            ? []
            : [.. GrantSnapshot.Read(snapshot, target.KeyUri).Where(g => g.IsClusters(target))];
        if (wanted.Length == 0)
        {
            return;
        }

        KeyArn key = AwsInput.ParseKey(target.KeyUri);
        IReadOnlyList<KeyGrant> there = await GrantsAsync(key, op.Cancellation).ConfigureAwait(false);
        foreach (KeyGrant grant in wanted.Where(w => !there.Any(w.GivesTheSameAs)))
        {
            try
            {
                await op.ChangeAsync(
                    new PlannedChange(
                        "kms:CreateGrant",
                        key.Text,
                        $"make the grant {grant.GrantId} to {grant.Grantee} again ({string.Join(", ", grant.Operations)})"),
                    cancellation => AwsErrors.CallAsync(
                        "kms:CreateGrant",
                        key.Text,
                        ct => clients.KmsOnce(key.Region).CreateGrantAsync(ToRequest(key, grant), ct),
                        cancellation)).ConfigureAwait(false);
            }
            catch (Exception e) when (e is CmekServiceException or JsonException)
            {
                await op.Host.ErrorAsync(new CmekException(
                    "GrantNotRestored",
                    CmekErrorKind.InvalidOperation,
                    $"{target}: the grant {grant.GrantId} to {grant.Grantee}, which the cut revoked, could not be made again: {e.Message}",
                    $"Where it is needed: aws kms create-grant --region {key.Region} --key-id {key.Text} --grantee-principal "
                        + $"{BashText.Quote(grant.Grantee)} "
                        + $"--operations {string.Join(' ', grant.Operations.Select(BashText.Quote))}",
                    key.Text,
                    e)).ConfigureAwait(false);
            }
        }
    }

    // The request that makes it again.
    private static CreateGrantRequest ToRequest(KeyArn key, KeyGrant grant) => new()
    {
        KeyId = key.Text,
        GranteePrincipal = grant.Grantee,
        RetiringPrincipal = grant.RetiringPrincipal,
        Name = grant.Name,
        Operations = [.. grant.Operations],
        Constraints = grant.Constraints is { } text ? JsonSerializer.Deserialize<GrantConstraints>(text) : null,
    };

    private static KeyGrant ToGrant(KeyArn key, GrantListEntry entry) =>
        new(key.Text, entry.GrantId, entry.GranteePrincipal ?? string.Empty, [.. entry.Operations ?? []])
        {
            RetiringPrincipal = entry.RetiringPrincipal,
            Name = string.IsNullOrEmpty(entry.Name) ? null : entry.Name,
            IssuedBy = entry.IssuingAccount,
            Constraints = ConstraintsOf(entry.Constraints),
            CreatedAt = AwsKeyReader.ToOffset(entry.CreationDate),
        };

    private static string? ConstraintsOf(GrantConstraints? constraints) =>
        constraints?.EncryptionContextEquals is { Count: > 0 } all
            ? JsonSerializer.Serialize(new { EncryptionContextEquals = all })
            : constraints?.EncryptionContextSubset is { Count: > 0 } some
                ? JsonSerializer.Serialize(new { EncryptionContextSubset = some })
                : null;
}
