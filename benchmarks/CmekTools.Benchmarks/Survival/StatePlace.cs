namespace CmekTools.Benchmarks.Survival;

/// <summary>Where the folders of journals and receipts are made: in memory where there is such a place.</summary>
internal static class StatePlace
{
    /// <summary>The folder that they are made in.</summary>
    public static string Root { get; } = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
}
