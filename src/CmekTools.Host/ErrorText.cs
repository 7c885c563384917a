using System.Management.Automation;
using System.Text;

namespace CmekTools.Host;

/// <summary>The text of an error, for the host's view of error records. Public because the view, a script block, calls it.</summary>
public static class ErrorText
{
    private const int LongestLine = 80;

    /// <summary>The message, where it happened, what to do about it, and the category and id that scripts and searches go by.</summary>
    /// <param name="error">An error record, or the exception that carries one.</param>
    /// <returns>Lines of text without a line's end after the last.</returns>
    public static string Of(object? error)
    {
        object? value = error is PSObject wrapped ? wrapped.BaseObject : error;
        ErrorRecord? record = value as ErrorRecord ?? (value as IContainsErrorRecord)?.ErrorRecord;
        if (record is null)
            return (value as Exception)?.Message ?? value?.ToString() ?? string.Empty;

        StringBuilder text = new();
        InvocationInfo? invocation = record.InvocationInfo;
        string command = invocation?.MyCommand is CmdletInfo or FunctionInfo ? invocation.MyCommand.Name : string.Empty;
        if (command.Length > 0)
            text.Append(command).Append(": ");

        text.Append((record.ErrorDetails?.Message is { Length: > 0 } details ? details : record.Exception.Message).TrimEnd());
        if (!string.IsNullOrEmpty(invocation?.ScriptName))
        {
            string line = invocation.Line.Trim();
            Line(text, $"At {invocation.ScriptName}:{invocation.ScriptLineNumber}: {(line.Length > LongestLine ? line[..LongestLine] + "…" : line)}");
        }

        if (record.ErrorDetails?.RecommendedAction is { Length: > 0 } action)
            Line(text, "Recommendation: " + action);

        // A thrown string is its own id.
        string id = record.FullyQualifiedErrorId;
        Line(text, id == record.Exception.Message ? $"{record.CategoryInfo.Category}" : $"{record.CategoryInfo.Category}, {id}");
        return text.ToString();
    }

    private static void Line(StringBuilder text, string line) => text.Append(Environment.NewLine).Append("  ").Append(line);
}
