using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Host;

namespace CmekTools.Host.Terminal;

/// <summary>The host that scripts see as <c>$Host</c>.</summary>
internal sealed class ConsoleHost(ConsoleUserInterface ui) : PSHost
{
    /// <summary>The code of an <c>exit</c> outside of a script file.</summary>
    public int? ExitCode { get; private set; }

    public override CultureInfo CurrentCulture { get; } = CultureInfo.CurrentCulture;

    public override CultureInfo CurrentUICulture { get; } = CultureInfo.CurrentUICulture;

    public override Guid InstanceId { get; } = Guid.NewGuid();

    public override string Name => "CmekTools.Host";

    public override Version Version { get; } = typeof(ConsoleHost).Assembly.GetName().Version!;

    public override PSHostUserInterface UI => ui;

    public override void SetShouldExit(int exitCode) => ExitCode = exitCode;

    public override void EnterNestedPrompt() => throw Refused();

    public override void ExitNestedPrompt() => throw Refused();

    public override void NotifyBeginApplication()
    {
        // Programs write to the same terminal: nothing of ours may be in their way.
        ui.HideProgress();
    }

    public override void NotifyEndApplication()
    {
        // Nothing was changed for the program, so nothing is put back.
    }

    private static HostException Refused() =>
        new("This host cannot suspend a command.", null, "NestedPromptNotSupported", ErrorCategory.NotImplemented);
}
