using System.Diagnostics;
using System.Text;
using System.Text.Json;
using CmekTools.Engine.Aws;
using CmekTools.Engine.Aws.Policies;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.Gcp;
using CmekTools.Engine.Gcp.Policies;
using CmekTools.Engine.State;

namespace CmekTools.Benchmarks.Inputs;

/// <summary>Gives every parser wrong input. Each has to take it or to say why not with an error of CmekTools, in its time.</summary>
internal static class Parsers
{
    // Far more than any of them takes; a machine that does other things beside must not make it a fault.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    private static readonly CmekCluster s_cluster = new()
    {
        Id = "6f1f0a52-7c0d-4e6e-9a54-1f2d9b6c8e10", Name = "shop", Provider = CmekProvider.AWS, Plan = "ADVANCED", State = "CREATED",
        Regions = [new CmekRegion { Name = "us-east-1", NodeCount = 3 }],
    };

    private static readonly ConditionScope s_scope = new(
        ["projects/acme/locations/us-central1/keyRings/r/cryptoKeys/k", "projects/1/locations/us-central1/keyRings/r/cryptoKeys/k"],
        "cloudkms.googleapis.com/CryptoKey",
        DateTimeOffset.UnixEpoch.AddYears(56));

    /// <summary>The parsers by name, each with right input to begin with.</summary>
    public static IReadOnlyList<Parser> All { get; } =
    [
        new("key policy", text => _ = PolicyDocument.Parse(text, "key").Text(),
            """{"Version":"2012-10-17","Statement":[{"Sid":"EnableIAMUserPermissions","Effect":"Allow","Principal":"""
                + """{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"},"""
                + """{"Sid":"x","Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::111122223333:role/a"]},"Action":"""
                + """["kms:Decrypt"],"Resource":"*","Condition":{"StringLike":{"kms:ViaService":"""
                + """["ec2.*.amazonaws.com"]},"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}}}]}"""),
        new("trust policy", text => TrustEvaluator.Decide(
            PolicyDocument.Parse(text, "role"),
            "123456789012",
            "org",
            DateTimeOffset.UnixEpoch.AddYears(56)),
            """{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"""
                + """{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole","Condition":{"StringEquals":"""
                + """{"sts:ExternalId":"org"},"DateLessThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"},"IpAddress":"""
                + """{"aws:SourceIp":"10.0.0.0/8"}}}}"""),
        new("ARN of a key", text => AwsInput.ParseKey(text), "arn:aws:kms:us-east-1:111122223333:key/6a1e7c0a-9f64-4a8e-8f2b-1d6f3f0d1c11"),
        new("ARN of a role", text => AwsInput.ParseRole(text), "arn:aws-us-gov:iam::111122223333:role/path/name+=,.@_-"),
        new("resource name", text => GcpNames.ParseKey(text), "projects/acme-1/locations/us-central1/keyRings/ring/cryptoKeys/key"),
        new("account", text => GcpNames.ParseAccount(text), "cmek-shop@acme-1.iam.gserviceaccount.com"),
        new("CEL", text => IamConditions.EverHolds(text, s_scope),
            "request.time < timestamp('2027-01-01T00:00:00Z') && resource.name.startsWith('projects/acme/locations/us-central1') || "
                + "(resource.type == \"cloudkms.googleapis.com/CryptoKey\" && request.time.getHours('Europe/Berlin') >= 9)"),
        new("manifest", text => Manifests.Parse(text, "m.json", s_cluster),
            """{"region_specs":[{"region":"us-east-1","key_spec":"""
                + """{"type":"AWS_KMS","uri":"arn:aws:kms:us-east-1:111122223333:key/"""
                + """6a1e7c0a-9f64-4a8e-8f2b-1d6f3f0d1c11","auth_principal":"arn:aws:iam::111122223333:role/r"}}]}""",
            true),
        new("receipt", text => ReceiptDocument.Parse(ReceiptDocument.Read(text, "r.json"), "r.json"),
            """{"format":"cmektools/receipt","version":1,"id":"0a1b2c3d","created_at":"2026-08-01T10:00:00.0000000+00:"""
                + """00","restored_at":null,"organization_id":"org","cluster":"""
                + """{"id":"6f1f0a52","name":"shop","provider":"GCP","account_id":"crl-1"},"status_before":"shop: ENABLED","accesses":["""
                + """{"region":"us-central1","key_uri":"projects/acme/locations/us-central1/keyRings/r/cryptoKeys/"""
                + """k","auth_principal":"cmek@acme.iam.gserviceaccount.com","snapshot":{"kind":"gcp/1","data":{"key_policy":"""
                + """{"bindings":[]}}}}]}""",
            true),
        new("body of a status", text => Wire(() => JsonSerializer.Deserialize(text, WireJson.Default.CmekInfoWire)),
            """{"status":"ENABLED","region_infos":[{"region":"us-east-1","status":"ENABLED","key_infos":["""
                + """{"status":"ENABLED","user_message":"","spec":"""
                + """{"type":"AWS_KMS","uri":"arn","auth_principal":"r"},"created_at":"2026-08-01T10:00:"""
                + """00Z","updated_at":"2026-08-01T10:00:00Z"}]}]}""",
            true),
        new("body of a cluster", text => Wire(() => JsonSerializer.Deserialize(text, WireJson.Default.ClusterWire)),
            """{"id":"6f1f","name":"shop","cloud_provider":"AWS","plan":"ADVANCED","state":"CREATED","account_id":"1234","regions":"""
                + """[{"name":"us-east-1","node_count":3}],"network_visibility":"PRIVATE","created_at":"2026-08-01T10:00:00Z"}""",
            true),
        new("journal", Journal,
            """{"v":2,"time":"2026-08-01T10:00:00.0000000+00:"""
                + """00","run":"0123456789ab","command":"Grant-CmekAccess","id":"aaaaaaaaaaaa","phase":"begin","kind":"kms:"""
                + """PutKeyPolicy","target":"arn","summary":"s","before":{"a":[]},"after":{"a":1},"prev":"00"}""",
            true),
    ];

