using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using Xunit;

namespace CmekTools.Tests.Kit;

/// <summary>What a program left behind.</summary>
internal sealed record FinishedProgram(int Code, string Output, string Errors)
{
    /// <summary>Fails the test where the program did not end well.</summary>
    public FinishedProgram Expect()
    {
        Assert.True(Code == 0, $"code {Code}\n{Output}\n{Errors}");
        return this;
    }
}

/// <summary>Runs programs: PowerShell, and those that may be on this machine or not.</summary>
internal static class ExternalProgram
{
    /// <summary>The folder that holds the whole repository.</summary>
    public static string RepositoryRoot { get; } = Path.GetFullPath(Metadata("RepositoryRoot"));

    /// <summary>
    /// Sets what all tests and the programs that they start inherit. Programs run for seconds: profiling code for a second compilation
    /// takes a quarter of their time. And each state folder writes through to the disk, which a folder in memory does at once.
    /// </summary>
    [ModuleInitializer]
    internal static void SetEnvironment()
    {
        Environment.SetEnvironmentVariable("DOTNET_TieredPGO", "0");
        if (Environment.GetEnvironmentVariable("TMPDIR") is null && FolderInMemory() is { } folder)
        {
            Environment.SetEnvironmentVariable("TMPDIR", folder);
            AppDomain.CurrentDomain.ProcessExit += (_, _) => Delete(folder);
        }
    }

    // What is left there takes memory. A program that a test killed may still hold a file.
    private static void Delete(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"{folder} was left: {e.Message}");
        }
    }

    // Where Linux has one, with room for the packages that tests install, and from which a program may be started.
    private static string? FolderInMemory()
    {
        const string Shared = "/dev/shm";
        try
        {
            return OperatingSystem.IsLinux()
                && File.ReadLines("/proc/mounts").Select(l => l.Split(' ')).Any(
                    m => m is [_, Shared, "tmpfs", var options, ..] && !options.Split(',').Contains("noexec"))
                && new DriveInfo(Shared).AvailableFreeSpace > 2L << 30
                    ? Directory.CreateDirectory(Path.Combine(Shared, $"cmektools-tests-{Environment.ProcessId}")).FullName
                    : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Is a program on PATH?</summary>
    public static bool Exists(string name) => (Environment.GetEnvironmentVariable("PATH") ?? string.Empty)
        .Split(Path.PathSeparator)
        .Any(folder => folder.Length > 0 && (File.Exists(Path.Combine(folder, name)) || File.Exists(Path.Combine(folder, name + ".exe"))));

    /// <summary>Skips the test, with the reason, where a program is not on PATH.</summary>
    public static void Need(string name)
    {
        if (!Exists(name))
        {
            Assert.Skip($"{name} is not on PATH.");
        }
    }

    /// <summary>The folder of modules that has Pester.</summary>
    public static string Modules { get; } = Path.GetFullPath(Metadata("ModulesOutput"));

    /// <summary>The real PowerShell, which the tool manifest pins and the build brings: <c>dotnet</c> runs it.</summary>
    public static string PowerShellProgram { get; } = Metadata("PowerShellProgram");

    /// <summary>Runs the real PowerShell to its end. It finds Pester in the folder of modules that the build laid out.</summary>
    public static Task<FinishedProgram> PwshAsync(
        IEnumerable<string> arguments, IEnumerable<(string Name, string? Value)>? environment = null, string input = "") =>
        RunAsync("dotnet", [PowerShellProgram, .. arguments], [("PSModulePath", Modules), .. environment ?? []], input);

    /// <summary>Runs a program to its end.</summary>
    /// <param name="program">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="environment">Variables to set, or to take away where the value is null. There are no colours unless NO_COLOR is taken
    /// away.</param>
    /// <param name="input">What it reads.</param>
    public static async Task<FinishedProgram> RunAsync(
        string program,
        IEnumerable<string> arguments,
        IEnumerable<(string Name, string? Value)>? environment = null,
        string input = "")
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["NO_COLOR"] = "1";
        foreach ((string name, string? value) in environment ?? [])
        {
            if (value is null)
            {
                start.Environment.Remove(name);
            }
            else
            {
                start.Environment[name] = value;
            }
        }

        using Process process = Process.Start(start)!;
        try
        {
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
            Task<string> errors = process.StandardError.ReadToEndAsync(stop);
            string output = await process.StandardOutput.ReadToEndAsync(stop);
            await process.WaitForExitAsync(stop);
            return new FinishedProgram(process.ExitCode, output, await errors);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    private static string Metadata(string key) =>
        typeof(ExternalProgram).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == key).Value!;
}
