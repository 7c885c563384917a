namespace CmekTools.Sandbox.Aws;

/// <summary>An answer that is an error, in AWS's words. Which wire form it takes is the protocol's business.</summary>
internal sealed class AwsErrorException(string code, string message, int status = 400) : Exception(message)
{
    /// <summary>AWS's name of the error.</summary>
    public string Code { get; } = code;

    /// <summary>The HTTP status.</summary>
    public int Status { get; } = status;

    /// <summary>The form in which SDKs and logs show an error.</summary>
    public string Words => Code + ": " + Message;
}
