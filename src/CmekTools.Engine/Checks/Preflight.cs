using System.Threading.Channels;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Checks;

/// <summary>Looks for every reason why a cluster could not use its keys, before it is asked to.</summary>
internal static class Preflight
{
    /// <summary>Stops where a check fails; warnings and what cannot be seen are told and do not stop.</summary>
    /// <exception cref="CmekException"><c>PreflightFailed</c>.</exception>
    public static async Task RequireAsync(CmekCluster cluster, IEnumerable<CmekAccess> accesses, Operation op)
    {
        List<CmekCheck> failed = [];
        await foreach (
            CmekCheck check in AccessesAsync(
                cluster,
                [.. accesses.Where(a => a.KeyUri is not null && a.AuthPrincipal is not null)],
                op).ConfigureAwait(false))
        {
            if (check.Result == CmekCheckResult.Fail)
            {
                failed.Add(check);
            }
            else if (check.Result != CmekCheckResult.Pass)
            {
                await op.Host.VerboseAsync($"{check.Region}: {check}").ConfigureAwait(false);
            }
        }

        if (failed.Count > 0)
        {
            string[] remedies = [.. failed.Select(c => c.Remedy).OfType<string>().Distinct()];
            throw new CmekException(
                "PreflightFailed",
                CmekErrorKind.InvalidOperation,
                $"{cluster.Name} could not use its keys; nothing was sent. " + string.Join(
                    " ",
                    failed.Select(c => $"[{c.Region}] {c.Name}: {c.Seen}")),
                remedies.Length > 0
                    ? string.Join(Environment.NewLine, remedies)
                    : "Test-CmekAccess shows the whole list; -SkipPreflight sends the request all the same.",
                cluster);
        }
    }

    /// <summary>The providers' checks of several accesses, side by side.</summary>
    public static IAsyncEnumerable<CmekCheck> AccessesAsync(
        CmekCluster cluster,
        IReadOnlyList<CmekAccess> accesses,
        Operation op,
        CheckDepth depth = CheckDepth.Usual)
    {
        if (cluster.Provider is not (CmekProvider.AWS or CmekProvider.GCP) || accesses.Count == 0)
        {
            return AsyncEnumerable.None<CmekCheck>();
        }

        IKeyProvider provider = op.Session.GetProvider(cluster.Provider);
        return AsyncEnumerable.Merge(
            [
                .. accesses.Select(
                    a => provider.CheckAsync(
                        new AccessTarget(cluster, op.Session.Organization.Id, a.Region, a.KeyUri!, a.AuthPrincipal!),
                        op,
                        depth)),
            ],
            op.Cancellation);
    }
}

/// <summary>The little that is needed of asynchronous sequences (the library for it came after .NET 8).</summary>
internal static class AsyncEnumerable
{
    public static async IAsyncEnumerable<T> None<T>()
    {
        await Task.CompletedTask.ConfigureAwait(false);
        yield break;
    }

    /// <summary>Runs sequences side by side and gives their items in the sequences' order.</summary>
    public static async IAsyncEnumerable<T> Merge<T>(
        IReadOnlyList<IAsyncEnumerable<T>> sources,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        Channel<T>[] channels = [.. sources.Select(_ => Channel.CreateUnbounded<T>())];
        Task[] pumps = [.. sources.Select((source, i) => PumpAsync(source, channels[i].Writer, cancellation))];
        foreach (Channel<T> channel in channels)
        {
            await foreach (T item in channel.Reader.ReadAllAsync(cancellation).ConfigureAwait(false))
            {
                yield return item;
            }
        }

        await Task.WhenAll(pumps).ConfigureAwait(false);
    }

    private static async Task PumpAsync<T>(IAsyncEnumerable<T> source, ChannelWriter<T> writer, CancellationToken cancellation)
    {
        try
        {
            await foreach (T item in source.WithCancellation(cancellation).ConfigureAwait(false))
            {
                await writer.WriteAsync(item, cancellation).ConfigureAwait(false);
            }

            writer.Complete();
        }
        catch (Exception e)
        {
            writer.Complete(e);
        }
    }
}
