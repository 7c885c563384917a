using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>The one convention of waiting: every command that starts something at the service takes both switches.</summary>
internal static class Waiting
{
    /// <summary>Whether to wait for the goal.</summary>
    /// <param name="wait"><c>-Wait</c>.</param>
    /// <param name="noWait"><c>-NoWait</c>.</param>
    /// <param name="otherwise">What the command does where neither is given.</param>
    /// <exception cref="CmekException"><c>WaitContradicts</c>.</exception>
    public static bool Decide(SwitchParameter wait, SwitchParameter noWait, bool otherwise) => (wait.ToBool(), noWait.ToBool()) switch
    {
        (true, true) => throw new CmekException(
            "WaitContradicts",
            CmekErrorKind.InvalidArgument,
            "-Wait and -NoWait say the opposite of each other.",
            "Give one of them, or none for the command's default.",
            noWait),
        (true, _) => true,
        (_, true) => false,
        _ => otherwise,
    };
}
