namespace CmekTools.Build.Help;

/// <summary>
/// A page is not as it has to be. The message is one line that MSBuild and editors understand: <c>FILE(LINE): error CMEKDOC:
/// TEXT</c>.
/// </summary>
internal sealed class DocsException(string file, int line, string problem) : Exception($"{file}({line}): error CMEKDOC: {problem}")
{
    public DocsException(string file, string problem)
        : this(file, 1, problem)
    {
    }
}
