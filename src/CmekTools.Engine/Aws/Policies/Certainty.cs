namespace CmekTools.Engine.Aws.Policies;

/// <summary>How sure it is that something holds, in the order of how much is said.</summary>
internal enum Certainty
{
    /// <summary>Certainly not.</summary>
    No,

    /// <summary>It hangs on something that cannot be seen from here.</summary>
    Perhaps,

    /// <summary>Certainly.</summary>
    Yes,
}

/// <summary>Joining what is more or less sure.</summary>
internal static class Certainties
{
    /// <summary>Yes or no.</summary>
    public static Certainty Of(bool holds) => holds ? Certainty.Yes : Certainty.No;

    /// <summary>Both hold.</summary>
    public static Certainty And(Certainty one, Certainty other) => one < other ? one : other;

    /// <summary>Either holds.</summary>
    public static Certainty Or(Certainty one, Certainty other) => one > other ? one : other;

    /// <summary>The opposite; what is not known stays so.</summary>
    public static Certainty Not(Certainty one) => one switch
    {
        Certainty.Yes => Certainty.No,
        Certainty.No => Certainty.Yes,
        _ => Certainty.Perhaps,
    };

    /// <summary>One of them holds; none of none does.</summary>
    public static Certainty Any(IEnumerable<Certainty> all) => all.Aggregate(Certainty.No, Or);

    /// <summary>Each of them holds; each of none does.</summary>
    public static Certainty All(IEnumerable<Certainty> all) => all.Aggregate(Certainty.Yes, And);
}
