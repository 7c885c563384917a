using System.Collections;
using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>Turns what was given to a parameter, one thing or several, into what the parameter takes.</summary>
internal static class TransformedInput
{
    /// <summary>Each thing as <paramref name="of"/> understands it; all of it unchanged where it does not understand one.</summary>
    /// <param name="given">What was given.</param>
    /// <param name="of">Makes one thing, or null.</param>
    public static object Of<T>(object given, Func<object, T?> of)
        where T : class
    {
        object? bare = given is PSObject wrapped ? wrapped.BaseObject : given;
        T?[] found = bare is IEnumerable several and not (string or IDictionary)
            ? [.. several.Cast<object>().Select(of)]
            : [of(given)];

        // What comes back unchanged is not bound here, and the binder tries the command's other parameters; an exception would end its
        // search.
        return found.Contains(null) ? given! : found;
    }
}
