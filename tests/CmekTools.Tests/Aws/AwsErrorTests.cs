using Amazon.Runtime;
using CmekTools.Engine.Aws;
using Xunit;

namespace CmekTools.Tests.Aws;

/// <summary>What is said of AWS's errors.</summary>
public sealed class AwsErrorTests
{
    // As AWSSDK.Core 4 words it.
    [Theory]
    [InlineData(
        "Failed to resolve AWS credentials. The credential providers used to search for credentials returned the following errors:\n\n"
            + "Exception 1 of 2: The webIdentityTokenFile must be an absolute path.\nException 2 of 2: Unable to get IAM credentials.",
        "No usable AWS credentials were found: Failed to resolve AWS credentials. The credential providers used to search for credentials "
            + "returned the following errors (Get-Error shows them).")]
    [InlineData("The profile has no keys.", "No usable AWS credentials were found: The profile has no keys.")]
    public void TheListOfPlacesWithoutCredentialsIsLeftToTheInnerError(string sdk, string said)
    {
        CmekException e = AwsErrors.NoCredentials(new AmazonClientException(sdk));
        Assert.Equal("AwsCredentialsMissing", e.ErrorId);
        Assert.Equal(said, e.Message);
        Assert.Equal(sdk, e.InnerException?.Message);
    }
}
