using Amazon.Runtime;

namespace CmekTools.Engine.Aws;

/// <summary>One call of IAM.</summary>
internal sealed class IamQuery(string action, IReadOnlyList<(string Name, string Value)> parameters) : AmazonWebServiceRequest
{
    /// <summary>The call's name.</summary>
    public string Action { get; } = action;

    /// <summary>What it is given.</summary>
    public IReadOnlyList<(string Name, string Value)> Parameters { get; } = parameters;
}
