using System.Text.Json;
using System.Xml;
using Amazon.Runtime;
using Amazon.Runtime.Internal;

namespace CmekTools.Engine.Aws;

/// <summary>
/// The SDK's standard retries with this session's pauses and clock, and for one thing more: an answer that cannot be read, which a
/// proxy or a broken connection leaves. What must not be sent twice goes without any.
/// </summary>
internal sealed class AwsRetries(IClientConfig config, Timings timings, TimeProvider time) : StandardRetryPolicy(config)
{
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(20);

    /// <inheritdoc/>
    public override Task<bool> RetryForExceptionAsync(IExecutionContext executionContext, Exception exception) =>
        Task.FromResult(IsUnreadable(exception) || RetryForExceptionSync(exception, executionContext));

    /// <summary>
    /// The tries of a call are few and far between; the SDK's allowance over all calls would end them for good after an outage.
    /// </summary>
    public override bool OnRetry(IExecutionContext executionContext, bool bypassAcquireCapacity, bool isThrottlingError) => true;

    /// <inheritdoc/>
    public override Task WaitBeforeRetryAsync(IExecutionContext executionContext)
    {
        TimeSpan pause = timings.RetryBase * (Random.Shared.NextDouble() * (1 << Math.Min(executionContext.RequestContext.Retries, 10)));
        return Task.Delay(pause < s_longest ? pause : s_longest, time, executionContext.RequestContext.CancellationToken);
    }

    private static bool IsUnreadable(Exception e)
    {
        for (Exception? inner = e; inner is not null; inner = inner.InnerException)
        {
            if (inner is JsonException or XmlException or IOException or AmazonUnmarshallingException or HttpRequestException)
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>
/// Takes an answer for lost that has nothing in it where there is always something, or something where there is never anything (a
/// proxy's page): the SDK would make an empty object of the one, so that a key that was made were none, and a success of the other.
/// </summary>
internal sealed class AwsEmptyAnswers : PipelineHandler
{
    // As much as KMS and what stands in for it say where there is nothing to say: {} or null.
    private const int Nothing = 4;

    private static readonly string[] s_silent =
    [
        "PutKeyPolicy", "CreateAlias", "UpdateAlias", "TagResource", "UntagResource", "EnableKey", "DisableKey",
        "EnableKeyRotation", "DisableKeyRotation", "RevokeGrant", "RetireGrant", "UpdatePrimaryRegion",
    ];

    /// <inheritdoc/>
    public override async Task<T> InvokeAsync<T>(IExecutionContext executionContext)
    {
        T answer = await base.InvokeAsync<T>(executionContext).ConfigureAwait(false);
        string call = executionContext.RequestContext.RequestName.Replace("Request", null, StringComparison.Ordinal);
        long length = executionContext.ResponseContext.HttpResponse?.ContentLength ?? -1;
        bool silent = s_silent.Contains(call);
        return (silent && length > Nothing) || (!silent && length == 0)
            ? throw new AmazonUnmarshallingException(
                $"The answer to {call} is {(silent ? "something else than" : "empty, and not")} KMS's.",
                null,
                null)
            : answer;
    }
}
