using System.Collections.ObjectModel;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;

namespace CmekTools.Host.Terminal;

/// <summary>Writes what the engine has formatted, and asks what has to be asked.</summary>
internal sealed class ConsoleUserInterface : PSHostUserInterface, IDisposable
{
    private readonly Lock _lock = new();
    private readonly TextReader _input;
    private readonly TextWriter _output;
    private readonly TextWriter _error;
    private readonly HostOptions _options;
    private readonly CancellationToken _stop;
    private readonly ProgressDisplay _progress;

    public ConsoleUserInterface(TextReader input, TextWriter output, TextWriter error, HostOptions options, CancellationToken stop)
    {
        _input = input;
        _output = output;
        _error = error;
        _options = options;
        _stop = stop;
        _progress = new ProgressDisplay(error, options);
        RawUI = new ConsoleRawUserInterface(options);
    }

    public override PSHostRawUserInterface RawUI { get; }

    /// <summary>What the engine goes by; each stream is looked at again when it is written to, because only one may be a terminal.</summary>
    public override bool SupportsVirtualTerminal => OutputColor || ErrorColor;

    private bool OutputColor => _options.OutputIsTerminal && _options.Color;

    private bool ErrorColor => _options.ErrorIsTerminal && _options.Color;

    /// <summary>The error for a question that nobody can answer.</summary>
    public static HostException NotInteractive(string what) =>
        new(
            $"{what} is asked for, but the input is not a terminal. Give every mandatory parameter, and -Confirm:$false where you agree to the change.",
            null,
            "NotInteractive",
            ErrorCategory.InvalidOperation);

    public override void Write(string value) => WriteOutput(value);

    public override void WriteLine(string value) => WriteOutput(value + Environment.NewLine);

    public override void Write(ConsoleColor foregroundColor, ConsoleColor backgroundColor, string value)
    {
        string color = backgroundColor == RawUI.BackgroundColor
            ? PSStyle.MapForegroundColorToEscapeSequence(foregroundColor)
            : PSStyle.MapColorPairToEscapeSequence(foregroundColor, backgroundColor);
        string text = value.TrimEnd('\r', '\n');
        WriteOutput(color + text + PSStyle.Instance.Reset + value[text.Length..]);
    }

    public override void WriteErrorLine(string value) => WriteMessage(PSStyle.Instance.Formatting.Error, value);

    public override void WriteWarningLine(string message) => WriteMessage(PSStyle.Instance.Formatting.Warning, "WARNING: " + message);

    public override void WriteVerboseLine(string message) => WriteMessage(PSStyle.Instance.Formatting.Verbose, "VERBOSE: " + message);

    public override void WriteDebugLine(string message) => WriteMessage(PSStyle.Instance.Formatting.Debug, "DEBUG: " + message);

    public override void WriteProgress(long sourceId, ProgressRecord record)
    {
        lock (_lock)
            _progress.Show(sourceId, record);
    }

    /// <summary>Takes progress bars off the screen.</summary>
    public void HideProgress()
    {
        lock (_lock)
            _progress.Hide();
    }

    public override string ReadLine()
    {
        RequireTerminal("A line");
        return ReadAnswer();
    }

    public override SecureString ReadLineAsSecureString()
    {
        RequireTerminal("A secret");
        return ReadSecret();
    }

    public override Dictionary<string, PSObject> Prompt(string caption, string message, Collection<FieldDescription> descriptions)
    {
        ArgumentNullException.ThrowIfNull(descriptions);
        RequireTerminal(string.Join(", ", descriptions.Select(field => field.Name)));
        AskHeading(caption, message);
        Dictionary<string, PSObject> answers = [];
        foreach (FieldDescription field in descriptions)
            answers[field.Name] = ReadField(field);
        return answers;
    }

