using Amazon.KeyManagementService;
using Amazon.KeyManagementService.Model;

namespace CmekTools.Engine.Aws;

/// <summary>MACs that AWS KMS makes with a key that does not leave it. What it takes is kms:GenerateMac on the key.</summary>
internal static class AwsMac
{
    /// <summary>The HMAC-SHA256 of a text.</summary>
    /// <param name="keyArn">The ARN of a key of the kind HMAC_256.</param>
    /// <param name="text">The text, 1 to 4096 bytes.</param>
    /// <param name="options">Where AWS's services are and who is calling.</param>
    /// <param name="timings">How long things take.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="CmekException">KMS refuses it, or does not answer.</exception>
    public static async Task<byte[]> OfAsync(
        string keyArn,
        byte[] text,
        ProviderOptions options,
        Timings timings,
        CancellationToken cancellation)
    {
        using AwsClients clients = new(options, timings, TimeProvider.System);
        using MemoryStream message = new(text);
        GenerateMacResponse answer = await AwsErrors.CallAsync(
            "kms:GenerateMac",
            keyArn,
            ct => clients.Kms(keyArn.Split(':')[3]).GenerateMacAsync(
                new GenerateMacRequest { KeyId = keyArn, MacAlgorithm = MacAlgorithmSpec.HMAC_SHA_256, Message = message },
                ct),
            cancellation).ConfigureAwait(false);
        return answer.Mac.ToArray();
    }
}
