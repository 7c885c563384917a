using System.Management.Automation;
using System.Management.Automation.Runspaces;

namespace CmekTools.Build.Help;

/// <summary>Asks the engine what commands the built module has: its word on parameters and sets is the last.</summary>
internal static class CommandReader
{
    private static readonly HashSet<string> s_common = [.. Cmdlet.CommonParameters, .. Cmdlet.OptionalCommonParameters];

    public static IReadOnlyList<CmdletInfo> Read(string manifest)
    {
        using Runspace runspace = RunspaceFactory.CreateRunspace(InitialSessionState.CreateDefault2());
        runspace.Open();
        using PowerShell shell = PowerShell.Create(runspace);
        shell.AddCommand("Import-Module").AddParameter("Name", manifest).AddParameter("PassThru").AddParameter(
            "ErrorAction",
            ActionPreference.Stop);
        CmdletInfo[] commands =
        [
            .. ((PSModuleInfo)shell.Invoke()[0].BaseObject).ExportedCmdlets.Values.OrderBy(c => c.Name, StringComparer.Ordinal),
        ];

        // Parameters are read when they are asked for first, which takes the runspace.
        foreach (CmdletInfo command in commands)
        {
            _ = command.ParameterSets.Sum(s => s.Parameters.Count);
        }

        return commands;
    }

    /// <summary>The parameters that the command itself has, -WhatIf and -Confirm not among them.</summary>
    public static IEnumerable<ParameterMetadata> Own(CommandInfo command) =>
        command.Parameters.Values.Where(p => !s_common.Contains(p.Name)).OrderBy(p => p.Name, StringComparer.Ordinal);

    /// <summary>The parameters of a set in the order in which they are shown: by position, the mandatory ones, the others.</summary>
    public static IEnumerable<CommandParameterInfo> Shown(CommandParameterSetInfo set) =>
        set.Parameters
            .Where(p => !s_common.Contains(p.Name) || p.Name is "WhatIf" or "Confirm")
            .OrderBy(p => p.Position < 0 ? int.MaxValue : p.Position)
            .ThenBy(p => p.IsMandatory ? 0 : 1)
            .ThenBy(p => p.Name is "WhatIf" or "Confirm" ? 1 : 0);
}
