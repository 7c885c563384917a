namespace CmekTools.Engine.BreakGlass;

/// <summary>
/// For what only looks: nothing may be changed, and what would be a warning or an error elsewhere is a detail, because rows tell it.
/// </summary>
internal sealed class QuietHost(IOperationHost inner) : IOperationHost
{
    /// <inheritdoc/>
    public bool WhatIf => true;

    /// <inheritdoc/>
    public Task OutputAsync(object value) => inner.OutputAsync(value);

    /// <inheritdoc/>
    public Task VerboseAsync(string message) => inner.VerboseAsync(message);

    /// <inheritdoc/>
    public Task WarningAsync(string message) => inner.VerboseAsync(message);

    /// <inheritdoc/>
    public Task ErrorAsync(CmekException error) => inner.VerboseAsync(error.Message);

    /// <inheritdoc/>
    public Task ProgressAsync(OperationProgress progress) => inner.ProgressAsync(progress);

    /// <inheritdoc/>
    public Task<bool> ShouldProcessAsync(string target, string action) => Task.FromResult(false);

    /// <inheritdoc/>
    public Task<bool> ShouldContinueAsync(string query, string caption) => Task.FromResult(false);
}
