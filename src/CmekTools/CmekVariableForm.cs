namespace CmekTools;

/// <summary>How environment variables are written.</summary>
public enum CmekVariableForm : long
{
    /// <summary>Statements of PowerShell.</summary>
    PowerShell,

    /// <summary>Statements of bash, zsh and other POSIX shells.</summary>
    Bash,

    /// <summary>NAME=VALUE, as a container's or a service's environment file.</summary>
    Env,
}
