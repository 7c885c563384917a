using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine;
using CmekTools.Engine.Aws;
using CmekTools.Engine.Gcp;

namespace CmekTools.Benchmarks.Processes;

/// <summary>
/// Somebody else with a tool of his own who adds a rule to a key's policy: he reads it, adds his own, writes it whole, and looks
/// whether it is in, twice: at once, and once more when who was beside him has written. What he finds lost he does again.
/// </summary>
internal static class Stranger
{
    /// <summary>His name among the commands.</summary>
    public const string Command = "stranger";

    private const int Tries = 20;
    private const int Looks = 2;

    /// <summary>Adds a rule.</summary>
    /// <param name="keyUri">The key.</param>
    /// <param name="name">The rule: a statement's Sid, or the name of a member.</param>
    /// <param name="op">The run.</param>
    public static Task AddAsync(string keyUri, string name, Operation op) =>
        keyUri.StartsWith("arn:", StringComparison.Ordinal) ? AwsAsync(keyUri, name, op) : GoogleAsync(keyUri, name, op);

    private static async Task AwsAsync(string keyUri, string name, Operation op)
    {
        using AwsClients clients = new(op.Session.ProviderOptions, op.Timings, op.Session.Time);
        Amazon.KeyManagementService.IAmazonKeyManagementService kms = clients.Kms(keyUri.Split(':')[3]);
        int seen = 0;
        for (int attempt = 0; attempt < Tries; attempt++)
        {
            JsonObject policy = await ReadAsync().ConfigureAwait(false);
            if (IsIn(policy))
            {
                if (++seen == Looks)
                {
                    return;
                }

                await op.DelayAsync(op.Timings.PolicySettle).ConfigureAwait(false);
                continue;
            }

            seen = 0;
            policy["Statement"]!.AsArray().Add(JsonNode.Parse($$"""
                {"Sid":"{{name}}","Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:DescribeKey","Resource":"*",
                "Condition":{"Bool":{"aws:SecureTransport":"true"} } }
                """));
            await kms.PutKeyPolicyAsync(
                new PutKeyPolicyRequest { KeyId = keyUri, PolicyName = "default", Policy = policy.ToJsonString() },
                op.Cancellation).ConfigureAwait(false);
        }

        async Task<JsonObject> ReadAsync() => JsonNode.Parse(
            (
                await kms.GetKeyPolicyAsync(
                    new GetKeyPolicyRequest { KeyId = keyUri, PolicyName = "default" },
                    op.Cancellation).ConfigureAwait(false)).Policy)!.AsObject();

        bool IsIn(JsonObject policy) => policy["Statement"]!.AsArray().Any(s => (string?)s!["Sid"] == name);
    }

    private static async Task GoogleAsync(string keyUri, string name, Operation op)
    {
        IGoogleCloud cloud = await GoogleCloud.CreateAsync(op.Session, op.Cancellation).ConfigureAwait(false);
        for (int attempt = 0; attempt < Tries; attempt++)
        {
            JsonObject policy = await cloud.GetKmsPolicyAsync(keyUri, op.Cancellation).ConfigureAwait(false);
            if (policy["bindings"]?.ToJsonString().Contains(name, StringComparison.Ordinal) == true)
            {
                return;
            }

            JsonArray bindings = policy["bindings"] as JsonArray ?? [];
            policy["bindings"] = bindings;
            bindings.Add(new JsonObject { ["role"] = "roles/cloudkms.viewer", ["members"] = new JsonArray($"user:{name}@example.com") });
            try
            {
                await cloud.SetKmsPolicyAsync(keyUri, policy, op.Cancellation).ConfigureAwait(false);
            }
            catch (CmekServiceException e) when (e.StatusCode == 409)
            {
                // Somebody was quicker.
            }
        }
    }
}
