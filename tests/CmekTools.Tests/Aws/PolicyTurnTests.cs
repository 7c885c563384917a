using System.Diagnostics;
using CmekTools.Engine.Aws;
using CmekTools.Engine.Pacing;
using CmekTools.Engine.State;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Aws;

/// <summary>
/// Processes with one state folder write a key's policy one after the other, and nobody waits for a file that cannot be had.
/// </summary>
public sealed class PolicyTurnTests
{
    private static readonly KeyArn s_key = AwsInput.ParseKey(
        "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab");

    private static readonly KeyArn s_other = AwsInput.ParseKey(
        "arn:aws:kms:us-east-1:111122223333:key/99999999-12ab-34cd-56ef-1234567890ab");

    [Fact]
    public async Task ATurnEndsWithTheProcessThatHasIt()
    {
        using TempFolder folder = new();
        (await TakeAsync(folder)).Dispose();
        using Process holder = Process.Start(
            new ProcessStartInfo("dotnet", [typeof(PolicyTurnTests).Assembly.Location, TurnProcess.Verb, LockOf(folder)])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            })!;
        Assert.Equal("held", await holder.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
        Assert.Throws<IOException>(() => FileLock.Hold(LockOf(folder), TimeSpan.Zero));
        Task<IDisposable> mine = TakeAsync(folder);
        Assert.False(mine.IsCompleted);

        // Another key has a turn of its own, and a break-glass waits for nobody.
        (await TakeAsync(folder, s_other)).Dispose();
        using (Urgency.Begin())
        {
            (await TakeAsync(folder)).Dispose();
        }

        Assert.False(mine.IsCompleted);
        holder.Kill();
        using (await mine)
        {
            Assert.Throws<IOException>(() => FileLock.Hold(LockOf(folder), TimeSpan.Zero));
        }

        FileLock.Hold(LockOf(folder), TimeSpan.Zero).Dispose();
    }

    [Theory]
    [InlineData("a file in place of the folder")]
    [InlineData("a folder in place of the file")]
    [InlineData("a link in place of the file")]
    [InlineData("a folder that others may write in")]
    public async Task WhereTheFileCannotBeHadTheWriteGoesOnWithoutATurn(string what)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows() && what is not "a file in place of the folder", "modes and links are of Unix");
        using TempFolder folder = new();
        (await TakeAsync(folder)).Dispose();
        string turns = Path.GetDirectoryName(LockOf(folder))!;
        string path = LockOf(folder);
        File.Delete(path);
        string target = Path.Combine(folder.Path, "somebody's");
        switch (what)
        {
            case "a file in place of the folder":
                Directory.Delete(turns);
                File.WriteAllText(turns, "his");
                break;
            case "a folder in place of the file":
                Directory.CreateDirectory(path);
                break;
            case "a link in place of the file":
                File.CreateSymbolicLink(path, target);
                break;
            default:
                Modes.Set(turns, (UnixFileMode)0b111_111_111);
                break;
        }

        (await TakeAsync(folder)).Dispose();
        Assert.False(File.Exists(target));
        Assert.Equal(what == "a file in place of the folder", File.Exists(turns));
    }

    private static Task<IDisposable> TakeAsync(TempFolder folder, KeyArn? key = null) =>
        PolicyTurn.TakeAsync(folder.Path, key ?? s_key, TestContext.Current.CancellationToken);

    private static string LockOf(TempFolder folder) => Path.Combine(
        folder.Path,
        PolicyTurn.FolderName,
        JournalWriter.HashOf(s_key.Text)[..16] + ".lock");
}
