using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>Names of clusters as the user gave them, with wildcards, and which of them were not seen.</summary>
internal sealed class ClusterNames
{
    // Enough for a suggestion; a fleet has more names than a message.
    private const int Known = 1000;

    private readonly HashSet<string> _unseen;
    private readonly string[] _exact;
    private readonly WildcardPattern[] _patterns;
    private readonly List<string> _known = [];

    /// <summary>Takes the names; none of them means all clusters.</summary>
    public ClusterNames(IReadOnlyCollection<string> names)
    {
        _exact = [.. names.Where(n => !WildcardPattern.ContainsWildcardCharacters(n))];
        _unseen = new HashSet<string>(_exact, StringComparer.OrdinalIgnoreCase);
        _patterns = [.. (names.Count == 0 ? ["*"] : names).Select(n => WildcardPattern.Get(n, WildcardOptions.IgnoreCase))];
    }

    /// <summary>True where a cluster's name is one of them.</summary>
    public bool Takes(string name)
    {
        _unseen.Remove(name);
        if (_known.Count < Known)
        {
            _known.Add(name);
        }

        return _patterns.Any(p => p.IsMatch(name));
    }

    /// <summary>True where it was given in full.</summary>
    public bool Names(string name) => _exact.Contains(name, StringComparer.OrdinalIgnoreCase);

    /// <summary>The errors for those that no cluster has.</summary>
    public IEnumerable<CmekException> Missing() => _unseen.Select(name => new CmekException(
        "ClusterNotFound",
        CmekErrorKind.ObjectNotFound,
        $"There is no cluster '{name}' that this API key can see.{Engine.Text.Names.DidYouMean(name, _known)}",
        "Get-CmekCluster without a name lists what it can see.",
        name));
}
