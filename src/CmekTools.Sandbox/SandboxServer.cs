using System.Collections.Concurrent;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using CmekTools.Sandbox.Faults;

namespace CmekTools.Sandbox;

/// <summary>The other side of the wire, on one loopback port: CockroachDB Cloud, AWS KMS, STS and IAM, Google Cloud KMS and IAM.</summary>
internal sealed class SandboxServer : IAsyncDisposable
{
    // Longer than any client waits for one answer.
    private static readonly TimeSpan s_silence = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    private readonly HttpListener _listener;
    private readonly List<ISandboxService> _services = [];
    private readonly Dictionary<string, string> _environment = [];
    private readonly ConcurrentQueue<SandboxExchange> _exchanges = new();
    private readonly ConcurrentDictionary<Uri, Socket> _shut = new();
    private readonly object _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private int _disposed;
    private Task _loop = Task.CompletedTask;
    private int _count;
    private int _effects;
    private int _working;

    private SandboxServer(SandboxOptions options, HttpListener listener, int port)
    {
        Options = options;
        _listener = listener;
        BaseAddress = new Uri($"http://127.0.0.1:{port}/");
    }

    /// <summary>
    /// How it behaves. May be replaced while it runs (times, limits, faults); clusters and port are only read at the start.
    /// </summary>
    public SandboxOptions Options { get; set; }

    /// <summary>The one address of all services.</summary>
    public Uri BaseAddress { get; }

    /// <summary>The variables that point other programs here.</summary>
    public IReadOnlyDictionary<string, string> Environment => _environment;

    /// <summary>Every exchange so far, in the order of the answers.</summary>
    public IReadOnlyList<SandboxExchange> Exchanges => [.. _exchanges];

    /// <summary>Called before a request is answered: may wait, and may answer in the service's place (a fault).</summary>
    public Func<SandboxRequest, Task<SandboxResponse?>>? Before { get; set; }

    /// <summary>
    /// Called when a request has taken effect and its answer has not been sent: may wait, for ever too, and may put another answer in
    /// its place.
    /// </summary>
    public Func<SandboxRequest, SandboxResponse, Task<SandboxResponse?>>? After { get; set; }

    /// <summary>What goes wrong on the way; null for nothing. Looked at before <see cref="Before"/>.</summary>
    public FaultPlan? Faults { get; set; }

    /// <summary>How many requests are being worked on now; those that a fault holds back are not.</summary>
    public int Working => Volatile.Read(ref _working);

    /// <summary>The services by type, for tests that arrange things behind the scenes.</summary>
    public T Get<T>()
        where T : ISandboxService => _services.OfType<T>().First();

    /// <summary>Starts a sandbox.</summary>
    /// <exception cref="HttpListenerException">The port is taken.</exception>
    public static SandboxServer Start(SandboxOptions? options = null)
    {
        options ??= new SandboxOptions();
        (HttpListener listener, int port) = Listen(options.Port);
        SandboxServer server = new(options, listener, port);
        server.AddServices();
        server.Faults = options.Faults.Count > 0 ? new FaultPlan(options.FaultSeed, options.Faults, options.Clock) : null;
        server._loop = Task.Run(server.ServeAsync);
        return server;
    }

    /// <summary>Opens one more port for the same services. Its connections end with each answer, so that it can be shut.</summary>
    public Uri AddDoor()
    {
        for (int attempt = 0; ; attempt++)
        {
            Uri door = new($"http://127.0.0.1:{FreePort()}/");
            try
            {
                Open(door);
                return door;
            }
            catch (HttpListenerException) when (attempt < 20)
            {
                _listener.Prefixes.Remove(door.ToString());
            }
        }
    }

    /// <summary>From now on connections to a door are refused; what was asked before is answered.</summary>
    public void Shut(Uri door)
    {
        _listener.Prefixes.Remove(door.ToString());

        // Bound and not listening: connections are refused, and nobody else gets the port.
        Socket keeper = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _shut[door] = keeper;
        keeper.Bind(new IPEndPoint(IPAddress.Loopback, door.Port));
    }

