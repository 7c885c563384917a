using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using CmekTools.Engine;
using CmekTools.Engine.Pacing;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.Access;

/// <summary>What -Debug shows of requests that got no answer: with a service out of reach it is these that one looks for.</summary>
public sealed class UnansweredRequestTests
{
    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ARequestWithoutAnAnswerIsShownLikeAnother(string cloud)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Uri address = new($"http://{listener.LocalEndpoint}/");
        Task hangingUp = HangUpAsync(listener, stop.Token);
        using EngineKit kit = EngineKit.Create(new ProviderOptions
        {
            AwsEndpoint = address,
            AwsCredentials = ("AKIAIOSFODNN7EXAMPLE", "secret"),
            GoogleKmsEndpoint = address,
            GoogleIamEndpoint = address,
            GoogleAccessToken = "token",
            GoogleProject = GcpWire.Project,
        });
        string key = cloud == "AWS"
            ? $"arn:aws:kms:us-east-1:{AwsWire.Account}:key/00000000-0000-4000-8000-000000000000"
            : GcpWire.Key;
        ConcurrentQueue<string> lines = [];
        RequestTrace.Current = line =>
        {
            lines.Enqueue(line.Whole);

            // One is enough: the retries would take their time.
            return stop.CancelAsync();
        };
        await Assert.ThrowsAnyAsync<Exception>(
            () => kit.Session.GetProvider(Enum.Parse<CmekProvider>(cloud))
                .GetKeyAsync(key, kit.RunUntil(new TestOperationHost(), stop.Token)));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => hangingUp);
        Assert.NotEmpty(lines);
        Assert.All(lines, l => Assert.Contains(": no answer in ", l, StringComparison.Ordinal));
        Assert.All(lines, l => Assert.Contains($" {address}", l, StringComparison.Ordinal));
    }

    private static async Task HangUpAsync(TcpListener listener, CancellationToken stop)
    {
        while (true)
        {
            using TcpClient client = await listener.AcceptTcpClientAsync(stop);
        }
    }
}
