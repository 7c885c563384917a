using CmekTools.Engine.Clusters;
using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using CmekTools.Engine;
using CmekTools.Engine.Text;

namespace CmekTools.Module;

/// <summary>
/// The base of the completers: they answer within two seconds from what the connection shows, swallow every failure and never prompt, for a
/// completer that throws takes the user's line with it.
/// </summary>
public abstract class CloudCompleter : IArgumentCompleter
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters)
    {
        string word = (wordToComplete ?? string.Empty).Trim('\'', '"');
        try
        {
            CmekSession? session = (
                fakeBoundParameters?["Session"] is PSObject { BaseObject: CmekSession wrapped }
                    ? wrapped
                    : fakeBoundParameters?["Session"] as CmekSession) ?? Sessions.Current;
            if (session?.Context is not SessionContext context)
            {
                return [];
            }

            using CancellationTokenSource patience = new(s_patience);
            Task<IReadOnlyList<(string Text, string Tip)>> asking = Task.Run(
                () => SuggestAsync(commandName, context, fakeBoundParameters ?? new Hashtable(), patience.Token),
                patience.Token);
            return
            [
                .. asking.GetAwaiter().GetResult()
                    .Where(s => s.Text.StartsWith(word, StringComparison.OrdinalIgnoreCase))
                    .Select(
                        s => new CompletionResult(
                            PowerShellText.Quote(s.Text),
                            ViewText.Line(s.Text),
                            CompletionResultType.ParameterValue,
                            ViewText.Line(s.Tip))),
            ];
        }
        catch (Exception e) when (
            e is CmekException or OperationCanceledException or InvalidOperationException or System.Net.Http.HttpRequestException)
        {
            return [];
        }
    }

    /// <summary>What can stand here, for a command that takes something else than the others.</summary>
    internal virtual Task<IReadOnlyList<(string Text, string Tip)>> SuggestAsync(
        string command,
        SessionContext context,
        IDictionary bound,
        CancellationToken cancellation) => SuggestAsync(context, bound, cancellation);

    /// <summary>What can stand here.</summary>
    internal abstract Task<IReadOnlyList<(string Text, string Tip)>> SuggestAsync(
        SessionContext context,
        IDictionary bound,
        CancellationToken cancellation);

    /// <summary>The clusters, at most the first page or so.</summary>
    internal static async Task<List<CmekCluster>> ClustersAsync(SessionContext context, CancellationToken cancellation)
    {
        List<CmekCluster> clusters = [];
        await foreach (CmekCluster cluster in ClusterListing.ListAsync(context, cancellation).ConfigureAwait(false))
        {
            clusters.Add(cluster);
        }

        return clusters;
    }

    /// <summary>The clusters that the line names already, or all.</summary>
    internal static async Task<IReadOnlyList<CmekCluster>> BoundClustersAsync(
        SessionContext context,
        IDictionary bound,
        CancellationToken cancellation)
    {
        List<CmekCluster> all = await ClustersAsync(context, cancellation).ConfigureAwait(false);
        ClusterArgument? named = bound["ClusterName"] is { } given ? ClusterArgument.From(given) : null;
        return named is null
            ? all
            : [
                .. all.Where(
                    c => string.Equals(c.Id, named.Id, StringComparison.OrdinalIgnoreCase)
                        || string.Equals(c.Name, named.Name, StringComparison.OrdinalIgnoreCase)),
            ];
    }
}

/// <summary>Completes cluster names.</summary>
public sealed class ClusterNameCompleter : CloudCompleter
{
    internal override async Task<IReadOnlyList<(string Text, string Tip)>> SuggestAsync(
        SessionContext context,
        IDictionary bound,
        CancellationToken cancellation) =>
        [.. (await ClustersAsync(context, cancellation).ConfigureAwait(false)).Select(c => (c.Name, $"{c.Provider} {c.Plan} {c.Id}"))];
}

/// <summary>Completes kinds of faults, each for all services.</summary>
public sealed class FaultCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters)
    {
        string word = (wordToComplete ?? string.Empty).Trim('\'', '"');
        return
        [
            .. Enum.GetNames<Sandbox.Faults.FaultKind>()
                .Select(k => (Kind: k, Rule: "* " + k))
                .Where(
                    k => k.Rule.StartsWith(word, StringComparison.OrdinalIgnoreCase)
                        || k.Kind.StartsWith(word, StringComparison.OrdinalIgnoreCase))
                .Select(k => new CompletionResult(PowerShellText.Quote(k.Rule), k.Kind, CompletionResultType.ParameterValue, k.Rule)),
        ];
    }
}

/// <summary>Completes the regions of the cluster that is bound already, or of all; for a new region those that others have.</summary>
public sealed class RegionCompleter : CloudCompleter
{
    internal override async Task<IReadOnlyList<(string Text, string Tip)>> SuggestAsync(
        string command,
        SessionContext context,
        IDictionary bound,
        CancellationToken cancellation)
    {
        bool fresh = command == "Add-CmekRegion" || (command == "New-CmekKey" && bound.Contains("NewRegion"));
        if (!fresh || bound["ClusterName"] is null)
        {
            return await SuggestAsync(context, bound, cancellation).ConfigureAwait(false);
        }

        IReadOnlyList<CmekCluster> own = await BoundClustersAsync(context, bound, cancellation).ConfigureAwait(false);
        return
        [
            .. (await ClustersAsync(context, cancellation).ConfigureAwait(false))
                .Where(c => own.Any(o => o.Provider == c.Provider))
                .SelectMany(c => c.Regions.Select(r => (r.Name, c.Name)))
                .DistinctBy(r => r.Item1)
                .Where(r => !own.Any(o => o.Regions.Any(had => had.Name == r.Item1))),
        ];
    }

