using System.Collections;
using System.Diagnostics;
using System.Reflection;
using System.Runtime.Loader;

namespace CmekTools;

/// <summary>
/// Loads the cmdlets and everything that they depend on into a load context of their own, so that other modules in the session may
/// bring other versions of the same assemblies. Only this assembly, which depends on nothing, lives in the default context.
/// </summary>
public static class ModuleLoader
{
    private static readonly object s_lock = new();
    private static PrivateContext? s_context;

    /// <summary>Loads the cmdlets' assembly; the second call and later ones give the same assembly.</summary>
    /// <param name="binFolder">The module's folder of assemblies.</param>
    /// <returns>The assembly to hand to <c>Import-Module -Assembly</c>.</returns>
    /// <exception cref="FileNotFoundException">The folder does not hold the module's assemblies.</exception>
    public static Assembly Load(string binFolder)
    {
        ArgumentException.ThrowIfNullOrEmpty(binFolder);
        lock (s_lock)
        {
            s_context ??= new PrivateContext(Path.GetFullPath(binFolder));
            return s_context.LoadFromAssemblyPath(Path.Combine(s_context.Folder, "CmekTools.Module.dll"));
        }
    }

    /// <summary>True where a folder holds another version than the one that this process has loaded.</summary>
    /// <param name="binFolder">The module's folder of assemblies.</param>
    public static bool IsOther(string binFolder)
    {
        ArgumentException.ThrowIfNullOrEmpty(binFolder);
        return Version(typeof(ModuleLoader).Assembly.Location) != Version(Path.Combine(binFolder, "CmekTools.dll"));
    }

    /// <summary>
    /// Hands the cmdlets of one module on to another: a module that is imported by <c>Import-Module -Assembly</c> from a script module
    /// does not do that by itself (PowerShell/PowerShell#20710). The engine has no public method for it; it is done here because script
    /// takes ten times as long.
    /// </summary>
    /// <param name="module">The script module (a PSModuleInfo).</param>
    /// <param name="inner">The module with the cmdlets (a PSModuleInfo).</param>
    public static void AddCmdlets(object module, object inner)
    {
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(inner);
        MethodInfo? add = module.GetType().GetMethod("AddExportedCmdlet", BindingFlags.Instance | BindingFlags.NonPublic);
        if (add is not null && inner.GetType().GetProperty("ExportedCmdlets")?.GetValue(inner) is IDictionary cmdlets)
        {
            foreach (object cmdlet in cmdlets.Values)
            {
                add.Invoke(module, [cmdlet]);
            }
        }
    }

    private static string? Version(string file) => FileVersionInfo.GetVersionInfo(file).ProductVersion?.Split('+')[0];

    private sealed class PrivateContext(string folder) : AssemblyLoadContext("CmekTools", isCollectible: false)
    {
        private static readonly Assembly s_self = typeof(ModuleLoader).Assembly;

        public string Folder { get; } = folder;

        protected override Assembly? Load(AssemblyName assemblyName)
        {
            if (string.Equals(assemblyName.Name, s_self.GetName().Name, StringComparison.OrdinalIgnoreCase))
            {
                return s_self;
            }

            string path = Path.Combine(Folder, assemblyName.Name + ".dll");
            return File.Exists(path) ? LoadFromAssemblyPath(path) : null;
        }
    }
}
