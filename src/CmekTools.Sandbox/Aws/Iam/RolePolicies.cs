using System.Xml.Linq;
using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws.Iam;

/// <summary>What a role may do by its own policies, and what limits it.</summary>
internal static class RolePolicies
{
    private const string OnlyVersion = "v1";

    /// <summary>Gives a role a permissions boundary.</summary>
    public static void SetBoundary(QueryCall call, IamRole role, string arn) =>
        (role.Boundary, role.BoundaryArn) = (Managed(call, arn), arn);

    /// <summary>PutRolePermissionsBoundary.</summary>
    public static IEnumerable<object?>? PutBoundary(QueryCall call)
    {
        SetBoundary(call, IamApi.Role(call, "PutRolePermissionsBoundary"), call.Need("PermissionsBoundary"));
        return null;
    }

    /// <summary>DeleteRolePermissionsBoundary.</summary>
    public static IEnumerable<object?>? DeleteBoundary(QueryCall call)
    {
        IamRole role = IamApi.Role(call, "DeleteRolePermissionsBoundary");
        (role.Boundary, role.BoundaryArn) = (null, null);
        return null;
    }

    /// <summary>PutRolePolicy.</summary>
    public static IEnumerable<object?>? Put(QueryCall call)
    {
        IamRole role = IamApi.Role(call, "PutRolePolicy");
        role.Inline[call.Need("PolicyName")] = IamApi.Identity(call.Need("PolicyDocument"));
        return null;
    }

    /// <summary>GetRolePolicy.</summary>
    public static IEnumerable<object?> Get(QueryCall call)
    {
        IamRole role = IamApi.Role(call, "GetRolePolicy");
        string name = call.Need("PolicyName");
        return
        [
            new XElement("RoleName", role.Name),
            new XElement("PolicyName", name),
            new XElement("PolicyDocument", Uri.EscapeDataString(Inline(role, name).Show())),
        ];
    }

    /// <summary>DeleteRolePolicy.</summary>
    public static IEnumerable<object?>? Delete(QueryCall call)
    {
        IamRole role = IamApi.Role(call, "DeleteRolePolicy");
        string name = call.Need("PolicyName");
        Inline(role, name);
        role.Inline.Remove(name);
        return null;
    }

    /// <summary>ListRolePolicies.</summary>
    public static IEnumerable<object?> List(QueryCall call) =>
        Roles.Page(call, "PolicyNames", IamApi.Role(call, "ListRolePolicies").Inline.Keys);

    /// <summary>AttachRolePolicy.</summary>
    public static IEnumerable<object?>? Attach(QueryCall call)
    {
        IamRole role = IamApi.Role(call, "AttachRolePolicy");
        string arn = call.Need("PolicyArn");
        role.Attached[arn] = Managed(call, arn);
        return null;
    }

    /// <summary>DetachRolePolicy.</summary>
    public static IEnumerable<object?>? Detach(QueryCall call)
    {
        IamRole role = IamApi.Role(call, "DetachRolePolicy");
        string arn = call.Need("PolicyArn");
        return role.Attached.Remove(arn) ? null : throw IamApi.NoSuch($"Policy {arn} was not found.");
    }

    /// <summary>ListAttachedRolePolicies.</summary>
    public static IEnumerable<object?> ListAttached(QueryCall call) => Roles.Page(
        call,
        "AttachedPolicies",
        IamApi.Role(call, "ListAttachedRolePolicies").Attached.Keys.Select(
            arn => new object[] { new XElement("PolicyName", arn[(arn.LastIndexOf('/') + 1)..]), new XElement("PolicyArn", arn) }));

    /// <summary>GetPolicy. The sandbox keeps one version of each.</summary>
    public static IEnumerable<object?> GetManaged(QueryCall call)
    {
        string arn = call.Need("PolicyArn");
        IamApi.Demand(call, "GetPolicy", arn);
        Managed(call, arn);
        return
        [
            new XElement(
                "Policy",
                new XElement("PolicyName", arn[(arn.LastIndexOf('/') + 1)..]),
                new XElement("Arn", arn),
                new XElement("DefaultVersionId", OnlyVersion),
                new XElement("IsAttachable", "true")),
        ];
    }

    /// <summary>GetPolicyVersion.</summary>
    public static IEnumerable<object?> GetManagedVersion(QueryCall call)
    {
        string arn = call.Need("PolicyArn");
        IamApi.Demand(call, "GetPolicyVersion", arn);
        string version = call.Need("VersionId");
        if (version != OnlyVersion)
        {
            throw IamApi.NoSuch($"Policy {arn} version {version} does not exist or is not attachable.");
        }

        return
        [
            new XElement(
                "PolicyVersion",
                new XElement("Document", Uri.EscapeDataString(Managed(call, arn).Show())),
                new XElement("VersionId", OnlyVersion),
                new XElement("IsDefaultVersion", "true")),
        ];
    }

    private static StoredPolicy Inline(IamRole role, string name) =>
        role.Inline.GetValueOrDefault(name) ?? throw IamApi.NoSuch($"The role policy with name {name} cannot be found.");

    private static StoredPolicy Managed(QueryCall call, string arn) =>
        call.World.ManagedPolicies.GetValueOrDefault(arn) ?? throw IamApi.NoSuch($"Policy {arn} does not exist or is not attachable.");
}
