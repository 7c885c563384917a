using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Aws.Policies;

/// <summary>One condition: every one of them has to hold.</summary>
internal sealed record PolicyCondition(string Operator, string Key, IReadOnlyList<string> Values);

/// <summary>One statement.</summary>
internal sealed record PolicyStatement(
    bool IsDeny,
    bool NotPrincipal,
    IReadOnlyList<string> Principals,
    bool NotAction,
    IReadOnlyList<string> Actions,
    bool NotResource,
    IReadOnlyList<string> Resources,
    IReadOnlyList<PolicyCondition> Conditions);

/// <summary>What a policy may hold depends on where it hangs.</summary>
internal enum PolicyKind
{
    /// <summary>Of a user or role, or a boundary: no principal.</summary>
    Identity,

    /// <summary>Of a role: a principal, no resource, only STS's actions.</summary>
    Trust,

    /// <summary>Of a key: a principal and a resource.</summary>
    Key,
}

/// <summary>A policy that has been read.</summary>
internal sealed record PolicyDocument(IReadOnlyList<PolicyStatement> Statements)
{
    private static readonly string[] TopFields = ["Version", "Id", "Statement"];

    private static readonly string[] StatementFields =
        ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

    /// <summary>Reads a policy.</summary>
    /// <exception cref="FormatException">It is not a policy of that kind; the message says why.</exception>
    public static PolicyDocument Read(JsonObject policy, PolicyKind kind)
    {
        if (policy.FirstOrDefault(f => !TopFields.Contains(f.Key)).Key is { } unknown)
        {
            throw new FormatException($"Syntax errors in policy: unknown element {unknown}.");
        }

        if (policy["Version"] is { } version && Text(version) is not ("2012-10-17" or "2008-10-17"))
        {
            throw new FormatException("The policy must contain a valid version string");
        }

        List<PolicyStatement> statements = [.. StatementNodes(policy["Statement"]).Select(s => ReadStatement(s, kind))];
        if (kind != PolicyKind.Key)
        {
            CheckSids(policy);
        }

        return new PolicyDocument(statements);
    }

    /// <summary>The statements as JSON; AWS takes a single one without an array too.</summary>
    /// <exception cref="FormatException">There are none, or they are not objects.</exception>
    public static IEnumerable<JsonObject> StatementNodes(JsonNode? node)
    {
        IEnumerable<JsonNode?> all = node switch
        {
            // An array, not a collection of the arms' common type: that is JsonArray, which takes no node that has a parent.
            JsonObject one => new JsonNode?[] { one },
            JsonArray { Count: > 0 } many => many,
            _ => throw new FormatException("Syntax errors in policy: there is no Statement."),
        };
        return all.Select(s => s as JsonObject ?? throw new FormatException("Syntax errors in policy: a statement is not an object."));
    }

    private static void CheckSids(JsonObject policy)
    {
        List<string> sids = [
            .. StatementNodes(policy["Statement"]).Select(s => s["Sid"]).OfType<JsonNode>().Select(Text).Where(s => s.Length > 0),
        ];
        if (sids.Exists(s => !s.All(char.IsAsciiLetterOrDigit)))
        {
            throw new FormatException(
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*");
        }

        if (sids.Distinct(StringComparer.Ordinal).Count() != sids.Count)
        {
            throw new FormatException("Statement IDs (SID) in a single policy must be unique.");
        }
    }

    private static PolicyStatement ReadStatement(JsonObject statement, PolicyKind kind)
    {
        if (statement.FirstOrDefault(f => !StatementFields.Contains(f.Key)).Key is { } unknown)
        {
            throw new FormatException($"Syntax errors in policy: unknown element {unknown} in a statement.");
        }

        bool deny = Text(statement["Effect"]) switch
        {
            "Allow" => false,
            "Deny" => true,
            string effect => throw new FormatException($"Invalid effect: {effect}"),
        };
        (bool notPrincipal, IReadOnlyList<string> principals) = Pair(statement, "Principal", kind != PolicyKind.Identity, Principals);
        (bool notAction, IReadOnlyList<string> actions) = Pair(statement, "Action", true, Texts);
        (bool notResource, IReadOnlyList<string> resources) = Pair(statement, "Resource", kind != PolicyKind.Trust, Texts);
        if (kind == PolicyKind.Trust && actions.Any(a => !a.StartsWith("sts:", StringComparison.OrdinalIgnoreCase)))
        {
            throw new FormatException("AssumeRole policy may only specify STS AssumeRole actions.");
        }

        if (actions.Any(a => a != "*" && !a.Contains(':', StringComparison.Ordinal)))
        {
            throw new FormatException("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
        }

        return new PolicyStatement(
            deny,
            notPrincipal,
            principals,
            notAction,
            actions,
            notResource,
            resources,
            [.. Conditions(statement["Condition"])]);
    }

    // An element comes as itself or as its opposite, never as both.
    private static (bool Not, IReadOnlyList<string> Values) Pair(
        JsonObject statement,
        string name,
        bool wanted,
        Func<JsonNode?, IEnumerable<string>> read)
    {
        bool plain = statement.ContainsKey(name);
        bool not = statement.ContainsKey("Not" + name);
        if (!wanted)
        {
            return plain || not ? throw new FormatException($"Has prohibited field {name}") : (false, []);
        }

        if (plain == not)
        {
            throw new FormatException(plain ? $"A statement has both {name} and Not{name}." : $"Missing required field {name}");
        }

        List<string> values = [.. read(statement[plain ? name : "Not" + name])];
        return values.Count == 0 ? throw new FormatException($"Missing required field {name} cannot be empty!") : (not, values);
    }

    private static IEnumerable<string> Principals(JsonNode? node)
    {
        if (node is not JsonObject kinds)
        {
            return Text(node) == "*" ? ["*"] : throw new FormatException("Invalid principal in policy");
        }

        if (kinds.FirstOrDefault(k => k.Key is not ("AWS" or "Service" or "Federated" or "CanonicalUser")).Key is { } unknown)
        {
            throw new FormatException("Invalid principal in policy: " + unknown);
        }

        // Services and identity providers are kept and never match: nobody in the sandbox calls as one.
        return kinds.SelectMany(k => Texts(k.Value).Select(v => k.Key == "AWS" ? v : k.Key + ":" + v));
    }

    private static IEnumerable<PolicyCondition> Conditions(JsonNode? node)
    {
        if (node is null)
        {
            yield break;
        }

        foreach (
            (string name, JsonNode? keys) in node as JsonObject ?? throw new FormatException(
                "Syntax errors in policy: Condition is not an object."))
        {
            if (!ConditionOperators.IsKnown(name))
            {
                throw new FormatException($"Invalid Condition type : {name}.");
            }

            foreach (
                (string key, JsonNode? values) in keys as JsonObject ?? throw new FormatException(
                    "Syntax errors in policy: a condition is not an object."))
            {
                yield return new PolicyCondition(name, key, [.. Texts(values)]);
            }
        }
    }

    private static IEnumerable<string> Texts(JsonNode? node) => node is JsonArray many ? many.Select(Text) : [Text(node)];

    private static string Text(JsonNode? node) => node is JsonValue value
        ? value.ToString()
        : throw new FormatException("Syntax errors in policy.");
}
