using System.Collections.Concurrent;
using CmekTools.Engine;

namespace CmekTools.Benchmarks.Survival;

/// <summary>Runs a command as somebody who says yes to everything, and keeps what it says.</summary>
internal sealed class ListeningHost : IOperationHost
{
    public ConcurrentQueue<object> Output { get; } = new();

    public ConcurrentQueue<CmekException> Errors { get; } = new();

    public ConcurrentQueue<string> Told { get; } = new();

    public bool WhatIf => false;

    public Task OutputAsync(object value) => Add(Output, value);

    public Task VerboseAsync(string message) => Add(Told, message);

    public Task WarningAsync(string message) => Add(Told, "WARNING: " + message);

    public Task ErrorAsync(CmekException error) => Add(Errors, error);

    public Task ProgressAsync(OperationProgress progress) => Task.CompletedTask;

    public Task<bool> ShouldProcessAsync(string target, string action) => Task.FromResult(true);

    public Task<bool> ShouldContinueAsync(string query, string caption) => Task.FromResult(true);

    private static Task Add<T>(ConcurrentQueue<T> list, T value)
    {
        list.Enqueue(value);
        return Task.CompletedTask;
    }
}
