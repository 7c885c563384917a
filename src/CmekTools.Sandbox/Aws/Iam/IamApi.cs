using System.Xml.Linq;
using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws.Iam;

/// <summary>AWS IAM, as far as roles go.</summary>
internal static class IamApi
{
    /// <summary>The namespace of its answers.</summary>
    public static XNamespace Space { get; } = "https://iam.amazonaws.com/doc/2010-05-08/";

    /// <summary>Does an operation.</summary>
    public static IEnumerable<object?>? Invoke(QueryCall call, string operation) => operation switch
    {
        "CreateRole" => Roles.Create(call),
        "GetRole" => Roles.Get(call),
        "ListRoles" => Roles.List(call),
        "UpdateRole" => Roles.Update(call),
        "DeleteRole" => Roles.Delete(call),
        "UpdateAssumeRolePolicy" => Roles.UpdateTrust(call),
        "TagRole" => Roles.Tag(call),
        "UntagRole" => Roles.Untag(call),
        "ListRoleTags" => Roles.ListTags(call),
        "PutRolePermissionsBoundary" => RolePolicies.PutBoundary(call),
        "DeleteRolePermissionsBoundary" => RolePolicies.DeleteBoundary(call),
        "PutRolePolicy" => RolePolicies.Put(call),
        "GetRolePolicy" => RolePolicies.Get(call),
        "DeleteRolePolicy" => RolePolicies.Delete(call),
        "ListRolePolicies" => RolePolicies.List(call),
        "AttachRolePolicy" => RolePolicies.Attach(call),
        "DetachRolePolicy" => RolePolicies.Detach(call),
        "ListAttachedRolePolicies" => RolePolicies.ListAttached(call),
        "GetPolicy" => RolePolicies.GetManaged(call),
        "SimulatePrincipalPolicy" => Simulator.Simulate(call),
        "GetPolicyVersion" => RolePolicies.GetManagedVersion(call),
        _ => throw new AwsErrorException("InvalidAction", $"Could not find operation {operation} for version 2010-05-08"),
    };

    /// <summary>The role of the parameter RoleName, with the caller allowed to do that.</summary>
    public static IamRole Role(QueryCall call, string action)
    {
        string name = call.Need("RoleName");
        IamRole? role = call.World.FindRole(call.Caller.AccountId, name);
        Demand(call, action, role?.Arn ?? $"arn:aws:iam::{call.Caller.AccountId}:role/{name}");
        return role ?? throw NoSuch($"The role with name {name} cannot be found.");
    }

    /// <summary>Demands that the caller's own policies allow an action.</summary>
    public static void Demand(QueryCall call, string action, string resource)
    {
        if (Authorizer.Decide(Questions.Make(call.World, call.Caller, "iam:" + action, resource)) is { } reason)
        {
            throw new AwsErrorException(
                "AccessDenied",
                $"User: {call.Caller.Arn} is not authorized to perform: iam:{action} on resource: {resource} {reason}",
                403);
        }
    }

    /// <summary>What is not there.</summary>
    public static AwsErrorException NoSuch(string message) => new("NoSuchEntity", message, 404);

    /// <summary>Reads a policy of a user or role.</summary>
    public static StoredPolicy Identity(string text)
    {
        try
        {
            return StoredPolicy.Identity(text);
        }
        catch (FormatException e)
        {
            throw new AwsErrorException("MalformedPolicyDocument", e.Message);
        }
    }

    /// <summary>Reads a trust policy.</summary>
    public static StoredPolicy Trust(QueryCall call, string text)
    {
        try
        {
            return StoredPolicy.Resource(text, PolicyKind.Trust, new PrincipalNames(call.World).ToStored);
        }
        catch (InvalidPrincipalException e)
        {
            throw new AwsErrorException("MalformedPolicyDocument", $"Invalid principal in policy: \"AWS\":\"{e.Message}\"");
        }
        catch (FormatException e)
        {
            throw new AwsErrorException("MalformedPolicyDocument", e.Message);
        }
    }
}
