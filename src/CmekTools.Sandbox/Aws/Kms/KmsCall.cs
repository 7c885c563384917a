using System.Text.Json.Nodes;
using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>One request to KMS: who, where, and its parameters.</summary>
internal sealed class KmsCall(AwsWorld world, AwsCaller caller, string region, JsonObject body)
{
    /// <summary>The world.</summary>
    public AwsWorld World { get; } = world;

    /// <summary>Who asks.</summary>
    public AwsCaller Caller { get; } = caller;

    /// <summary>The region that is asked.</summary>
    public string Region { get; } = region;

    /// <summary>The parameters.</summary>
    public JsonObject Body { get; } = body;

    /// <summary>Now.</summary>
    public DateTimeOffset Now => World.Now;

    /// <summary>The keys.</summary>
    public KmsStore Keys => World.Keys;

    /// <summary>Seconds since 1970, AWS's form of a time in JSON.</summary>
    public static JsonNode Epoch(DateTimeOffset time) => JsonValue.Create(time.ToUnixTimeMilliseconds() / 1000.0);

    /// <summary>A fault in a parameter.</summary>
    public static AwsErrorException Invalid(string message) => new("ValidationException", message);

    /// <summary>A text, or null.</summary>
    public string? Text(string name) => Value<string>(name);

    /// <summary>The texts of a list; none where it is absent.</summary>
    public IEnumerable<string> Texts(string name) => Body[name] switch
    {
        null => [],
        JsonArray list => list.Select(n => n?.ToString() ?? string.Empty),
        _ => throw new AwsErrorException("SerializationException", $"{name} has another type"),
    };

    /// <summary>A text that has to be there.</summary>
    public string Need(string name) => Text(name) is { Length: > 0 } text
        ? text
        : throw Invalid(
            $"1 validation error detected: Value at '{char.ToLowerInvariant(name[0])}{name[1..]}' failed to satisfy constraint: Member "
                + "must not be null");

    /// <summary>A number, or null.</summary>
    public int? Number(string name) => Body[name] is null ? null : Value<int>(name);

    /// <summary>True where it says true.</summary>
    public bool Flag(string name) => Body[name] is not null && Value<bool>(name);

    /// <summary>Bytes, in base64 on the wire.</summary>
    public byte[] Bytes(string name)
    {
        try
        {
            return Convert.FromBase64String(Need(name));
        }
        catch (FormatException)
        {
            throw new AwsErrorException("SerializationException", name + " is not base64");
        }
    }

    /// <summary>Makes a question about a key, with the condition keys that KMS gives.</summary>
    public PolicyQuestion Ask(string action, string resource, KmsKey? key = null)
    {
        PolicyQuestion question = Questions.Make(World, Caller, action, resource);
        Questions.Add(question, "kms:CallerAccount", Caller.AccountId);
        Questions.Add(question, "kms:KeySpec", key?.Spec ?? Text("KeySpec"));
        Questions.Add(question, "kms:KeyUsage", key?.Usage ?? Text("KeyUsage"));
        Questions.Add(question, "aws:RequestedRegion", Region);
        foreach ((string name, string value) in key?.Tags.AsEnumerable() ?? [])
        {
            Questions.Add(question, "aws:ResourceTag/" + name, value);
        }

        foreach (string field in (string[])["EncryptionContext", "SourceEncryptionContext", "DestinationEncryptionContext"])
        {
            foreach ((string name, JsonNode? value) in Body[field] as JsonObject ?? [])
            {
                Questions.Add(question, "kms:EncryptionContext:" + name, value?.ToString());
            }
        }

        return question;
    }

    /// <summary>Demands that the caller's own policies allow an action.</summary>
    public void Demand(string action, string resource = "*")
    {
        if (Authorizer.Decide(Ask(action, resource)) is { } reason)
        {
            throw Denied(action, resource == "*" ? null : resource, reason);
        }
    }

    /// <summary>Demands that the policies allow an action on a key.</summary>
    public void Demand(string action, KmsKey key) => Demand(Ask(action, key.Arn, key), key);

    /// <summary>Demands that the policies or a grant allow what is asked of a key.</summary>
    public void Demand(PolicyQuestion question, KmsKey key)
    {
        PolicyDocument policy = key.Policy.Effective(Now, World.Lag).Parsed;
        if (Authorizer.Decide(question, policy, PolicyKind.Key, key.AccountId) is { } reason
            && (Authorizer.IsExplicit(reason)
                || Authorizer.Organization(question) is not null
                || !KeyGrants.Allow(this, key, question)))
        {
            throw Denied(question.Action, key.Arn, reason);
        }
    }

    /// <summary>The key of a parameter, with the caller allowed to do that.</summary>
    public KmsKey Key(string action, bool aliases = false, string name = "KeyId")
    {
        KmsKey key = KeyLookup.Find(this, Need(name), aliases, action);
        if (key.AccountId != Caller.AccountId && !KmsApi.WorksAcrossAccounts(action))
        {
            throw Denied(action, key.Arn, $"because no resource-based policy allows the {action} action");
        }

        Demand(action, key);
        return key;
    }

    /// <summary>AWS's words for what is not allowed.</summary>
    public AwsErrorException Denied(string action, string? resource, string reason) => new(
        "AccessDeniedException",
        $"User: {Caller.Arn} is not authorized to perform: {action}{(resource is null ? string.Empty : " on resource: " + resource)} "
            + $"{reason}");

    /// <summary>Demands that a key can be used.</summary>
    public void DemandUsable(KmsKey key)
    {
        switch (key.State(Now))
        {
            case "Enabled" or "Updating":
                break;
            case "Disabled":
                throw new AwsErrorException("DisabledException", key.Arn + " is disabled.");
            default:
                throw WrongState(key);
        }
    }

    /// <summary>Demands that a key is not about to be deleted.</summary>
    public void DemandNotPendingDeletion(KmsKey key)
    {
        if (key.State(Now) is "PendingDeletion" or "PendingReplicaDeletion" or "Creating")
        {
            throw WrongState(key);
        }
    }

    private AwsErrorException WrongState(KmsKey key) => new("KMSInvalidStateException", key.Arn + key.State(Now) switch
    {
        "PendingDeletion" => " is pending deletion.",
        "PendingReplicaDeletion" => " is pending multi-region replica deletion.",
        "PendingImport" => " is pending import.",
        _ => " is creating.",
    });

    private T? Value<T>(string name)
    {
        try
        {
            return Body[name] is { } node ? node.GetValue<T>() : default;
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException)
        {
            throw new AwsErrorException("SerializationException", $"{name} has another type");
        }
    }
}
