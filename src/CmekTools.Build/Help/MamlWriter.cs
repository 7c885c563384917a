using System.Globalization;
using System.Management.Automation;
using System.Xml.Linq;

namespace CmekTools.Build.Help;

/// <summary>Writes help as the engine reads it (MAML).</summary>
internal static class MamlWriter
{
    private static readonly XNamespace s_help = "http://msh";
    private static readonly XNamespace s_maml = "http://schemas.microsoft.com/maml/2004/10";
    private static readonly XNamespace s_command = "http://schemas.microsoft.com/maml/dev/command/2004/10";
    private static readonly XNamespace s_dev = "http://schemas.microsoft.com/maml/dev/2004/10";

    private static readonly Dictionary<string, string> s_supported = new()
    {
        ["WhatIf"] = "Shows what would be changed, the exact JSON included, and changes nothing.",
        ["Confirm"] = "Asks before each change.",
    };

    public static XDocument Write(IEnumerable<(Page Page, CmdletInfo Command)> commands) =>
        new(new XElement(
            s_help + "helpItems",
            new XAttribute("schema", "maml"),
            new XAttribute(XNamespace.Xmlns + "maml", s_maml),
            new XAttribute(XNamespace.Xmlns + "command", s_command),
            new XAttribute(XNamespace.Xmlns + "dev", s_dev),
            commands.Select(c => Command(c.Page, c.Command))));

    private static XElement Command(Page page, CmdletInfo command) =>
        new(
            s_command + "command",
            new XElement(
                s_command + "details",
                new XElement(s_command + "name", command.Name),
                new XElement(s_command + "verb", command.Verb),
                new XElement(s_command + "noun", command.Noun),
                Description([page.Synopsis])),
            Description([.. page.Description, .. SeeAlso(page)]),
            new XElement(s_command + "syntax", command.ParameterSets.Select(s => Syntax(command, s))),
            new XElement(s_command + "parameters", Parameters(page, command)),
            new XElement(
                s_command + "inputTypes",
                page.Inputs.Select(i => new XElement(s_command + "inputType", Type(i.Name), Description(i.Text)))),
            new XElement(
                s_command + "returnValues",
                page.Outputs.Select(o => new XElement(s_command + "returnValue", Type(o.Name), Description(o.Text)))),
            page.Notes.Count == 0 ? null : new XElement(s_maml + "alertSet", new XElement(s_maml + "alert", Paragraphs(page.Notes))),
            new XElement(s_command + "examples", page.Examples.Select(Example)),
            HasPage(page) ? new XElement(s_command + "relatedLinks", page.Links.Select(Link)) : null);

    // Where there are links the engine offers Get-Help -Online, which needs a page on the web.
    private static bool HasPage(Page page) => page.Links.Any(l => l.Target.Contains("://", StringComparison.Ordinal));

    private static IEnumerable<string> SeeAlso(Page page) =>
        HasPage(page) || page.Links.Count == 0 ? [] : [$"See also: {string.Join(", ", page.Links.Select(l => l.Text))}."];

    private static XElement Syntax(CmdletInfo command, CommandParameterSetInfo set) =>
        new(
            s_command + "syntaxItem",
            new XElement(s_maml + "name", command.Name),
            CommandReader.Shown(set).Select(
                p => Parameter(p.Name, p.ParameterType, p.IsMandatory, Pipeline(p), p.Position, p.Aliases, TakesWildcards([p]), [])));

    private static IEnumerable<XElement> Parameters(Page page, CmdletInfo command)
    {
        foreach (ParameterMetadata parameter in command.Parameters.Values.OrderBy(p => p.Name, StringComparer.Ordinal))
        {
            IReadOnlyList<string>? text = page.Parameters.FirstOrDefault(p => p.Name == "-" + parameter.Name)?.Text
                ?? (s_supported.TryGetValue(parameter.Name, out string? known) ? [known] : null);
            if (text is null)
            {
                continue;
            }

            CommandParameterInfo[] infos = [.. command.ParameterSets.SelectMany(s => s.Parameters).Where(p => p.Name == parameter.Name)];
            yield return Parameter(
                parameter.Name,
                parameter.ParameterType,
                infos.All(i => i.IsMandatory),
                infos.Select(Pipeline).MaxBy(p => p.Length) ?? "false",
                infos.Max(i => i.Position),
                parameter.Aliases,
                TakesWildcards(infos),
                text);
        }
    }

