using System.Management.Automation;
using System.Management.Automation.Host;

namespace CmekTools.Host.Terminal;

/// <summary>Width and keys. There is no screen buffer to read or to paint.</summary>
internal sealed class ConsoleRawUserInterface(HostOptions options) : PSHostRawUserInterface
{
    private const int Height = 50;

    public override ConsoleColor ForegroundColor { get; set; } = ConsoleColor.Gray;

    public override ConsoleColor BackgroundColor { get; set; } = ConsoleColor.Black;

    public override Size BufferSize
    {
        get => new(options.Width(), Height);
        set => throw NoBuffer();
    }

    public override Size WindowSize
    {
        get => new(options.Width(), Height);
        set => throw NoBuffer();
    }

    public override Size MaxWindowSize => WindowSize;

    public override Size MaxPhysicalWindowSize => WindowSize;

    public override Coordinates CursorPosition { get; set; }

    public override Coordinates WindowPosition { get; set; }

    public override int CursorSize { get; set; } = 25;

    public override string WindowTitle { get; set; } = "cmek";

    public override bool KeyAvailable => options.ReadKey is not null && Console.KeyAvailable;

    public override KeyInfo ReadKey(ReadKeyOptions keyOptions)
    {
        ConsoleKeyInfo key = (options.ReadKey ?? throw ConsoleUserInterface.NotInteractive("A key"))();
        return new KeyInfo((int)key.Key, key.KeyChar, default, keyDown: (keyOptions & ReadKeyOptions.IncludeKeyDown) != 0);
    }

    public override void FlushInputBuffer()
    {
        while (KeyAvailable)
            options.ReadKey!();
    }

    public override BufferCell[,] GetBufferContents(Rectangle rectangle) => throw NoBuffer();

    public override void SetBufferContents(Coordinates origin, BufferCell[,] contents) => throw NoBuffer();

    public override void SetBufferContents(Rectangle rectangle, BufferCell fill) => throw NoBuffer();

    public override void ScrollBufferContents(Rectangle source, Coordinates destination, Rectangle clip, BufferCell fill) => throw NoBuffer();

    private static HostException NoBuffer() =>
        new("This host has no screen buffer.", null, "NoScreenBuffer", ErrorCategory.InvalidOperation);
}
