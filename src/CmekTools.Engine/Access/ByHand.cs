namespace CmekTools.Engine.Access;

/// <summary>
/// One key's cut and restore as commands of the cloud's own program, for a shell without CmekTools. Lines of POSIX shell, comments
/// among them.
/// </summary>
/// <param name="Cut">Cuts the cluster off.</param>
/// <param name="Last">Where the cut is refused: stops everybody's use of the key.</param>
/// <param name="Proof">Shows whether it is cut off.</param>
/// <param name="Restore">Gives the access back.</param>
/// <param name="Notes">What the commands do not do, a sentence each.</param>
internal sealed record ByHand(
    IReadOnlyList<string> Cut,
    IReadOnlyList<string> Last,
    IReadOnlyList<string> Proof,
    IReadOnlyList<string> Restore,
    IReadOnlyList<string> Notes);
