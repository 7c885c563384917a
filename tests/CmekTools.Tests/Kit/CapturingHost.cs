using System.Collections.Concurrent;
using System.Collections.ObjectModel;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;
using System.Text;

namespace CmekTools.Tests.Kit;

/// <summary>A question that a command asked, and what it was answered.</summary>
internal sealed record AskedQuestion(string Caption, string Message, IReadOnlyList<string> Choices, int Default, string Answer);

/// <summary>A host without a screen: keeps the text, and answers questions from a list.</summary>
internal sealed class CapturingHost : PSHost
{
    private readonly Surface _ui = new();

    /// <summary>What to answer, in order: a choice's label or its letter, or a line. Without an answer left a question fails.</summary>
    public ConcurrentQueue<string> Answers => _ui.Answers;

    /// <summary>Everything that was asked.</summary>
    public IReadOnlyList<AskedQuestion> Questions => [.. _ui.Questions];

    /// <summary>The screen's columns.</summary>
    public int Width
    {
        get => UI.RawUI.BufferSize.Width;
        set => UI.RawUI.BufferSize = UI.RawUI.WindowSize = new Size(value, UI.RawUI.BufferSize.Height);
    }

    /// <summary>The code of an <c>exit</c>.</summary>
    public int? ExitCode { get; private set; }

    public override CultureInfo CurrentCulture => CultureInfo.InvariantCulture;

    public override CultureInfo CurrentUICulture => CultureInfo.InvariantCulture;

    public override Guid InstanceId { get; } = Guid.NewGuid();

    public override string Name => "CmekTools.Tests";

    public override Version Version { get; } = new(1, 0);

    public override PSHostUserInterface UI => _ui;

    /// <summary>Everything written since the last call, without escape sequences.</summary>
    public string TakeText() => _ui.TakeText();

    public override void SetShouldExit(int exitCode) => ExitCode = exitCode;

    public override void EnterNestedPrompt() => throw new NotSupportedException();

    public override void ExitNestedPrompt() => throw new NotSupportedException();

    public override void NotifyBeginApplication()
    {
        // There is no screen to hand over.
    }

    public override void NotifyEndApplication()
    {
        // There is no screen to take back.
    }

    private sealed class Surface : PSHostUserInterface
    {
        private readonly StringBuilder _text = new();

        public ConcurrentQueue<string> Answers { get; } = new();

        public ConcurrentQueue<AskedQuestion> Questions { get; } = new();

        public override PSHostRawUserInterface RawUI { get; } = new Sizes();

        public string TakeText()
        {
            lock (_text)
            {
                string text = GetOutputString(_text.ToString(), supportsVirtualTerminal: false);
                _text.Clear();
                return text;
            }
        }

        public override void Write(string value)
        {
            lock (_text)
                _text.Append(value);
        }

        public override void Write(ConsoleColor foregroundColor, ConsoleColor backgroundColor, string value) => Write(value);

        public override void WriteLine(string value) => Write(value + "\n");

        public override void WriteErrorLine(string value) => WriteLine(value);

        public override void WriteDebugLine(string message) => WriteLine("DEBUG: " + message);

        public override void WriteVerboseLine(string message) => WriteLine("VERBOSE: " + message);

        public override void WriteWarningLine(string message) => WriteLine("WARNING: " + message);

        public override void WriteProgress(long sourceId, ProgressRecord record)
        {
            // Progress is read from the stream.
        }

        public override string ReadLine() => Answer("ReadLine", string.Empty, [], -1);

        public override SecureString ReadLineAsSecureString()
        {
            SecureString secret = new();
            foreach (char character in Answer("ReadLineAsSecureString", string.Empty, [], -1))
                secret.AppendChar(character);
            return secret;
        }

        public override Dictionary<string, PSObject> Prompt(string caption, string message, Collection<FieldDescription> descriptions) =>
            descriptions.ToDictionary(field => field.Name, field => PSObject.AsPSObject(Answer(caption, field.Name, [], -1)));

        public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int defaultChoice)
        {
            string[] labels = [.. choices.Select(choice => choice.Label)];
            string answer = Answer(caption, message, labels, defaultChoice);
            int index = Array.FindIndex(
                labels,
                label => label.Replace("&", "").Equals(answer, StringComparison.OrdinalIgnoreCase)
                    || label.Contains("&" + answer, StringComparison.OrdinalIgnoreCase));
            return index >= 0 ? index : throw new InvalidOperationException($"'{answer}' is none of {string.Join(", ", labels)}.");
        }

        public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName) =>
            throw new NotSupportedException();

        public override PSCredential PromptForCredential(
            string caption,
            string message,
            string userName,
            string targetName,
            PSCredentialTypes allowedCredentialTypes,
            PSCredentialUIOptions options) => throw new NotSupportedException();

        private string Answer(string caption, string message, string[] choices, int defaultChoice)
        {
            bool prepared = Answers.TryDequeue(out string? answer);
            Questions.Enqueue(new AskedQuestion(caption, message, choices, defaultChoice, answer ?? string.Empty));
            return prepared ? answer! : throw new InvalidOperationException($"The test prepared no answer to: {caption} {message}");
        }
    }

    private sealed class Sizes : PSHostRawUserInterface
    {
        private static readonly Size s_size = new(120, 50);

        public override ConsoleColor BackgroundColor { get; set; } = ConsoleColor.Black;

        public override ConsoleColor ForegroundColor { get; set; } = ConsoleColor.Gray;

        public override Size BufferSize { get; set; } = s_size;

        public override Size WindowSize { get; set; } = s_size;

        public override Size MaxWindowSize => s_size;

        public override Size MaxPhysicalWindowSize => s_size;

        public override Coordinates CursorPosition { get; set; }

        public override Coordinates WindowPosition { get; set; }

        public override int CursorSize { get; set; }

        public override string WindowTitle { get; set; } = string.Empty;

        public override bool KeyAvailable => false;

        public override void FlushInputBuffer()
        {
            // No key is ever waiting.
        }

        public override KeyInfo ReadKey(ReadKeyOptions options) => throw new NotSupportedException();

        public override BufferCell[,] GetBufferContents(Rectangle rectangle) => throw new NotSupportedException();

        public override void SetBufferContents(Coordinates origin, BufferCell[,] contents) => throw new NotSupportedException();

        public override void SetBufferContents(Rectangle rectangle, BufferCell fill) => throw new NotSupportedException();

        public override void ScrollBufferContents(Rectangle source, Coordinates destination, Rectangle clip, BufferCell fill) =>
            throw new NotSupportedException();
    }
}
