namespace CmekTools.Engine.Access;

/// <summary>How far the checks of an access go.</summary>
internal enum CheckDepth
{
    /// <summary>What is read is judged here.</summary>
    Usual,

    /// <summary>The cloud's own judge is asked as well.</summary>
    Deep,
}

/// <summary>What one judge says of one thing that a cluster needs.</summary>
internal enum Verdict
{
    /// <summary>It cannot say.</summary>
    Unsure,

    /// <summary>Something stops it.</summary>
    Stops,

    /// <summary>Nothing that it looks at stops it.</summary>
    Lets,
}

/// <summary>Two verdicts on one thing: the one that is made here of what was read, and the cloud's own.</summary>
/// <param name="What">What was asked about: calls or a permission.</param>
/// <param name="Ours">The verdict made here.</param>
/// <param name="OurReason">Why, as the end of a sentence.</param>
/// <param name="Theirs">The cloud's verdict.</param>
/// <param name="TheirReason">Why, as the end of a sentence.</param>
internal sealed record Opinion(string What, Verdict Ours, string OurReason, Verdict Theirs, string TheirReason)
{
    /// <summary>
    /// What stops it counts, whoever says so. An opinion that nothing does makes up for nothing that is stopped or unsure here.
    /// </summary>
    public CmekCheckResult Result => (Ours, Theirs) switch
    {
        (_, Verdict.Stops) => CmekCheckResult.Fail,
        (Verdict.Stops, Verdict.Lets) => CmekCheckResult.Warn,
        (Verdict.Lets, Verdict.Lets) => CmekCheckResult.Pass,
        _ => CmekCheckResult.Unknown,
    };

    /// <summary>Both verdicts in a sentence.</summary>
    /// <param name="who">The judge.</param>
    public string Say(string who) => (Ours, Theirs) switch
    {
        (Verdict.Stops, Verdict.Stops) => $"{who} agrees on {What}: it says that {TheirReason}, and by what was read here {OurReason}.",
        (Verdict.Lets, Verdict.Stops) =>
            $"{who} disagrees on {What}: it says that {TheirReason}, though by what was read here {OurReason}.",
        (_, Verdict.Stops) => $"{who} says of {What} that {TheirReason}; here it could not be judged: {OurReason}.",
        (Verdict.Stops, Verdict.Lets) =>
            $"{who} disagrees on {What}: it says that {TheirReason}, though by what was read here {OurReason}. What was read here stands.",
        (Verdict.Lets, Verdict.Lets) => $"{who} agrees on {What}: it says that {TheirReason}.",
        (_, Verdict.Lets) => $"{who} says of {What} that {TheirReason}; here it could not be judged ({OurReason}), and an opinion does "
            + "not make up for that.",
        _ => $"{who} cannot say of {What}: {TheirReason}.",
    };
}

/// <summary>The check that a second opinion makes.</summary>
internal static class SecondOpinion
{
    /// <summary>The check of IAM's simulator.</summary>
    public const string OfAws = "AwsIamSimulator";

    /// <summary>The check of Google's Policy Troubleshooter.</summary>
    public const string OfGoogle = "GcpPolicyTroubleshooter";

    /// <summary>One check of all opinions: the worst is its result, and each that is no pass is told.</summary>
    /// <param name="target">The access.</param>
    /// <param name="name">The check's name.</param>
    /// <param name="on">What was looked at.</param>
    /// <param name="who">The judge, as the beginning of a sentence.</param>
    /// <param name="opinions">The opinions, at least one.</param>
    /// <param name="limits">What the judge does not look at, as a sentence.</param>
    /// <param name="remedy">How to see what it goes by.</param>
    public static CmekCheck Check(
        AccessTarget target,
        string name,
        string on,
        string who,
        IReadOnlyList<Opinion> opinions,
        string limits,
        string remedy)
    {
        Opinion[] joined =
        [
            .. opinions.GroupBy(o => o with { What = string.Empty })
                .Select(g => g.Key with { What = string.Join(", ", g.Select(o => o.What)) })
                .OrderBy(o => Rank(o.Result)),
        ];
        CmekCheckResult worst = joined[0].Result;
        string[] said = [.. joined.Where(o => worst == CmekCheckResult.Pass || o.Result != CmekCheckResult.Pass).Select(o => o.Say(who))];
        return target.Check(
            name,
            worst,
            on,
            string.Join(" ", said.Append(limits)),
            worst == CmekCheckResult.Pass ? null : remedy);
    }

    private static int Rank(CmekCheckResult result) => result switch
    {
        CmekCheckResult.Fail => 0,
        CmekCheckResult.Warn => 1,
        CmekCheckResult.Unknown => 2,
        _ => 3,
    };
}
