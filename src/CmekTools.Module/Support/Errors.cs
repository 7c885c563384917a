using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>Turns failures into error records: a stable id, the true category, the target, and what to do.</summary>
internal static class Errors
{
    /// <summary>The record of a failure.</summary>
    public static ErrorRecord ToRecord(Exception failure)
    {
        if (failure is not CmekException known)
        {
            // What was not foreseen may say anything: where it says a secret, only its redacted message goes on.
            if (Secrets.AreIn(failure))
            {
                failure = new InvalidOperationException($"{failure.GetType().Name}: {Secrets.Hide(failure.Message)}");
            }

            return new ErrorRecord(failure, "UnexpectedFailure", ErrorCategory.InvalidResult, null)
            {
                ErrorDetails = new ErrorDetails(ViewText.Plain(failure.Message))
                {
                    RecommendedAction = "This is a fault in CmekTools. Nothing is assumed about what was done: look with "
                        + "Get-CmekJournal and Get-CmekStatus before you go on, and report it.",
                },
            };
        }

        // Each kind has a namesake among the categories; a test holds them together.
        ErrorCategory category = Enum.Parse<ErrorCategory>(known.Kind.ToString());
        ErrorRecord record = new(known, known.ErrorId, category, known.Target);
        string shown = ViewText.Plain(known.Message);
        if (known.RecommendedAction is { } action)
        {
            record.ErrorDetails = new ErrorDetails(shown) { RecommendedAction = ViewText.Plain(action) };
        }
        else if (shown != known.Message)
        {
            // What is printed; the exception keeps the service's own words.
            record.ErrorDetails = new ErrorDetails(shown);
        }

        return record;
    }
}