    /// <summary>Gives the parsers so many wrong inputs in all.</summary>
    /// <param name="count">How many.</param>
    /// <param name="seed">Chance.</param>
    /// <returns>What went wrong, at most a few of each parser.</returns>
    public static List<string> Run(int count, int seed)
    {
        Random random = new(seed);
        List<string> wrong = [];
        foreach (Parser parser in All)
        {
            int found = 0;
            for (int i = 0; i < count / All.Count && found < 3; i++)
            {
                string text = Mangler.Mangle(parser.Right, random);
                if (parser.IsBytes)
                {
                    // Half a surrogate pair cannot come in bytes; as an escape of JSON it can, and does.
                    text = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
                }

                Stopwatch watch = Stopwatch.StartNew();
                try
                {
                    parser.Take(text);
                }
                catch (CmekException)
                {
                    // It says what is wrong: what it should do.
                }
                catch (Exception e)
                {
                    found++;
                    string? where = e.StackTrace?.Split('\n').FirstOrDefault(l => l.Contains("CmekTools.Engine", StringComparison.Ordinal));
                    string what = JsonSerializer.Serialize(text.Length > 600 ? text[..600] + "…" : text);
                    wrong.Add($"{parser.Name}: {e.GetType().Name}: {e.Message}\n  {where?.Trim()}\n  for {what}");
                }

                if (watch.Elapsed > s_limit)
                {
                    found++;
                    wrong.Add($"{parser.Name}: took {watch.Elapsed.TotalSeconds:0} s for {text.Length} characters");
                }
            }
        }

        return wrong;
    }

    // The client makes an error of CmekTools of this one, and of no other.
    private static void Wire<T>(Func<T> read)
    {
        try
        {
            read();
        }
        catch (JsonException e)
        {
            throw new CmekException("CloudApiAnswerInvalid", CmekErrorKind.InvalidData, e.Message, "none", null, e);
        }
    }

    private static void Journal(string text)
    {
        string path = Path.Combine(Path.GetTempPath(), $"cmektools-journal-{Environment.ProcessId}.jsonl");
        try
        {
            File.WriteAllText(path, text + "\n");
            _ = JournalReader.Read(path);
        }
        finally
        {
            File.Delete(path);
        }
    }
}

/// <summary>One parser.</summary>
/// <param name="Name">Of what.</param>
/// <param name="Take">Takes an input.</param>
/// <param name="Right">Right input.</param>
/// <param name="IsBytes">It comes from a file or in an answer, as UTF-8.</param>
internal sealed record Parser(string Name, Action<string> Take, string Right, bool IsBytes = false);
