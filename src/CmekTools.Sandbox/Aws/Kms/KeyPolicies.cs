using System.Text;
using System.Text.Json.Nodes;
using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>Key policies.</summary>
internal static class KeyPolicies
{
    private const int MaxBytes = 32 * 1024;

    /// <summary>Reads a new policy, or makes the one that a key gets where none is given.</summary>
    public static StoredPolicy Read(KmsCall call, string? text)
    {
        text ??= new JsonObject
        {
            ["Version"] = "2012-10-17",
            ["Id"] = "key-default-1",
            ["Statement"] = new JsonArray(new JsonObject
            {
                ["Sid"] = "Enable IAM User Permissions",
                ["Effect"] = "Allow",
                ["Principal"] = new JsonObject { ["AWS"] = AwsIds.Root(call.Caller.AccountId) },
                ["Action"] = "kms:*",
                ["Resource"] = "*",
            }),
        }.ToJsonString();
        if (Encoding.UTF8.GetByteCount(text) > MaxBytes)
        {
            throw new AwsErrorException("LimitExceededException", $"The key policy is longer than {MaxBytes} bytes");
        }

        PrincipalNames names = new(call.World);
        try
        {
            return StoredPolicy.Resource(text, PolicyKind.Key, names.ToStored);
        }
        catch (InvalidPrincipalException)
        {
            // KMS does not say which.
            throw Malformed("Policy contains a statement with one or more invalid principals.");
        }
        catch (FormatException e)
        {
            throw Malformed(e.Message);
        }
    }

    /// <summary>Refuses a policy under which its author could not mend it.</summary>
    public static void CheckLockout(KmsCall call, StoredPolicy policy, string arn)
    {
        if (!call.Flag("BypassPolicyLockoutSafetyCheck")
            && Authorizer.Decide(call.Ask("kms:PutKeyPolicy", arn), policy.Parsed, PolicyKind.Key, call.Caller.AccountId) is not null)
        {
            throw Malformed("The new key policy will not allow you to update the key policy in the future.");
        }
    }

    /// <summary>PutKeyPolicy.</summary>
    public static JsonObject Put(KmsCall call)
    {
        KmsKey key = call.Key("kms:PutKeyPolicy");
        CheckName(call);
        StoredPolicy policy = Read(call, call.Need("Policy"));
        CheckLockout(call, policy, key.Arn);
        key.Policy.Set(policy, call.Now);
        return [];
    }

    /// <summary>GetKeyPolicy.</summary>
    public static JsonObject Get(KmsCall call)
    {
        KmsKey key = call.Key("kms:GetKeyPolicy");
        CheckName(call);
        return new JsonObject { ["Policy"] = key.Policy.Current.Show(
            new PrincipalNames(call.World).ToShown,
            indented: true), ["PolicyName"] = "default" };
    }

    /// <summary>ListKeyPolicies.</summary>
    public static JsonObject List(KmsCall call)
    {
        call.Key("kms:ListKeyPolicies");
        return Paging.Page(call, "PolicyNames", ["default"], 100, 1000);
    }

    private static void CheckName(KmsCall call)
    {
        if ((call.Text("PolicyName") ?? "default") != "default")
        {
            throw new AwsErrorException("NotFoundException", "No such policy exists");
        }
    }

    private static AwsErrorException Malformed(string message) => new("MalformedPolicyDocumentException", message);
}
