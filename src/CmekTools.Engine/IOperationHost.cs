namespace CmekTools.Engine;

/// <summary>How far a thing that takes time has got.</summary>
/// <param name="Activity">What is going on.</param>
/// <param name="Status">Where it stands.</param>
/// <param name="Percent">0 to 100, or −1 where it cannot be known.</param>
/// <param name="Completed">True takes the bar away.</param>
/// <param name="State">Where it stands in one word, for counting; null where it has none.</param>
internal sealed record OperationProgress(string Activity, string Status, int Percent = -1, bool Completed = false, string? State = null);

/// <summary>What an operation may ask of whoever runs it (a cmdlet, or a test). Every call may be made from any thread.</summary>
internal interface IOperationHost
{
    /// <summary>Passes an object on.</summary>
    Task OutputAsync(object value);

    /// <summary>Tells those who asked for details.</summary>
    Task VerboseAsync(string message);

    /// <summary>Warns.</summary>
    Task WarningAsync(string message);

    /// <summary>Reports the failure of one record; the operation goes on with the next.</summary>
    Task ErrorAsync(CmekException error);

    /// <summary>Shows progress.</summary>
    Task ProgressAsync(OperationProgress progress);

    /// <summary>From here on the work only waits for the service: others may begin in its place.</summary>
    void BeginsToWait()
    {
    }

    /// <summary>Asks whether a change is to be made. False under <c>-WhatIf</c> and where the user says no.</summary>
    /// <param name="target">The resource.</param>
    /// <param name="action">The exact change, several lines where it is a policy.</param>
    Task<bool> ShouldProcessAsync(string target, string action);

    /// <summary>
    /// Asks once for a whole run of changes that belong together; after a yes they are not asked for one by one. True under
    /// <c>-WhatIf</c>, so that the run goes on and shows each change.
    /// </summary>
    /// <param name="target">The resource.</param>
    /// <param name="action">The changes.</param>
    /// <param name="otherwise">What is said where nobody can be asked.</param>
    /// <exception cref="CmekException"><c>NobodyToAsk</c>.</exception>
    Task<bool> ConfirmRunAsync(string target, string action, Unanswered otherwise) => ShouldProcessAsync(target, action);

    /// <summary>Asks once more, whatever the confirm preference is.</summary>
    Task<bool> ShouldContinueAsync(string query, string caption);

    /// <summary>
    /// Says something where nothing else can be said any more: the run is being stopped. It must not wait for the pipeline.
    /// </summary>
    Task LastWordAsync(string message) => WarningAsync(message);

    /// <summary>True in a <c>-WhatIf</c> run: reads only.</summary>
    bool WhatIf { get; }

    /// <summary>True where somebody is asked for each change: questions come in the order of the work.</summary>
    bool AsksEach => false;
}

/// <summary>What is said of a question that nobody can be asked.</summary>
/// <param name="Outcome">What was not done and what answers it, as a sentence: PowerShell shows no remedy of an error by itself.</param>
/// <param name="Remedy">How a script answers it beforehand.</param>
internal sealed record Unanswered(string Outcome, string Remedy);
