using System.Collections;
using System.Management.Automation.Language;

namespace CmekTools.Build.Package;

/// <summary>What the module's manifest says of it: the package says the same.</summary>
internal sealed class ModuleManifest
{
    private readonly Hashtable _values;

    private ModuleManifest(Hashtable values) => _values = values;

    public string Version => Text(_values, "ModuleVersion");

    public string Author => Text(_values, "Author");

    public string Copyright => Text(_values, "Copyright");

    public string Description => Text(_values, "Description");

    public string ReleaseNotes => Text(Data, "ReleaseNotes");

    public string ProjectUri => Data["ProjectUri"] as string ?? string.Empty;

    public IReadOnlyList<string> Cmdlets => Texts(_values, "CmdletsToExport");

    public IReadOnlyList<string> Tags => Texts(Data, "Tags");

    private Hashtable Data => (Hashtable)((Hashtable)_values["PrivateData"]!)["PSData"]!;

    /// <summary>Reads a manifest without running anything that may be in it.</summary>
    public static ModuleManifest Read(string file)
    {
        ScriptBlockAst script = Parser.ParseFile(Path.GetFullPath(file), out _, out ParseError[] errors);
        if (errors.Length > 0 || script.Find(a => a is HashtableAst, searchNestedScriptBlocks: false) is not HashtableAst table)
        {
            throw new InvalidDataException($"{file} is not a module manifest.");
        }

        return new ModuleManifest((Hashtable)table.SafeGetValue());
    }

    private static string Text(Hashtable table, string name) =>
        table[name] as string ?? throw new InvalidDataException($"The manifest has no {name}.");

    private static string[] Texts(Hashtable table, string name) => [.. ((IEnumerable)table[name]!).Cast<string>()];
}
