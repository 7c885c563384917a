namespace CmekTools.Engine.CloudApi;

/// <summary>Whether the API key may change a cluster, by the last change that it tried: no call tells.</summary>
internal enum ChangeRight
{
    /// <summary>It has tried none in this session.</summary>
    Untried,

    /// <summary>A change was taken.</summary>
    Allowed,

    /// <summary>A change was refused for lack of a role.</summary>
    Refused,
}
