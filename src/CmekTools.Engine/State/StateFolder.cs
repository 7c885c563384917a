using CmekTools.Engine.State.Shared;

namespace CmekTools.Engine.State;

/// <summary>Where the state is kept where nobody says otherwise.</summary>
internal static class StateFolder
{
    /// <summary>CMEKTOOLS_STATE, else CmekTools in the user's local application data.</summary>
    /// <exception cref="CmekException"><c>StateFolderUnknown</c>: the user has no folder of his own (a service without a home).</exception>
    public static string Default()
    {
        string? given = Environment.GetEnvironmentVariable("CMEKTOOLS_STATE");

        // A bucket's address names what is shared; what is this machine's own lies where it always does.
        if (!string.IsNullOrWhiteSpace(given) && !SharedAddress.IsUri(given.Trim()))
        {
            return Path.GetFullPath(given);
        }

        return UserData() is { } data
            ? Path.Combine(data, "CmekTools")
            : throw new CmekException(
                "StateFolderUnknown",
                CmekErrorKind.WriteError,
                "There is no folder to keep the journal and the receipts in: this user has no home folder.",
                "Set CMEKTOOLS_STATE to a folder of your own, or give -StateFolder.");
    }

    /// <summary>The user's local application data, or null where there is none.</summary>
    public static string? UserData()
    {
        string data = Environment.GetFolderPath(
            Environment.SpecialFolder.LocalApplicationData,
            Environment.SpecialFolderOption.DoNotVerify);
        return Path.IsPathFullyQualified(data) ? data : null;
    }
}
