using System.Diagnostics;
using System.Globalization;
using CmekTools.Engine;
using CmekTools.Engine.State.Shared;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Aws;
using CmekTools.Sandbox.Aws.S3;
using CmekTools.Tests.Aws;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.State;

/// <summary>
/// What a folder, a bucket of S3 and one of Google Cloud Storage have in common: each write is over one version, and of two only one
/// is made.
/// </summary>
public sealed class SharedPlaceTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("folder")]
    [InlineData("s3")]
    [InlineData("gs")]
    [InlineData("moto")]
    public async Task AWriteIsOverOneVersionOrIsNotMade(string kind)
    {
        await using Scene scene = await Scene.StartAsync(kind);
        ISharedPlace place = scene.Place;
        const string Name = "receipts/shop-1.json";
        Assert.Empty(await place.ListAsync("receipts", Cancellation));
        Assert.Null(await place.ReadAsync(Name, 100, Cancellation));
        Assert.Null(await place.WriteAsync(Name, "lost", "\"no such version\"", Cancellation));
        string? first = await place.WriteAsync(Name, "one", null, Cancellation);
        Assert.NotNull(first);
        Assert.Null(await place.WriteAsync(Name, "other", null, Cancellation));
        Assert.Equal(new SharedText("one", first), await place.ReadAsync(Name, 100, Cancellation));
        string? second = await place.WriteAsync(Name, "two \u00e9", first, Cancellation);
        Assert.NotNull(second);
        Assert.NotEqual(first, second);
        Assert.Null(await place.WriteAsync(Name, "late", first, Cancellation));
        Assert.Equal(new SharedText("two \u00e9", second), await place.ReadAsync(Name, 100, Cancellation));
        await Assert.ThrowsAsync<SharedPlaceException>(() => place.ReadAsync(Name, 3, Cancellation));

        Assert.NotNull(await place.WriteAsync("leases/other.json", "x", null, Cancellation));
        SharedEntry entry = Assert.Single(await place.ListAsync("receipts", Cancellation));
        Assert.Equal((Name, second, 6L), (entry.Name, entry.Version, entry.Size));
        Assert.InRange(entry.Modified, DateTimeOffset.UtcNow.AddMinutes(-10), DateTimeOffset.UtcNow.AddMinutes(10));
    }

    [Theory]
    [InlineData("folder")]
    [InlineData("s3")]
    [InlineData("gs")]
    public async Task OfManyThatWriteAtOnceEachIsSeenByTheNext(string kind)
    {
        await using Scene scene = await Scene.StartAsync(kind);
        await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < 5; i++)
            {
                await PlaceProcess.CountAsync(scene.Place, Cancellation);
            }
        })));
        Assert.Equal("30", (await scene.Place.ReadAsync(PlaceProcess.Name, 100, Cancellation))?.Text);
    }

    [Fact]
    public async Task ProcessesThatWriteIntoOneFolderLoseNothingAndLeaveNothingBehind()
    {
        using TempFolder folder = new();
        Process[] writers =
        [
            .. Enumerable.Range(0, 4).Select(_ => Process.Start(new ProcessStartInfo(
                "dotnet", [typeof(SharedPlaceTests).Assembly.Location, PlaceProcess.Verb, folder.Path, "25"]))!),
        ];
        foreach (Process writer in writers)
        {
            await writer.WaitForExitAsync(Cancellation);
            Assert.Equal(0, writer.ExitCode);
            writer.Dispose();
        }

        using FolderPlace place = new(folder.Path);
        Assert.Equal(new SharedText("100", "100"), await place.ReadAsync(PlaceProcess.Name, 100, Cancellation));

        // What was written over within the last minute keeps its name, so that whoever looked before it is refused; then it goes.
        string[] files = Directory.GetFiles(Path.Combine(folder.Path, "leases"));
        Assert.All(files, f => Assert.Matches(@"count\.v[0-9]+\.json$", f));
        foreach (string file in files)
        {
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddMinutes(-2));
        }

        Assert.NotNull(await place.WriteAsync(PlaceProcess.Name, "101", "100", Cancellation));
        Assert.Equal(
            ["count.v100.json", "count.v101.json"],
            Directory.GetFiles(Path.Combine(folder.Path, "leases")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    /// <summary>A version that somebody has already gone on from was won, however soon he was.</summary>
    [Fact]
    public async Task WhoeverIsOvertakenRightAfterHisWriteHasWrittenOnce()
    {
        using TempFolder folder = new();
        using FolderPlace place = new(folder.Path);
        int[] written = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            int won = 0;
            for (int i = 0; i < 60; i++)
            {
                string? over = (await place.ReadAsync(PlaceProcess.Name, 100, Cancellation))?.Version;
                won += await place.WriteAsync(PlaceProcess.Name, "x", over, Cancellation) is null ? 0 : 1;
            }

            return won;
        })));
        string? last = (await place.ReadAsync(PlaceProcess.Name, 100, Cancellation))?.Version;
        Assert.Equal(written.Sum().ToString(CultureInfo.InvariantCulture), last);
    }

    [Fact]
    public async Task InAFolderOnlyPlainFilesOfPlainNamesAreDocuments()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links and pipes need no rights on Unix only");
        using TempFolder folder = new();
        using TempFolder outside = new();
        string secret = outside.Write("secret.json", "not yours");
        string shelf = Directory.CreateDirectory(Path.Combine(folder.Path, "receipts")).FullName;
        File.WriteAllText(Path.Combine(shelf, "by-hand.json"), "put there");
        File.CreateSymbolicLink(Path.Combine(shelf, "link.json"), secret);
        File.CreateSymbolicLink(Path.Combine(shelf, "by-hand.v7.json"), secret);
        File.WriteAllText(Path.Combine(shelf, "sp ace.json"), "x");
        File.WriteAllText(Path.Combine(shelf, "-rf.json"), "x");
        File.WriteAllText(Path.Combine(shelf, ".hidden.json"), "x");
        using (Process pipe = Process.Start("mkfifo", [Path.Combine(shelf, "pipe.json")]))
        {
            await pipe.WaitForExitAsync(Cancellation);
        }

        using FolderPlace place = new(folder.Path);
        Assert.Equal(["receipts/by-hand.json"], (await place.ListAsync("receipts", Cancellation)).Select(e => e.Name));
        Assert.Equal("put there", (await place.ReadAsync("receipts/by-hand.json", 100, Cancellation))?.Text);
        Assert.Null(await place.ReadAsync("receipts/link.json", 100, Cancellation));
        Assert.Null(await place.ReadAsync("receipts/pipe.json", 100, Cancellation));

        // A write over what is a link makes a file beside it.
        Assert.NotNull(await place.WriteAsync("receipts/link.json", "mine", null, Cancellation));
        Assert.Equal("not yours", File.ReadAllText(secret));

        // A shelf that is a link elsewhere is no shelf.
        Directory.CreateSymbolicLink(Path.Combine(folder.Path, "leases"), outside.Path);
        await Assert.ThrowsAsync<SharedPlaceException>(() => place.WriteAsync("leases/a.json", "x", null, Cancellation));
        await Assert.ThrowsAsync<SharedPlaceException>(
            () => new FolderPlace(Path.Combine(folder.Path, "not-mounted")).ListAsync("receipts", Cancellation));
        Assert.Single(Directory.GetFiles(outside.Path));
    }

    [Theory]
    [InlineData("s3://")]
    [InlineData("s3://UPPER/x")]
    [InlineData("s3://bucket/../x")]
    [InlineData("s3://bucket/a?region=x.evil.example")]
    [InlineData("gs://bucket/a b")]
    [InlineData("https://bucket/a")]
    public void AnAddressThatIsNoneIsRefused(string address) =>
        Assert.Equal("SharedStateInvalid", Assert.Throws<CmekException>(() => SharedAddress.Parse(address)).ErrorId);

    [Fact]
    public async Task ABucketThatRefusesSaysSo()
    {
        await using SandboxServer server = SandboxServer.Start();
        AwsKeyPair nobody = server.Get<AwsService>().AddCredentials(
            server.Options.AwsAccountId,
            $"arn:aws:iam::{server.Options.AwsAccountId}:user/nobody",
            """{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}""");
        ProviderOptions options = new() { AwsEndpoint = server.BaseAddress, AwsCredentials = (
            nobody.AccessKeyId,
            nobody.SecretAccessKey), GoogleStorageEndpoint = server.BaseAddress, GoogleAccessToken = "bad" };
        foreach ((string address, string said) in ((string, string)[])[("s3://cmek-state/a", "AccessDenied"), ("gs://cmek-state/a", "401")])
        {
            using ISharedPlace place = SharedPlaces.Create(SharedAddress.Parse(address), options, Timings.Sandbox);
            SharedPlaceException refused = await Assert.ThrowsAsync<SharedPlaceException>(() => place.ListAsync("receipts", Cancellation));
            Assert.Contains(said, refused.Message, StringComparison.Ordinal);
        }
    }

    private sealed class Scene(ISharedPlace place, Func<ValueTask> end) : IAsyncDisposable
    {
        public ISharedPlace Place { get; } = place;

        public static async Task<Scene> StartAsync(string kind)
        {
            if (kind == "folder")
            {
                TempFolder folder = new();
                return new Scene(new FolderPlace(folder.Path), () =>
                {
                    folder.Dispose();
                    return ValueTask.CompletedTask;
                });
            }

            if (kind == "moto")
            {
                MotoServer moto = await MotoServer.StartAsync();
                await moto.AwsAsync("s3", "mb", "s3://cmek-state");
                return new Scene(
                    SharedPlaces.Create(SharedAddress.Parse("s3://cmek-state/team/a"), moto.Options, Timings.Sandbox),
                    moto.DisposeAsync);
            }

            SandboxServer server = SandboxServer.Start();
            ProviderOptions options = new()
            {
                AwsEndpoint = server.BaseAddress,
                AwsCredentials = (server.Environment["AWS_ACCESS_KEY_ID"], server.Environment["AWS_SECRET_ACCESS_KEY"]),
                GoogleStorageEndpoint = server.BaseAddress,
                GoogleAccessToken = server.Environment["GOOGLE_SANDBOX_ACCESS_TOKEN"],
            };
            return new Scene(
                SharedPlaces.Create(SharedAddress.Parse($"{kind}://{S3Store.Standard}/team/a"), options, Timings.Sandbox),
                server.DisposeAsync);
        }

        public async ValueTask DisposeAsync()
        {
            Place.Dispose();
            await end();
        }
    }
}
