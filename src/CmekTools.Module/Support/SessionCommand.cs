using System.Management.Automation;
using CmekTools.Engine;

namespace CmekTools.Module;

/// <summary>A cmdlet that needs a connection.</summary>
public abstract class SessionCommand : PipelineCommand
{
    private SessionContext? _context;

    /// <summary>The connection to use in place of the runspace's own.</summary>
    [Parameter]
    [ValidateNotNull]
    public CmekSession? Session { get; set; }

    /// <summary>The engine's side of the connection.</summary>
    internal SessionContext Context => _context ??= Sessions.Require(Session ?? RunspaceSession);

    /// <summary>This cmdlet's run.</summary>
    internal Operation Op => OperationOn(Context);

    /// <summary>Works on one record beside the others.</summary>
    /// <param name="name">What it is about, for people.</param>
    /// <param name="work">The work, with everything that belongs to the record taken out of the parameters before.</param>
    internal Task BesideAsync(string name, Func<Operation, Task> work) => BesideAsync(name, Context, work);
}