    /// <summary>Opens a door that was shut.</summary>
    /// <exception cref="HttpListenerException">Somebody else has the port.</exception>
    public void Open(Uri door)
    {
        if (_shut.TryRemove(door, out Socket? keeper))
        {
            keeper.Dispose();
        }

        _listener.Prefixes.Add(door.ToString());
    }

    /// <summary>Adds a variable that points other programs here; for the services, at their start.</summary>
    public void AddVariable(string name, string value) => _environment[name] = value;

    /// <summary>Forgets the exchanges so far.</summary>
    public void ClearExchanges() => _exchanges.Clear();

    /// <summary>Does something between two answers, for what arranges things behind the scenes.</summary>
    public T Exclusively<T>(Func<T> work)
    {
        lock (_lock)
        {
            return work();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        _listener.Close();
        foreach (Socket keeper in _shut.Values)
        {
            keeper.Dispose();
        }

        await _loop.ConfigureAwait(false);
        _stop.Dispose();
    }

    // The one place that knows which services there are.
    private void AddServices()
    {
        Aws.AwsService aws = new(this);
        Gcp.GcpService gcp = new(this);
        _services.AddRange([aws, gcp, new CloudApi.CloudApiService(this, [aws, gcp])]);
    }

    private static (HttpListener Listener, int Port) Listen(int wanted)
    {
        // HttpListener cannot take "any free port" by itself; a port that is lost between the look and the start is looked for again.
        for (int attempt = 0; ; attempt++)
        {
            int port = wanted != 0 ? wanted : FreePort();
            HttpListener listener = new();
            listener.Prefixes.Add($"http://127.0.0.1:{port}/");
            listener.Prefixes.Add($"http://localhost:{port}/");
            try
            {
                listener.Start();
                return (listener, port);
            }
            catch (HttpListenerException) when (wanted == 0 && attempt < 20)
            {
                listener.Close();
            }
        }
    }

    private static int FreePort()
    {
        using TcpListener probe = new(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private async Task ServeAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                return;
            }

            _ = Task.Run(() => AnswerAsync(context));
        }
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        Interlocked.Increment(ref _working);
        context.Response.KeepAlive = context.Request.IsLocal && context.Request.LocalEndPoint.Port == BaseAddress.Port;
        try
        {
            SandboxRequest request = await ReadAsync(context.Request).ConfigureAwait(false);
            ISandboxService? service = _services.FirstOrDefault(s => s.Claims(request));
            Fault? fault = Faults?.Decide(request);
            SandboxResponse? response = Before is { } before ? await before(request).WaitAsync(_stop.Token).ConfigureAwait(false) : null;
            if (Options.AnswerTime > TimeSpan.Zero)
            {
                await Task.Delay(Options.AnswerTime, _stop.Token).ConfigureAwait(false);
            }

            if (response is null && fault is { TakesEffect: false })
            {
                response = FaultAnswers.Of(fault, request) ?? SandboxResponse.None;
            }

            if (response is null)
            {
                // One lock for the whole world: every answer sees one moment.
                lock (_lock)
                {
                    request.Effect = ++_effects;
                    response = Answer(service, request);
                    response = fault?.Kind == FaultKind.Twice ? Answer(service, request) : response;
                }

                // An answer can lose what it says, and not become a yes: a refusal stays one.
                bool stays = fault is null || (fault.Kind == FaultKind.Empty && response.Status >= 400);
                response = stays ? response : FaultAnswers.Of(fault!, request) ?? response;
            }

            if (After is { } after && await after(request, response).WaitAsync(_stop.Token).ConfigureAwait(false) is { } other)
            {
                response = other;
            }

            // Logged before it is sent, so that a client that has its answer finds it in the log.
            _exchanges.Enqueue(
                new SandboxExchange(
                    request,
                    ReferenceEquals(response, SandboxResponse.None) ? 0 : response.Status,
                    response.Body) { Fault = fault?.Kind });
            await SendAsync(context, response, fault).ConfigureAwait(false);
        }
        catch (Exception e) when (
            e is HttpListenerException or ObjectDisposedException or IOException or OperationCanceledException or InvalidOperationException)
        {
            // The client has gone, or the sandbox is being stopped: nobody is left to answer.
            context.Response.Abort();
        }
        catch (Exception e)
        {
            // A fault of the sandbox itself: said loudly, so that no test takes it for an answer of the service.
            await WriteAsync(
                context.Response,
                new SandboxResponse
                {
                    Status = 500,
                    ContentType = "text/plain",
                    Body = "the sandbox itself failed: " + e,
                }).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _working);
        }
    }

    private static SandboxResponse Answer(ISandboxService? service, SandboxRequest request) => service is null
        ? new SandboxResponse { Status = 404, ContentType = "text/plain", Body = "no service of the sandbox knows this path\n" }
        : service.Answer(request);

    // Sends an answer, or what a fault makes of it.
    private async Task SendAsync(HttpListenerContext context, SandboxResponse response, Fault? fault)
    {
        HttpListenerResponse to = context.Response;
        switch (fault?.Kind)
        {
            case FaultKind.ResetBefore or FaultKind.ResetAfter:
            case null when ReferenceEquals(response, SandboxResponse.None):
                BrokenConnection.Reset(context);
                break;
            case FaultKind.TimeoutBefore or FaultKind.TimeoutAfter:
                await HoldAsync(s_silence).ConfigureAwait(false);
                BrokenConnection.Reset(context);
                break;
            case FaultKind.CutShort:
                byte[] half = Encoding.UTF8.GetBytes(response.Body);
                Begin(to, response, half.Length);
                await to.OutputStream.WriteAsync(half.AsMemory(0, half.Length / 2)).ConfigureAwait(false);
                await to.OutputStream.FlushAsync().ConfigureAwait(false);
                context.Response.Abort();
                break;
            case FaultKind.Slow:
                byte[] all = Encoding.UTF8.GetBytes(response.Body);
                Begin(to, response, all.Length);
                foreach (byte[] piece in all.Chunk((all.Length / 4) + 1))
                {
                    await HoldAsync(s_pause).ConfigureAwait(false);
                    await to.OutputStream.WriteAsync(piece).ConfigureAwait(false);
                    await to.OutputStream.FlushAsync().ConfigureAwait(false);
                }

                to.Close();
                break;
            default:
                await WriteAsync(to, response).ConfigureAwait(false);
                break;
        }
    }

    // Held back is not worked on: whoever moves the clock may go on.
    private async Task HoldAsync(TimeSpan time)
    {
        Interlocked.Decrement(ref _working);
        try
        {
            await Task.Delay(time, Options.Clock, _stop.Token).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Increment(ref _working);
        }
    }

    private async Task<SandboxRequest> ReadAsync(HttpListenerRequest request)
    {
        using MemoryStream raw = new();
        await request.InputStream.CopyToAsync(raw).ConfigureAwait(false);
        byte[] body = raw.ToArray();
        if (string.Equals(request.Headers["Content-Encoding"], "gzip", StringComparison.OrdinalIgnoreCase))
        {
            using GZipStream unzip = new(new MemoryStream(body), CompressionMode.Decompress);
            using MemoryStream plain = new();
            await unzip.CopyToAsync(plain).ConfigureAwait(false);
            body = plain.ToArray();
        }

        string target = request.RawUrl ?? "/";
        int mark = target.IndexOf('?', StringComparison.Ordinal);
        return new SandboxRequest
        {
            Number = Interlocked.Increment(ref _count),
            Method = request.HttpMethod,
            RawPath = mark < 0 ? target : target[..mark],
            RawQuery = mark < 0 ? string.Empty : target[(mark + 1)..],
            Headers = new System.Collections.Specialized.NameValueCollection(request.Headers),
            Body = body,
            RawBody = raw.ToArray(),
            Time = DateTimeOffset.UtcNow,
        };
    }

    private static async Task WriteAsync(HttpListenerResponse to, SandboxResponse response)
    {
        byte[] body = Encoding.UTF8.GetBytes(response.Body);
        Begin(to, response, body.Length);
        await to.OutputStream.WriteAsync(body).ConfigureAwait(false);
        to.Close();
    }

    private static void Begin(HttpListenerResponse to, SandboxResponse response, int length)
    {
        to.StatusCode = response.Status;
        to.ContentType = response.ContentType;
        foreach ((string name, string value) in response.Headers)
        {
            to.Headers[name] = value;
        }

        to.ContentLength64 = length;
    }
}
