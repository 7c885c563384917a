using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws.Iam;

/// <summary>Roles.</summary>
internal static partial class Roles
{
    /// <summary>CreateRole.</summary>
    public static IEnumerable<object?> Create(QueryCall call)
    {
        string name = call.Need("RoleName");
        string path = call.Text("Path") ?? "/";
        IamApi.Demand(call, "CreateRole", $"arn:aws:iam::{call.Caller.AccountId}:role{path}{name}");
        if (!NamePattern().IsMatch(name))
        {
            throw QueryCall.Invalid(
                "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-");
        }

        if (path != "/" && !(path.Length > 2 && path[0] == '/' && path[^1] == '/'))
        {
            throw QueryCall.Invalid(
                "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric "
                    + "characters and/or / characters.");
        }

        StoredPolicy trust = IamApi.Trust(call, call.Need("AssumeRolePolicyDocument"));
        if (call.World.FindRole(call.Caller.AccountId, name) is not null)
        {
            throw new AwsErrorException("EntityAlreadyExists", $"Role with name {name} already exists.", 409);
        }

        IamRole role = new(call.Caller.AccountId, path, name, trust, call.World.Now)
        {
            Description = call.Text("Description"),
            MaxSessionDuration = call.Number("MaxSessionDuration", 3600, 3600, 43200),
        };
        if (call.Text("PermissionsBoundary") is { } boundary)
        {
            RolePolicies.SetBoundary(call, role, boundary);
        }

        List<KeyValuePair<string, string>> tags = call.Tags();
        if (tags.Count > 0)
        {
            IamApi.Demand(call, "TagRole", role.Arn);
        }

        PutTags(role, tags);
        call.World.Add(role);
        return [Show(call, role, full: true)];
    }

    /// <summary>GetRole.</summary>
    public static IEnumerable<object?> Get(QueryCall call) => [Show(call, IamApi.Role(call, "GetRole"), full: true)];

    /// <summary>ListRoles.</summary>
    public static IEnumerable<object?> List(QueryCall call)
    {
        string prefix = call.Text("PathPrefix") ?? "/";
        IamApi.Demand(call, "ListRoles", $"arn:aws:iam::{call.Caller.AccountId}:role{prefix}");
        IEnumerable<IamRole> roles = call.World.Roles(call.Caller.AccountId).Where(
            r => r.Path.StartsWith(prefix, StringComparison.Ordinal)).OrderBy(r => r.Name, StringComparer.Ordinal);
        return Page(call, "Roles", roles.Select(r => (object)Show(call, r, full: false).Elements()));
    }

    /// <summary>UpdateRole.</summary>
    public static IEnumerable<object?> Update(QueryCall call)
    {
        IamRole role = IamApi.Role(call, "UpdateRole");
        role.MaxSessionDuration = call.Number("MaxSessionDuration", role.MaxSessionDuration, 3600, 43200);
        role.Description = call.Text("Description") ?? role.Description;
        return [];
    }

    /// <summary>DeleteRole.</summary>
    public static IEnumerable<object?>? Delete(QueryCall call)
    {
        IamRole role = IamApi.Role(call, "DeleteRole");
        if (role.Inline.Count > 0)
        {
            throw new AwsErrorException("DeleteConflict", "Cannot delete entity, must delete policies first.", 409);
        }

        if (role.Attached.Count > 0)
        {
            throw new AwsErrorException("DeleteConflict", "Cannot delete entity, must detach all policies first.", 409);
        }

        call.World.Remove(role);
        return null;
    }

    /// <summary>UpdateAssumeRolePolicy.</summary>
    public static IEnumerable<object?>? UpdateTrust(QueryCall call)
    {
        IamRole role = IamApi.Role(call, "UpdateAssumeRolePolicy");
        role.Trust.Set(IamApi.Trust(call, call.Need("PolicyDocument")), call.World.Now);
        return null;
    }

    /// <summary>TagRole.</summary>
    public static IEnumerable<object?>? Tag(QueryCall call)
    {
        PutTags(IamApi.Role(call, "TagRole"), call.Tags());
        return null;
    }

    /// <summary>UntagRole.</summary>
    public static IEnumerable<object?>? Untag(QueryCall call)
    {
        IamRole role = IamApi.Role(call, "UntagRole");
        foreach (string name in call.Texts("TagKeys"))
        {
            role.Tags.Remove(name);
        }

        return null;
    }

    /// <summary>ListRoleTags.</summary>
    public static IEnumerable<object?> ListTags(QueryCall call) => Page(call, "Tags", ShowTags(IamApi.Role(call, "ListRoleTags")));

    /// <summary>One page of a list.</summary>
    public static IEnumerable<object?> Page(QueryCall call, string name, IEnumerable<object> members)
    {
        List<object> all = [.. members];
        int size = call.Number("MaxItems", 100, 1, 1000);
        int start = call.Number("Marker", 0, 0, int.MaxValue);
        bool more = start + size < all.Count;
        return
        [
            QueryCall.List(name, all.Skip(start).Take(size)),
            new XElement("IsTruncated", more),
            more ? new XElement("Marker", (start + size).ToString(CultureInfo.InvariantCulture)) : null,
        ];
    }

    private static void PutTags(IamRole role, List<KeyValuePair<string, string>> tags)
    {
        if (role.Tags.Keys.Union(tags.Select(t => t.Key)).Count() > 50)
        {
            throw new AwsErrorException("LimitExceeded", "The number of tags has reached the maximum limit.", 409);
        }

        foreach ((string name, string value) in tags)
        {
            role.Tags[name] = value;
        }
    }

    // A list leaves out what only GetRole shows, as IAM's does.
    private static XElement Show(QueryCall call, IamRole role, bool full)
    {
        string trust = role.Trust.Current.Show(new PrincipalNames(call.World).ToShown);
        return new XElement(
            "Role",
            new XElement("Path", role.Path),
            new XElement("RoleName", role.Name),
            new XElement("RoleId", role.UniqueId),
            new XElement("Arn", role.Arn),
            new XElement("CreateDate", QueryCall.Time(role.Created)),
            new XElement("AssumeRolePolicyDocument", Uri.EscapeDataString(trust)),
            QueryCall.Element("Description", role.Description),
            new XElement("MaxSessionDuration", role.MaxSessionDuration),
            full && role.BoundaryArn is { } boundary
                ? new XElement(
                    "PermissionsBoundary",
                    new XElement("PermissionsBoundaryType", "Policy"),
                    new XElement("PermissionsBoundaryArn", boundary))
                : null,
            full && role.Tags.Count > 0 ? QueryCall.List("Tags", ShowTags(role)) : null);
    }

    private static IEnumerable<object> ShowTags(IamRole role) =>
        role.Tags.Select(t => new object[] { new XElement("Key", t.Key), new XElement("Value", t.Value) });

    [GeneratedRegex(@"^[\w+=,.@-]{1,64}$")]
    private static partial Regex NamePattern();
}
