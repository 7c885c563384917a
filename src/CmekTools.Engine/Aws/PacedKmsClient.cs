using Amazon.KeyManagementService;
using Amazon.Runtime;
using Amazon.Runtime.Internal;

namespace CmekTools.Engine.Aws;

/// <summary>The SDK's KMS client, each try of a call in its turn.</summary>
internal sealed class PacedKmsClient(
    AWSCredentials credentials,
    AmazonKeyManagementServiceConfig config,
    Func<IClientConfig, AwsRetries> retries,
    Func<AwsPacing> pacing)
    : AmazonKeyManagementServiceClient(credentials, config)
{
    /// <inheritdoc/>
    protected override void CustomizeRuntimePipeline(RuntimePipeline pipeline)
    {
        base.CustomizeRuntimePipeline(pipeline);
        pipeline.ReplaceHandler<RetryHandler>(new RetryHandler(retries(Config)));
        pipeline.AddHandlerAfter<RetryHandler>(new AwsEmptyAnswers());
        pipeline.AddHandlerAfter<RetryHandler>(pacing());
    }
}
