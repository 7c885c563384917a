namespace CmekTools.Engine.Pacing;

/// <summary>How a request ended, as far as its pacer is concerned.</summary>
internal enum CallEnd
{
    /// <summary>The service answered.</summary>
    Served,

    /// <summary>The service refused it for its rate.</summary>
    Refused,

    /// <summary>No answer came. How long that took says nothing of the way to the service.</summary>
    Lost,
}
