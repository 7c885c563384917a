using System.Management.Automation.Language;

namespace CmekTools.Module;

/// <summary>An environment variable as a line of text for a shell or a file.</summary>
internal static class VariableText
{
    /// <summary>The line. Values are quoted whatever is in them, but in the form that knows no quotes.</summary>
    public static string Of(string name, string value, CmekVariableForm form) => form switch
    {
        CmekVariableForm.Bash => $"export {name}='{value.Replace("'", @"'\''", StringComparison.Ordinal)}'",
        CmekVariableForm.Env => $"{name}={value}",
        _ => $"$env:{name} = '{CodeGeneration.EscapeSingleQuotedStringContent(value)}'",
    };
}
