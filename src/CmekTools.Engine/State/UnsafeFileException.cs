namespace CmekTools.Engine.State;

/// <summary>A file or folder that is not its user's alone: nothing is written there.</summary>
/// <param name="message">What is wrong with it.</param>
/// <param name="remedy">What to do about it.</param>
internal sealed class UnsafeFileException(string message, string remedy) : IOException(message)
{
    /// <summary>What to do about it.</summary>
    public string Remedy { get; } = remedy;
}
