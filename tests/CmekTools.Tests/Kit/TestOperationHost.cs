using System.Collections.Concurrent;
using CmekTools.Engine;

namespace CmekTools.Tests.Kit;

/// <summary>Stands in for a cmdlet: writes down what the engine says and asks, and answers as the test wants.</summary>
internal sealed class TestOperationHost : IOperationHost
{
    /// <summary>What was passed on.</summary>
    public ConcurrentQueue<object> Output { get; } = new();

    /// <summary>Details.</summary>
    public ConcurrentQueue<string> Verbose { get; } = new();

    /// <summary>Warnings.</summary>
    public ConcurrentQueue<string> Warnings { get; } = new();

    /// <summary>Failures of single records.</summary>
    public ConcurrentQueue<CmekException> Errors { get; } = new();

    /// <summary>Progress.</summary>
    public ConcurrentQueue<OperationProgress> Progress { get; } = new();

    /// <summary>Every change that was asked for, made or not.</summary>
    public ConcurrentQueue<(string Target, string Action)> Questions { get; } = new();

    /// <inheritdoc/>
    public bool WhatIf { get; init; }

    /// <summary>Answers in place of a plain yes, where not in a <c>-WhatIf</c> run.</summary>
    public Func<string, string, bool>? Answer { get; init; }

    public Task OutputAsync(object value) => Add(Output, value);

    public Task VerboseAsync(string message) => Add(Verbose, message);

    public Task WarningAsync(string message) => Add(Warnings, message);

    public Task ErrorAsync(CmekException error) => Add(Errors, error);

    public Task ProgressAsync(OperationProgress progress) => Add(Progress, progress);

    public Task<bool> ShouldProcessAsync(string target, string action)
    {
        Questions.Enqueue((target, action));
        return Task.FromResult(!WhatIf && (Answer?.Invoke(target, action) ?? true));
    }

    public Task<bool> ShouldContinueAsync(string query, string caption) => Task.FromResult(!WhatIf);

    private static Task Add<T>(ConcurrentQueue<T> list, T value)
    {
        list.Enqueue(value);
        return Task.CompletedTask;
    }
}
