using CmekTools.Engine;

namespace CmekTools.Module;

/// <summary>One of the records that a cmdlet works on side by side: the engine's host for its part, in the cmdlet's pipeline.</summary>
internal sealed class FleetRecord(Fleet fleet, PipelineHost pipeline, string name, TimeSpan begun) : IOperationHost
{
    private readonly object _lock = new();
    private List<object>? _held = [];
    private bool _confirmed;

    /// <summary>What it is about, for people.</summary>
    public string Name { get; } = name;

    /// <summary>When it was begun, since the first of all was.</summary>
    public TimeSpan BegunAt { get; } = begun;

    /// <summary>When it ended; null while it runs.</summary>
    public TimeSpan? EndedAt { get; set; }

    /// <summary>Where it stands, in one word.</summary>
    public string Label { get; private set; } = "working";

    /// <summary>True once an error was told of it.</summary>
    public bool Failed { get; private set; }

    /// <summary>True once it waits for the service.</summary>
    public bool Waits { get; private set; }

    /// <summary>Its part of the run.</summary>
    public Operation? Operation { get; set; }

    /// <summary>True while it holds one of the places of those that work.</summary>
    public bool HoldsPlace { get; set; } = true;

    /// <inheritdoc/>
    public bool WhatIf => pipeline.WhatIf;

    /// <inheritdoc/>
    public bool AsksEach => pipeline.AsksEach;

    /// <inheritdoc/>
    public Task OutputAsync(object value) => IsHeldBack(value) ? Task.CompletedTask : pipeline.OutputAsync(value);

    /// <inheritdoc/>
    public Task VerboseAsync(string message) => pipeline.VerboseAsync(message);

    /// <inheritdoc/>
    public Task WarningAsync(string message) => pipeline.WarningAsync(message);

    /// <inheritdoc/>
    public Task ErrorAsync(CmekException error)
    {
        Failed = true;
        return !fleet.EndsAtErrors && IsHeldBack(error) ? Task.CompletedTask : fleet.ErrorAsync(this, error);
    }

    /// <inheritdoc/>
    public Task ProgressAsync(OperationProgress progress)
    {
        Label = progress.State ?? Label;
        return fleet.ShowAsync(progress);
    }

    /// <inheritdoc/>
    public Task<bool> ShouldProcessAsync(string target, string action) =>
        pipeline.ShouldProcessAsync(target, action, Volatile.Read(ref _confirmed));

    /// <inheritdoc/>
    public async Task<bool> ConfirmRunAsync(string target, string action, Unanswered otherwise)
    {
        // The answer is this record's: another one's yes is none for it, and its no takes none back.
        bool confirmed = await pipeline.AskRunAsync(target, action, otherwise).ConfigureAwait(false);
        Volatile.Write(ref _confirmed, confirmed && !WhatIf);
        return confirmed;
    }

    /// <inheritdoc/>
    public Task<bool> ShouldContinueAsync(string query, string caption) => pipeline.ShouldContinueAsync(query, caption);

    /// <inheritdoc/>
    public void BeginsToWait()
    {
        Waits = true;
        fleet.LeavePlace(this);
    }

    /// <summary>Its turn in the order of the records has come: what it held back goes out, and what comes later goes out at once.</summary>
    public async Task ReleaseAsync()
    {
        while (true)
        {
            object[] values;
            lock (_lock)
            {
                if (_held is null or { Count: 0 })
                {
                    _held = null;
                    return;
                }

                values = [.. _held];
                _held.Clear();
            }

            foreach (object value in values)
            {
                await (value is CmekException error ? fleet.ErrorAsync(this, error) : pipeline.OutputAsync(value)).ConfigureAwait(false);
            }
        }
    }

    // What a record says goes out in its turn, its errors too: whoever reads them in the order of the input has nothing else to tell
    // them apart by.
    private bool IsHeldBack(object value)
    {
        if (!fleet.Ordered)
        {
            return false;
        }

        lock (_lock)
        {
            _held?.Add(value);
            return _held is not null;
        }
    }
}
