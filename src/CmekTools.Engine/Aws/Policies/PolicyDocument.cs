using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>
/// A key policy or trust policy as a JSON tree. What is not touched is written back as it was: order, unknown fields, a single string
/// where others would write an array.
/// </summary>
internal sealed partial class PolicyDocument
{
    /// <summary>The most that KMS takes.</summary>
    public const int SizeLimit = 32 * 1024;

    private PolicyDocument(JsonObject root) => Root = root;

    /// <summary>The whole document.</summary>
    public JsonObject Root { get; }

    /// <summary>The statements, whether the document holds one by itself or an array.</summary>
    public IReadOnlyList<JsonObject> Statements => Root["Statement"] switch
    {
        JsonArray array => [.. array.OfType<JsonObject>()],
        JsonObject single => [single],
        _ => [],
    };

    /// <summary>Reads a policy.</summary>
    /// <exception cref="CmekException"><c>PolicyUnreadable</c>.</exception>
    public static PolicyDocument Parse(string text, string target)
    {
        try
        {
            State.SafeJson.Check(text);
            if (JsonNode.Parse(text) is JsonObject root)
            {
                // Looking at every property once makes a doubled name show now and not in the middle of a change.
                _ = PolicyJson.Same(root, root);
                return new PolicyDocument(root);
            }
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw Unreadable(target, e);
        }

        throw Unreadable(target, null);
    }

    /// <summary>A policy of one's own.</summary>
    public static PolicyDocument Create(params JsonObject[] statements) => new(new JsonObject
    {
        ["Version"] = "2012-10-17",
        ["Statement"] = new JsonArray([.. statements]),
    });

    /// <summary>A copy to work on.</summary>
    public PolicyDocument Clone() => new((JsonObject)Root.DeepClone());

    /// <summary>The text that is sent.</summary>
    public string Text() => PolicyJson.Compact(Root);

    /// <summary>True where another document means the same.</summary>
    public bool Same(PolicyDocument other, Func<string, string>? rename = null) => PolicyJson.Same(Wrapped(), other.Wrapped(), rename);

    /// <summary>Puts a statement in at a place; past the end is the end.</summary>
    public void Insert(int index, JsonObject statement)
    {
        switch (Root["Statement"])
        {
            case JsonArray array:
                array.Insert(Math.Clamp(index, 0, array.Count), statement);
                break;
            case JsonObject single:
                Root["Statement"] = null;
                JsonArray both = index <= 0 ? [statement, single.DeepClone()] : [single.DeepClone(), statement];
                Root["Statement"] = both;
                break;
            default:
                Root["Statement"] = new JsonArray(statement);
                break;
        }
    }

    /// <summary>Adds a statement at the end.</summary>
    public void Add(JsonObject statement) => Insert(int.MaxValue, statement);

    /// <summary>Puts a statement in another's place.</summary>
    public void Replace(JsonObject old, JsonObject statement)
    {
        if (Root["Statement"] is JsonArray array)
        {
            array[array.IndexOf(old)] = statement;
        }
        else
        {
            Root["Statement"] = statement;
        }
    }

    /// <summary>Takes a statement out.</summary>
    public void Remove(JsonObject statement)
    {
        if (Root["Statement"] is JsonArray array)
        {
            array.Remove(statement);
        }
        else
        {
            Root["Statement"] = new JsonArray();
        }
    }

    /// <summary>Writes a single statement by itself, as a document that had it so wrote it.</summary>
    public void Unwrap()
    {
        if (Root["Statement"] is JsonArray { Count: 1 } array && array[0] is JsonObject only)
        {
            Root["Statement"] = only.DeepClone();
        }
    }

    /// <summary>True where the document holds one statement by itself, not an array.</summary>
    public bool IsSingle => Root["Statement"] is JsonObject;

    /// <summary>True where a Sid is taken.</summary>
    public bool HasSid(string sid) => Statements.Any(s => PolicyJson.Text(s, "Sid") == sid);

    /// <summary>The Sid itself, or with the first number that is free, in place of the number that it has.</summary>
    public string FreeSid(string sid)
    {
        string free = sid;
        sid = Numbers().Replace(sid, string.Empty);
        for (int number = 2; HasSid(free); number++)
        {
            free = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{sid}x{number}");
        }

        return free;
    }

    /// <summary>Throws where the policy is larger than the service takes.</summary>
    /// <exception cref="CmekException"><c>PolicyTooLarge</c>.</exception>
    public void RequireSize(string target)
    {
        int size = Encoding.UTF8.GetByteCount(Text());
        if (size > SizeLimit)
        {
            throw new CmekException(
                "PolicyTooLarge",
                CmekErrorKind.LimitsExceeded,
                $"The key policy of {target} would hold {size} bytes; KMS takes {SizeLimit}. Nothing was written.",
                "Take statements out that nobody needs any more, or join statements that differ in their principals only; then run the "
                    + "command again.",
                target);
        }
    }

    [System.Text.RegularExpressions.GeneratedRegex("(x[0-9]+)+$", System.Text.RegularExpressions.RegexOptions.CultureInvariant)]
    private static partial System.Text.RegularExpressions.Regex Numbers();

    private JsonObject Wrapped()
    {
        JsonObject copy = (JsonObject)Root.DeepClone();
        if (copy["Statement"] is JsonObject single)
        {
            copy["Statement"] = new JsonArray(single.DeepClone());
        }

        return copy;
    }

    private static CmekException Unreadable(string target, Exception? cause) => new(
        "PolicyUnreadable",
        CmekErrorKind.InvalidData,
        $"The policy of {target} cannot be read as a policy document{(cause is null ? "." : ": " + cause.Message)}",
        "Nothing was written. Look at the policy in the AWS console and mend it there first.",
        target,
        cause);
}
