using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using CmekTools.Engine;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Aws;

/// <summary>
/// A moto_server of one test's own: somebody else's idea of AWS. It does not evaluate policies, but keeps what it is told.
/// </summary>
internal sealed class MotoServer : IAsyncDisposable
{
    private readonly Process _process;

    private MotoServer(Process process, Uri address)
    {
        _process = process;
        Address = address;
    }

    public Uri Address { get; }

    public ProviderOptions Options => new() { AwsEndpoint = Address, AwsCredentials = ("testing", "testing") };

    public static async Task<MotoServer> StartAsync()
    {
        ExternalProgram.Need("moto_server");

        using TcpListener probe = new(IPAddress.Loopback, 0);
        probe.Start();
        int port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        ProcessStartInfo start = new(
            "moto_server",
            ["-H", "127.0.0.1", "-p", port.ToString(System.Globalization.CultureInfo.InvariantCulture)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        Process process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        MotoServer server = new(process, new Uri($"http://127.0.0.1:{port}/"));
        using HttpClient client = new();
        for (int attempt = 0; attempt < 300; attempt++)
        {
            try
            {
                using HttpResponseMessage answer = await client.GetAsync(
                    new Uri(server.Address, "moto-api/"),
                    TestContext.Current.CancellationToken);
                return server;
            }
            catch (HttpRequestException) when (attempt < 299 && !process.HasExited)
            {
                await Task.Delay(100, TestContext.Current.CancellationToken);
            }
        }

        throw new InvalidOperationException("moto_server did not answer.");
    }

    /// <summary>Runs the aws CLI against it.</summary>
    public async Task<string> AwsAsync(params string[] arguments)
    {
        ExternalProgram.Need("aws");
        return (await ExternalProgram.RunAsync("aws", arguments,
        [
            ("AWS_ENDPOINT_URL", Address.ToString()),
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_PAGER", string.Empty),
        ])).Expect().Output;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync(CancellationToken.None);
        }

        _process.Dispose();
    }
}
