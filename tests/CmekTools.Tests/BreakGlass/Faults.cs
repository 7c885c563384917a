using CmekTools.Sandbox;
using CmekTools.Tests.Kit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>What goes wrong on the way: answers in a service's place.</summary>
internal static class Faults
{
    /// <summary>KMS refuses.</summary>
    public static SandboxResponse Refused { get; } = new()
    {
        Status = 400,
        ContentType = "application/x-amz-json-1.1",
        Body = """{"__type":"AccessDeniedException","message":"not you"}""",
    };

    /// <summary>KMS finds nothing.</summary>
    public static SandboxResponse Missing { get; } = new()
    {
        Status = 400,
        ContentType = "application/x-amz-json-1.1",
        Body = """{"__type":"NotFoundException","message":"no such key"}""",
    };

    /// <summary>Answers in the place of the service where the request fits.</summary>
    public static void Answer(this Life life, Func<SandboxRequest, SandboxResponse?> answer) =>
        life.Server.Before = r => Task.FromResult(answer(r));

    /// <summary>Never answers where the request fits.</summary>
    public static void Hang(this Life life, Func<SandboxRequest, bool> fits) => life.Server.Before = async r =>
    {
        if (fits(r))
        {
            await Task.Delay(Timeout.Infinite);
        }

        return null;
    };

    /// <summary>The request is about a key.</summary>
    public static bool Names(this SandboxRequest request, string keyUri) =>
        request.Text.Contains(keyUri, StringComparison.Ordinal)
            || Uri.UnescapeDataString(request.RawPath).Contains(keyUri, StringComparison.Ordinal);
}
