using System.Runtime.CompilerServices;

namespace CmekTools.Tests.Kit;

/// <summary>The secret that the tests' receipts are sealed with: their own, not that of whoever runs them.</summary>
internal static class SealOfTests
{
    /// <summary>Its file, in a folder that goes away with the process.</summary>
    public static string FilePath { get; } = Path.Combine(
        Path.GetTempPath(),
        "cmektools-test-seal-" + Guid.NewGuid().ToString("N")[..12],
        "seal");

    [ModuleInitializer]
    internal static void Set()
    {
        Environment.SetEnvironmentVariable("CMEKTOOLS_SEAL", FilePath);
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            if (Path.GetDirectoryName(FilePath) is { } folder && Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        };
    }
}
