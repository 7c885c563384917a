using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Amazon.SecurityToken;
using Amazon.SecurityToken.Model;

namespace CmekTools.Engine.Aws;

/// <summary>The SDK's STS client with this session's retries.</summary>
internal sealed class StsClient(
    AWSCredentials credentials,
    AmazonSecurityTokenServiceConfig config,
    Func<IClientConfig, AwsRetries> retries)
    : AmazonSecurityTokenServiceClient(credentials, config)
{
    /// <inheritdoc/>
    protected override void CustomizeRuntimePipeline(RuntimePipeline pipeline)
    {
        base.CustomizeRuntimePipeline(pipeline);
        pipeline.ReplaceHandler<RetryHandler>(new RetryHandler(retries(Config)));
        pipeline.AddHandlerAfter<RetryHandler>(new Named());
    }

    // Of a proxy's page the SDK makes an answer without a name.
    private sealed class Named : PipelineHandler
    {
        public override async Task<T> InvokeAsync<T>(IExecutionContext executionContext)
        {
            T answer = await base.InvokeAsync<T>(executionContext).ConfigureAwait(false);
            return answer is GetCallerIdentityResponse { Account: null or "" } or GetCallerIdentityResponse { Arn: null or "" }
                ? throw new AmazonUnmarshallingException("The answer does not name the caller.", null, null)
                : answer;
        }
    }
}