    internal override async Task<IReadOnlyList<(string Text, string Tip)>> SuggestAsync(
        SessionContext context,
        IDictionary bound,
        CancellationToken cancellation)
    {
        return
        [
            .. (await BoundClustersAsync(context, bound, cancellation).ConfigureAwait(false))
                .SelectMany(c => c.Regions.Select(r => (r.Name, c.Name)))
                .DistinctBy(r => r.Item1),
        ];
    }
}

/// <summary>The base of the completers that suggest what the service lists for the bound cluster's keys, past ones included.</summary>
public abstract class ListedKeyCompleter : CloudCompleter
{
    /// <summary>What an entry suggests, or null.</summary>
    internal abstract string? Text(CmekKeyStatus key);

    internal override async Task<IReadOnlyList<(string Text, string Tip)>> SuggestAsync(
        SessionContext context,
        IDictionary bound,
        CancellationToken cancellation)
    {
        string[] regions = bound["Region"] switch
        {
            null => [],
            System.Collections.IEnumerable several and not string => [.. several.Cast<object>().Select(r => r.ToString() ?? string.Empty)],
            object one => [one.ToString() ?? string.Empty],
        };
        List<(string, string)> found = [];
        foreach (
            CmekCluster cluster in (
                await BoundClustersAsync(context, bound, cancellation).ConfigureAwait(false)).Where(c => c.SupportsCmek).Take(5))
        {
            CmekStatus status = await context.Cloud.GetCmekAsync(cluster, cancellation).ConfigureAwait(false);
            found.AddRange(status.Regions
                .Where(r => regions.Length == 0 || regions.Contains(r.Region, StringComparer.OrdinalIgnoreCase))
                .SelectMany(r => r.Keys.Where(k => Text(k) is not null).Select(k => (Text(k)!, $"{cluster.Name}/{r.Region} {k.State}"))));
        }

        return [.. found.DistinctBy(f => f.Item1)];
    }
}

/// <summary>Completes the URIs of keys.</summary>
public sealed class KeyUriCompleter : ListedKeyCompleter
{
    internal override string? Text(CmekKeyStatus key) => key.KeyUri;
}

/// <summary>Completes role ARNs and service accounts.</summary>
public sealed class PrincipalCompleter : ListedKeyCompleter
{
    internal override string? Text(CmekKeyStatus key) => key.AuthPrincipal;
}

/// <summary>Completes the names of roles.</summary>
public sealed class RoleNameCompleter : ListedKeyCompleter
{
    internal override string? Text(CmekKeyStatus key) =>
        key.AuthPrincipal?.Contains(":role/", StringComparison.Ordinal) == true ? ViewText.Principal(key.AuthPrincipal) : null;
}

/// <summary>Completes AWS profile names from the files that the AWS tools read; no SDK is loaded for it.</summary>
public sealed class AwsProfileCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters)
    {
        string home = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".aws");
        string[] files =
        [
            Environment.GetEnvironmentVariable("AWS_CONFIG_FILE") ?? Path.Combine(home, "config"),
            Environment.GetEnvironmentVariable("AWS_SHARED_CREDENTIALS_FILE") ?? Path.Combine(home, "credentials"),
        ];
        string word = (wordToComplete ?? string.Empty).Trim('\'', '"');
        try
        {
            return
            [
                .. files.Where(File.Exists)
                    .SelectMany(File.ReadLines)
                    .Select(l => l.Trim())
                    .Where(
                        l => l.StartsWith('[') && l.EndsWith(']') && !l.StartsWith("[sso-session", StringComparison.Ordinal)
                            && !l.StartsWith("[services", StringComparison.Ordinal))
                    .Select(l => l[1..^1].Replace("profile ", string.Empty, StringComparison.Ordinal).Trim())
                    .Distinct()
                    .Where(n => n.StartsWith(word, StringComparison.OrdinalIgnoreCase))
                    .Select(n => new CompletionResult(PowerShellText.Quote(n), ViewText.Line(n), CompletionResultType.ParameterValue, n)),
            ];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}

/// <summary>Completes the files of the cluster's receipts, newest first.</summary>
public sealed class ReceiptCompleter : CloudCompleter
{
    internal override Task<IReadOnlyList<(string Text, string Tip)>> SuggestAsync(
        SessionContext context,
        IDictionary bound,
        CancellationToken cancellation)
    {
        ClusterArgument? named = bound["ClusterName"] is { } given ? ClusterArgument.From(given) : null;
        return Task.FromResult<IReadOnlyList<(string Text, string Tip)>>(
        [
            .. new Engine.State.ReceiptStore(context.Journal.Folder).List()
                .Where(r => named is null
                    || string.Equals(r.Document.ClusterId, named.Id, StringComparison.OrdinalIgnoreCase)
                    || string.Equals(r.Document.ClusterName, named.Name, StringComparison.OrdinalIgnoreCase))
                .Select(r => (r.Path, $"{r.Document.ClusterName} {r.Document.CreatedAt:u}")),
        ]);
    }
}
