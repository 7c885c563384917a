using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>The IAM policies of all resources: read and written with etags, effective after IAM's lag.</summary>
internal sealed class GcpPolicies(SandboxServer server)
{
    private readonly Dictionary<string, List<(JsonObject Policy, DateTimeOffset Since)>> _policies = [];
    private int _writes;

    /// <summary>The policy as it was last written.</summary>
    public JsonObject Get(string resource) =>
        _policies.TryGetValue(resource, out var all) ? all[^1].Policy : new JsonObject { ["etag"] = "ACAB" };

    // Reads are eventually consistent: for a while after a write they give the policy before it.
    private JsonObject Shown(string resource)
    {
        if (server.Options.StaleReads > TimeSpan.Zero && _policies.TryGetValue(resource, out var all))
        {
            DateTimeOffset settled = server.Options.Clock.GetUtcNow() - server.Options.StaleReads;
            return all.FindLast(p => p.Since <= settled).Policy ?? new JsonObject { ["etag"] = "ACAB" };
        }

        return Get(resource);
    }

    /// <summary>The policy that decides now.</summary>
    public JsonObject Effective(string resource)
    {
        if (!_policies.TryGetValue(resource, out var all))
        {
            return [];
        }

        DateTimeOffset settled = server.Options.Clock.GetUtcNow() - server.Options.IamLag;
        return all.FindLast(p => p.Since <= settled).Policy ?? [];
    }

    /// <summary>Puts a policy there without any check.</summary>
    public JsonObject Put(string resource, JsonObject policy, DateTimeOffset? since = null)
    {
        JsonObject stored = policy.DeepClone().AsObject();
        stored["etag"] = NewEtag();
        if (!_policies.TryGetValue(resource, out var all))
        {
            _policies[resource] = all = [];
        }

        all.Add((stored, since ?? server.Options.Clock.GetUtcNow()));
        return stored;
    }

    /// <summary>What getIamPolicy answers: conditions only to those who asked for version 3.</summary>
    public JsonObject Read(string resource, int version)
    {
        JsonObject policy = Shown(resource).DeepClone().AsObject();
        bool conditional = policy["bindings"] is JsonArray bindings && bindings.Any(b => b!["condition"] is not null);
        if (!conditional)
        {
            return policy;
        }

        policy["version"] = version >= 3 ? 3 : 1;
        if (version < 3)
        {
            foreach (JsonObject binding in policy["bindings"]!.AsArray().OfType<JsonObject>().Where(b => b["condition"] is not null))
            {
                // Google hides the condition behind a role that nobody can mistake for the real one; always the same for the same
                // condition.
                string hash = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(binding["condition"]!.ToJsonString())));
                binding["role"] = $"{binding["role"]}_withcond_{hash[..20]}";
                binding.Remove("condition");
            }
        }

        return policy;
    }

    /// <summary>What setIamPolicy does.</summary>
    public JsonObject Write(string resource, JsonObject body, Func<string, string?> whyNoMember)
    {
        if (body["policy"] is not JsonObject policy)
        {
            throw GcpErrorException.Invalid("Policy is required.");
        }

        JsonObject current = Get(resource);
        string? etag = policy["etag"]?.ToString();
        if (!string.IsNullOrEmpty(etag) && Plain(etag) != Plain(current["etag"]?.ToString()))
        {
            throw new GcpErrorException(
                409,
                "ABORTED",
                "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff. The request's "
                    + "ETag did not match the current policy's ETag.");
        }

        bool conditional = Conditional(policy);
        int version = int.TryParse(policy["version"]?.ToString(), out int number) ? number : 0;
        if (version is not (0 or 1 or 3))
        {
            throw GcpErrorException.Invalid($"Invalid policy version {version}: the valid ones are 0, 1 and 3.");
        }

        if ((conditional || Conditional(current)) && version < 3)
        {
            throw GcpErrorException.Invalid("Policies with conditional role bindings must specify version 3.");
        }

        foreach (JsonNode? binding in policy["bindings"]?.AsArray() ?? [])
        {
            if (string.IsNullOrEmpty(binding?["role"]?.ToString()))
            {
                throw GcpErrorException.Invalid("Role is required in a binding.");
            }

            if (binding!["role"]!.ToString().Contains("_withcond_", StringComparison.Ordinal))
            {
                // Such a name stands for a condition that the reader was not shown; to take it would lose the condition.
                throw GcpErrorException.Invalid($"Role {binding["role"]} is not supported for this resource.");
            }

            foreach (string member in (binding["members"]?.AsArray() ?? []).Select(m => m?.ToString() ?? string.Empty))
            {
                if (whyNoMember(member) is { } why)
                {
                    throw GcpErrorException.Invalid(why);
                }
            }
        }

        JsonObject cleaned = policy.DeepClone().AsObject();
        // The mask that Google takes by default leaves the audit settings alone.
        string mask = body["updateMask"]?.ToString() ?? string.Empty;
        if (cleaned["auditConfigs"] is null
            && !mask.Contains("auditConfigs", StringComparison.Ordinal)
            && current["auditConfigs"] is { } audit)
        {
            cleaned["auditConfigs"] = audit.DeepClone();
        }

        if (cleaned["bindings"] is JsonArray bindings)
        {
            foreach (JsonNode? empty in bindings.Where(b => b?["members"] is not JsonArray { Count: > 0 }).ToArray())
            {
                bindings.Remove(empty);
            }
        }

        // gcloud always writes 3; a policy is of version 3 only where it has conditions.
        cleaned["version"] = Conditional(cleaned) ? 3 : 1;
        return Put(resource, cleaned);
    }

    /// <summary>Replaces a member everywhere, as Google does when an account is deleted.</summary>
    public void Rename(string from, string to)
    {
        foreach (string resource in _policies.Keys.ToArray())
        {
            JsonObject policy = Get(resource).DeepClone().AsObject();
            bool found = false;
            foreach (JsonArray members in (policy["bindings"]?.AsArray() ?? []).Select(b => b!["members"]).OfType<JsonArray>())
            {
                for (int i = 0; i < members.Count; i++)
                {
                    if (members[i]!.ToString() == from)
                    {
                        members[i] = to;
                        found = true;
                    }
                }
            }

            if (found)
            {
                Put(resource, policy, DateTimeOffset.MinValue);
            }
        }
    }

    // Clients take an etag for bytes: it has to be base64 that comes back the same when it is decoded and encoded again.
    private string NewEtag()
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, (0x0705L << 48) + ++_writes);
        return Convert.ToBase64String(bytes);
    }

    // Some send the alphabet of URLs, and some leave the padding out.
    private static string? Plain(string? etag) => etag?.Replace('-', '+').Replace('_', '/').TrimEnd('=');

    private static bool Conditional(JsonObject policy) =>
        policy["bindings"] is JsonArray bindings && bindings.Any(b => b?["condition"] is not null);
}
