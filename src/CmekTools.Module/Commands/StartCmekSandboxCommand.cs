using System.Management.Automation;
using System.Net;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Faults;

namespace CmekTools.Module.Commands;

/// <summary>Starts the other side of the wire on loopback: CockroachDB Cloud, AWS and Google Cloud to try everything on.</summary>
[Cmdlet(VerbsLifecycle.Start, "CmekSandbox", DefaultParameterSetName = StartSet)]
[OutputType(typeof(CmekSandbox), ParameterSetName = [StartSet])]
[OutputType(typeof(string), ParameterSetName = [WaitSet])]
public sealed class StartCmekSandboxCommand : PipelineCommand
{
    private const string StartSet = "Start";
    private const string WaitSet = "Wait";

    /// <summary>The port; a free one where not given.</summary>
    [Parameter]
    [ValidateRange(0, 65535)]
    public int Port { get; set; }

    /// <summary>Clusters to begin with, each NAME=PROVIDER:REGION[,REGION…].</summary>
    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    public string[] Cluster { get; set; } = [];

    /// <summary>How long each transition of a cluster takes.</summary>
    [Parameter]
    public TimeSpan StateTime { get; set; } = new SandboxOptions().StateTime;

    /// <summary>How long IAM takes to spread a change.</summary>
    [Parameter]
    public TimeSpan IamLag { get; set; }

    /// <summary>Added to each answer.</summary>
    [Parameter]
    public TimeSpan AnswerTime { get; set; }

    /// <summary>Cloud API requests a second, 10 as at the service; 0 for no limit.</summary>
    [Parameter]
    [ValidateRange(0, 10000)]
    public int RateLimit { get; set; } = new SandboxOptions().RateLimit;

    /// <summary>The vendor does not bring a revoked cluster back by itself once it has access again.</summary>
    [Parameter]
    public SwitchParameter NoVendorRecovery { get; set; }

    /// <summary>The service does not take NULL_KMS.</summary>
    [Parameter]
    public SwitchParameter NoDisable { get; set; }

    /// <summary>Writes the variables for other programs and serves until it is stopped.</summary>
    [Parameter(Mandatory = true, ParameterSetName = WaitSet)]
    public SwitchParameter Wait { get; set; }

    /// <summary>How the variables are written.</summary>
    [Parameter(ParameterSetName = WaitSet)]
    public CmekVariableForm As { get; set; } = CmekVariableForm.PowerShell;

    /// <summary>It does to a client what the real services do: lag, old reads, refusals for what is missing, quotas.</summary>
    [Parameter]
    public SwitchParameter Realistic { get; set; }

    /// <summary>
    /// What goes wrong on the way, each SERVICE[:OPERATION] KIND[,KIND…] with probability=, nth=, times=, seconds= or writes behind
    /// it.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(FaultCompleter))]
    public string[] Fault { get; set; } = [];

    /// <summary>Decides which requests go wrong: the same seed hits the same ones.</summary>
    [Parameter]
    public int FaultSeed { get; set; }

    internal override async Task EndAsync()
    {
        SandboxOptions options = new()
        {
            Port = Port,
            StateTime = StateTime,
            IamLag = IamLag,
            AnswerTime = AnswerTime,
            RateLimit = RateLimit,
            VendorRecovers = !NoVendorRecovery,
            TakesNullKms = !NoDisable,
            FaultSeed = FaultSeed,
        };
        try
        {
            if (Cluster.Length > 0)
            {
                options = options with { Clusters = [.. Cluster.Select(SandboxClusterOptions.Parse)] };
            }
        }
        catch (FormatException e)
        {
            throw new CmekException(
                "SandboxClusterInvalid",
                CmekErrorKind.InvalidArgument,
                e.Message,
                "Give clusters as NAME=AWS:REGION,REGION or NAME=GCP:REGION, for example 'shop=AWS:us-east-1,us-west-2'.",
                Cluster,
                e);
        }

        try
        {
            options = options with { Faults = [.. Fault.Select(FaultRule.Parse)] };
        }
        catch (FormatException e)
        {
            throw new CmekException(
                "SandboxFaultInvalid",
                CmekErrorKind.InvalidArgument,
                e.Message,
                "Give faults as 'kms:CreateKey ResetAfter nth=1' or '* ServerErrorBefore,ResetBefore probability=0.2'.",
                Fault,
                e);
        }

        SandboxServer server;
        try
        {
            server = SandboxServer.Start(Realistic ? options.AsReal() : options);
        }
        catch (HttpListenerException e)
        {
            throw new CmekException(
                "SandboxPortTaken",
                CmekErrorKind.ResourceUnavailable,
                $"Port {Port} cannot be listened on: {e.Message}",
                "Leave -Port away for a free one.",
                Port,
                e);
        }

        if (Wait)
        {
            await ServeAsync(server).ConfigureAwait(false);
            return;
        }

        CmekSandbox sandbox = new()
        {
            BaseAddress = server.BaseAddress,
            Environment = server.Environment,
            StartedAt = DateTimeOffset.UtcNow,
            Server = server,
        };
        Sandboxes.Add(sandbox);
        await Pipeline.OutputAsync(sandbox).ConfigureAwait(false);
    }

    // Ctrl-C, and a command downstream that has had enough, end it: both cancel.
    private async Task ServeAsync(SandboxServer server)
    {
        await using (server.ConfigureAwait(false))
        {
            foreach ((string name, string value) in server.Environment.OrderBy(v => v.Key, StringComparer.Ordinal))
            {
                await Pipeline.OutputAsync(VariableText.Of(name, value, As)).ConfigureAwait(false);
            }

            // The last line: whoever reads it has all of them. A comment in each of the forms.
            await Pipeline.OutputAsync($"# {server.BaseAddress} serves until Ctrl-C.").ConfigureAwait(false);
            await Task.Delay(Timeout.Infinite, Cancellation).ConfigureAwait(false);
        }
    }
}