    public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int defaultChoice)
    {
        ArgumentNullException.ThrowIfNull(choices);
        RequireTerminal($"An answer to \"{(string.IsNullOrWhiteSpace(message) ? caption : message.Trim().ReplaceLineEndings(" "))}\"");
        Choice[] all = [.. choices.Select(Choice.From)];
        AskHeading(caption, message);
        string line = string.Join("  ", all.Select(choice => $"[{choice.Key}] {choice.Label}")) + "  [?] Help"
            + (defaultChoice >= 0 ? $" (default is \"{all[defaultChoice].Key}\")" : string.Empty) + ": ";
        while (true)
        {
            Ask(line);
            string answer = ReadAnswer().Trim();
            if (answer == "?")
            {
                foreach (Choice choice in all)
                    Ask($"{choice.Key} - {choice.Help}{Environment.NewLine}");
            }
            else if (answer.Length == 0 && defaultChoice >= 0)
            {
                return defaultChoice;
            }
            else if (Array.FindIndex(all, choice => choice.Is(answer)) is >= 0 and int index)
            {
                return index;
            }
        }
    }

    public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName) =>
        PromptForCredential(caption, message, userName, targetName, PSCredentialTypes.Default, PSCredentialUIOptions.Default);

    public override PSCredential PromptForCredential(
        string caption,
        string message,
        string userName,
        string targetName,
        PSCredentialTypes allowedCredentialTypes,
        PSCredentialUIOptions options)
    {
        RequireTerminal("A user name and a password");
        AskHeading(caption, message);
        string name = userName;
        while (string.IsNullOrWhiteSpace(name))
        {
            Ask("User: ");
            name = ReadAnswer().Trim();
        }

        Ask($"Password for user {name}: ");
        return new PSCredential(name, ReadSecret());
    }

    public void Dispose() => HideProgress();

    private void RequireTerminal(string what)
    {
        if (!_options.InputIsTerminal)
            throw NotInteractive(what);
    }

    private PSObject ReadField(FieldDescription field)
    {
        string label = string.IsNullOrEmpty(field.Label) ? field.Name : field.Label.Replace("&", string.Empty, StringComparison.Ordinal);
        if (field.ParameterTypeFullName == typeof(PSCredential).FullName)
            return PSObject.AsPSObject(PromptForCredential(label, field.HelpMessage, string.Empty, string.Empty));

        if (field.ParameterTypeFullName == typeof(SecureString).FullName)
        {
            Ask(label + ": ");
            return PSObject.AsPSObject(ReadSecret());
        }

        if (!field.ParameterTypeFullName.EndsWith("[]", StringComparison.Ordinal))
        {
            Ask(label + ": ");
            return PSObject.AsPSObject(ReadAnswer());
        }

        // An array is asked for one by one, up to an empty line.
        List<string> values = [];
        while (true)
        {
            Ask($"{label}[{values.Count}]: ");
            string value = ReadAnswer();
            if (value.Length == 0)
                return PSObject.AsPSObject(values.ToArray());
            values.Add(value);
        }
    }

    /// <summary>The engine wants an answer before it goes on, and a pending read cannot be called off: it is left behind on Ctrl-C.</summary>
    private string ReadAnswer()
    {
        string? line = Interruptible(_input.ReadLine);
        return line ?? throw NotInteractive("An answer");
    }

    private SecureString ReadSecret()
    {
        SecureString secret = new();
        while (true)
        {
            ConsoleKeyInfo key = Interruptible(_options.ReadKey ?? throw NotInteractive("A secret"));
            switch (key.Key)
            {
                case ConsoleKey.Enter:
                    Ask(Environment.NewLine);
                    secret.MakeReadOnly();
                    return secret;
                case ConsoleKey.Backspace when secret.Length > 0:
                    secret.RemoveAt(secret.Length - 1);
                    break;
                default:
                    if (!char.IsControl(key.KeyChar))
                        secret.AppendChar(key.KeyChar);
                    break;
            }
        }
    }

    private T Interruptible<T>(Func<T> read)
    {
        try
        {
            return Task.Run(read, _stop).WaitAsync(_stop).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            throw new PipelineStoppedException();
        }
    }

    private void AskHeading(string? caption, string? message)
    {
        foreach (string? line in new[] { caption, message })
        {
            if (!string.IsNullOrWhiteSpace(line))
                Ask(line.TrimEnd() + Environment.NewLine);
        }
    }

    /// <summary>Questions go where they are seen.</summary>
    private void Ask(string text)
    {
        lock (_lock)
        {
            _progress.Hide();
            TextWriter writer = _options.OutputIsTerminal ? _output : _error;
            writer.Write(GetOutputString(text, supportsVirtualTerminal: false));
            writer.Flush();
        }
    }

    private void WriteOutput(string text)
    {
        lock (_lock)
        {
            _progress.Hide();
            _output.Write(GetOutputString(text, OutputColor));
        }
    }

    private void WriteMessage(string color, string text)
    {
        lock (_lock)
        {
            _progress.Hide();
            _error.WriteLine(GetOutputString(ErrorColor ? color + text + PSStyle.Instance.Reset : text, ErrorColor));
        }
    }

    private sealed record Choice(string Key, string Label, string Help)
    {
        /// <summary>The letter after the ampersand is the key; without one the whole label is.</summary>
        public static Choice From(ChoiceDescription description)
        {
            int mark = description.Label.IndexOf('&', StringComparison.Ordinal);
            string label = mark < 0 ? description.Label : description.Label.Remove(mark, 1);
            string key = mark >= 0 && mark < label.Length ? label.Substring(mark, 1).ToUpperInvariant() : label;
            return new Choice(key, label.Trim(), string.IsNullOrEmpty(description.HelpMessage) ? label : description.HelpMessage);
        }

        public bool Is(string answer) =>
            string.Equals(answer, Key, StringComparison.OrdinalIgnoreCase) || string.Equals(answer, Label, StringComparison.OrdinalIgnoreCase);
    }
}
