namespace CmekTools.Sandbox.Aws;

/// <summary>
/// How many calls are answered in a second: of KMS by call, account and region, as its quotas are listed; of IAM by account, with a
/// bucket that fills anew (AWS does not publish how large it is).
/// </summary>
internal sealed class AwsQuota(SandboxServer server)
{
    private const int RoleWrites = 5;

    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    private static readonly Dictionary<string, int> s_kms = new(StringComparer.Ordinal)
    {
        ["CreateKey"] = 5,
        ["ReplicateKey"] = 5,
        ["CreateAlias"] = 5,
        ["UpdateAlias"] = 5,
        ["DeleteAlias"] = 15,
        ["PutKeyPolicy"] = 15,
        ["TagResource"] = 10,
        ["UntagResource"] = 5,
        ["EnableKey"] = 5,
        ["DisableKey"] = 5,
        ["EnableKeyRotation"] = 15,
        ["DisableKeyRotation"] = 5,
        ["ScheduleKeyDeletion"] = 15,
        ["CancelKeyDeletion"] = 5,
        ["CreateGrant"] = 50,
        ["RevokeGrant"] = 30,
        ["ListGrants"] = 100,
    };

    private readonly Dictionary<string, Queue<DateTimeOffset>> _calls = [];

    /// <summary>How many calls were refused.</summary>
    public int Refusals { get; private set; }

    /// <summary>Counts a call of KMS.</summary>
    /// <exception cref="AwsErrorException">It is one too many.</exception>
    public void TakeKms(string account, string region, string call)
    {
        if (server.Options.AwsQuotas && s_kms.TryGetValue(call, out int quota) && !Take($"kms {account} {region} {call}", quota))
        {
            throw new AwsErrorException(
                "ThrottlingException",
                "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.");
        }
    }

    /// <summary>Counts a call of IAM.</summary>
    /// <exception cref="AwsErrorException">It is one too many.</exception>
    public void TakeIam(string account, bool isWrite)
    {
        if (server.Options.AwsQuotas && isWrite && !Take($"iam {account}", RoleWrites))
        {
            throw new AwsErrorException("Throttling", "Rate exceeded");
        }
    }

    private bool Take(string name, int quota)
    {
        if (!_calls.TryGetValue(name, out Queue<DateTimeOffset>? calls))
        {
            _calls[name] = calls = new();
        }

        DateTimeOffset now = server.Options.Clock.GetUtcNow();
        while (calls.TryPeek(out DateTimeOffset first) && now - first > s_second)
        {
            calls.Dequeue();
        }

        if (calls.Count >= quota)
        {
            Refusals++;
            return false;
        }

        calls.Enqueue(now);
        return true;
    }
}
