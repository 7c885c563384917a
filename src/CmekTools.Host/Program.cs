using System.Runtime.InteropServices;

namespace CmekTools.Host;

internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        using CancellationTokenSource stop = new();
        int? signalCode = null;

        // The first signal stops the pipeline; the second one is left to the runtime, which ends the process.
        void OnSignal(PosixSignalContext context)
        {
            if (signalCode is null)
            {
                signalCode = context.Signal == PosixSignal.SIGTERM ? HostProgram.TerminatedCode : HostProgram.StoppedCode;
                context.Cancel = true;
                stop.CancelAsync();
            }
        }

        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        int code = await HostProgram
            .RunAsync(args, Console.In, Console.Out, Console.Error, HostOptions.ForConsole(), stop.Token)
            .ConfigureAwait(false);
        return code == HostProgram.StoppedCode ? signalCode ?? code : code;
    }
}