    private static bool TakesWildcards(IEnumerable<CommandParameterInfo> infos) =>
        infos.Any(i => i.Attributes.OfType<SupportsWildcardsAttribute>().Any());

    private static XElement Parameter(
        string name,
        Type type,
        bool mandatory,
        string pipeline,
        int position,
        IReadOnlyCollection<string> aliases,
        bool wildcards,
        IReadOnlyList<string> text)
    {
        Type bare = Nullable.GetUnderlyingType(type) ?? type;
        bool isSwitch = bare == typeof(SwitchParameter);
        return new XElement(
            s_command + "parameter",
            new XAttribute("required", mandatory ? "true" : "false"),
            new XAttribute("variableLength", bare.IsArray ? "true" : "false"),
            new XAttribute("globbing", wildcards ? "true" : "false"),
            new XAttribute("pipelineInput", pipeline),
            new XAttribute("position", position < 0 ? "named" : position.ToString(CultureInfo.InvariantCulture)),
            new XAttribute("aliases", aliases.Count == 0 ? "none" : string.Join(", ", aliases)),
            new XElement(s_maml + "name", name),
            Description(text),
            bare.IsEnum
                ? new XElement(s_command + "parameterValueGroup", Enum.GetNames(bare).Select(n => Value(n, required: false)))
                : null,
            isSwitch ? null : Value(Shown(bare), required: true),
            Type(Shown(bare)),
            new XElement(s_dev + "defaultValue", isSwitch ? "False" : Default(text)));
    }

    // The pages give a default as a sentence of its own: "Default: 30 seconds."
    private static string Default(IReadOnlyList<string> text)
    {
        const string Word = "Default: ";
        string? line = text.FirstOrDefault(t => t.Contains(Word, StringComparison.Ordinal));
        return line is null ? "None" : line[(line.IndexOf(Word, StringComparison.Ordinal) + Word.Length)..].Split(". ")[0].TrimEnd('.');
    }

    private static XElement Value(string text, bool required) =>
        new(
            s_command + "parameterValue",
            new XAttribute("required", required ? "true" : "false"),
            new XAttribute("variableLength", "false"),
            text);

    private static string Shown(Type type) => type switch
    {
        { IsArray: true } => Shown(type.GetElementType()!) + "[]",
        { IsEnum: true } or { Namespace: "CmekTools" } => type.Name,
        _ => Microsoft.PowerShell.ToStringCodeMethods.Type(PSObject.AsPSObject(type)) is { Length: > 0 } known
            && !known.Contains(',', StringComparison.Ordinal)
            ? known.Split('.')[^1]
            : type.Name,
    };

    private static string Pipeline(CommandParameterInfo parameter) =>
        (parameter.ValueFromPipeline, parameter.ValueFromPipelineByPropertyName) switch
    {
        (true, true) => "true (ByValue, ByPropertyName)",
        (true, false) => "true (ByValue)",
        (false, true) => "true (ByPropertyName)",
        _ => "false",
    };

    // The engine shows an example's code first and then its remarks: what it prints, and what is to be said of it.
    private static XElement Example(Example example, int index) =>
        new(
            s_command + "example",
            new XElement(s_maml + "title", $"Example {index + 1}: {example.Title}"),
            new XElement(s_dev + "code", example.Code),
            new XElement(
                s_dev + "remarks",
                Paragraphs([.. example.Text, .. string.IsNullOrEmpty(example.Output) ? Array.Empty<string>() : [example.Output]])));

    private static XElement Link(Link link) =>
        new(
            s_maml + "navigationLink",
            new XElement(s_maml + "linkText", link.Text),
            new XElement(s_maml + "uri", link.Target.Contains("://", StringComparison.Ordinal) ? link.Target : string.Empty));

    private static XElement Type(string name) => new(s_dev + "type", new XElement(s_maml + "name", name), new XElement(s_maml + "uri"));

    private static XElement Description(IReadOnlyList<string> paragraphs) => new(s_maml + "description", Paragraphs(paragraphs));

    private static IEnumerable<XElement> Paragraphs(IReadOnlyList<string> paragraphs) =>
        paragraphs.Select(p => new XElement(s_maml + "para", p));
}
