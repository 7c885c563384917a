namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>All keys and aliases of all accounts and regions.</summary>
internal sealed class KmsStore
{
    private readonly Dictionary<string, KmsKey> _keys = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, KmsAlias> _aliases = new(StringComparer.Ordinal);

    /// <summary>Every key that still exists.</summary>
    public IReadOnlyCollection<KmsKey> Keys => _keys.Values;

    /// <summary>The ARN of something in KMS.</summary>
    public static string Arn(string region, string account, string resource) => $"arn:aws:kms:{region}:{account}:{resource}";

    /// <summary>A key by its ARN.</summary>
    public KmsKey? Find(string arn) => _keys.GetValueOrDefault(arn);

    /// <summary>The keys of an account in a region, the oldest first.</summary>
    public IEnumerable<KmsKey> In(string account, string region) =>
        _keys.Values.Where(
            k => k.AccountId == account && k.Region == region).OrderBy(k => k.Created).ThenBy(k => k.Id, StringComparer.Ordinal);

    /// <summary>The regions of a multi-region key.</summary>
    public IEnumerable<KmsKey> Related(KmsKey key) =>
        _keys.Values.Where(
            k => k.PrimaryRegion is not null && k.Id == key.Id
                && k.AccountId == key.AccountId).OrderBy(k => k.Region, StringComparer.Ordinal);

    /// <summary>Adds a key.</summary>
    public void Add(KmsKey key) => _keys.Add(key.Arn, key);

    /// <summary>An alias by its ARN.</summary>
    public KmsAlias? FindAlias(string arn) => _aliases.GetValueOrDefault(arn);

    /// <summary>The aliases of an account in a region, by name.</summary>
    public IEnumerable<KmsAlias> AliasesIn(string account, string region) =>
        _aliases.Values.Where(a => a.AccountId == account && a.Region == region);

    /// <summary>Adds an alias, or gives it another key.</summary>
    public void Put(KmsAlias alias) => _aliases[alias.Arn] = alias;

    /// <summary>Removes an alias.</summary>
    public void Remove(KmsAlias alias) => _aliases.Remove(alias.Arn);

    /// <summary>Does what became due: rotations, and deletions with the aliases of what is deleted.</summary>
    public void Settle(DateTimeOffset now)
    {
        foreach (KmsKey key in _keys.Values.ToList())
        {
            key.Material.Settle(now);
            if (key.WaitsForReplicas is { } days && Related(key).All(k => k.IsPrimary || now >= k.DeletionDate))
            {
                // The primary's own window begins when its last replica goes.
                DateTimeOffset last = Related(key).Where(k => !k.IsPrimary).Max(k => k.DeletionDate) ?? now;
                (key.WaitsForReplicas, key.DeletionDate) = (null, last.AddDays(days));
            }
        }

        foreach (KmsKey key in _keys.Values.Where(k => now >= k.DeletionDate).ToList())
        {
            _keys.Remove(key.Arn);
            foreach (KmsAlias alias in AliasesIn(key.AccountId, key.Region).Where(a => a.KeyId == key.Id).ToList())
            {
                Remove(alias);
            }
        }
    }
}
