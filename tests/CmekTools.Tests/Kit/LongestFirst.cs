using CmekTools.Tests.Kit;
using Xunit;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(LongestFirst))]

namespace CmekTools.Tests.Kit;

/// <summary>Begins with the classes that take longest: one that is begun last keeps the run going when all others have ended.</summary>
internal sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] s_long =
    [
        "Shipping.PesterTests", "State.SecretsTests", "Pipeline.KeyModelTests", "Pipeline.StateTableTests", "Pipeline.InterruptionTests",
        "BreakGlass.ScriptTests", "BreakGlass.SheetTests", "Shipping.ExampleTests", "Shipping.ConsoleTests",
    ];

    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(c => Place(c.TestCollectionDisplayName))];

    private static int Place(string name)
    {
        int place = Array.FindIndex(s_long, l => name.Contains($".{l}", StringComparison.Ordinal));
        return place < 0 ? s_long.Length : place;
    }
}
