using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp.Policies;

/// <summary>Which time a decision is about.</summary>
internal enum Horizon
{
    /// <summary>Does it work now? For what a cluster needs.</summary>
    Now,

    /// <summary>Can it ever work, by these policies? For a cut, that must not open again by itself.</summary>
    Ever,
}

/// <summary>
/// Decides what policies give, as Google would where that can be known (https://cloud.google.com/iam/docs/policy-types); where it
/// cannot, it says so. No request is sent here.
/// </summary>
/// <param name="roles">What the roles of the bindings give.</param>
/// <param name="projects">Projects by id and number.</param>
/// <param name="now">The time.</param>
internal sealed class IamEvaluator(
    IReadOnlyDictionary<string, RoleContents> roles,
    IReadOnlyList<ProjectNames> projects,
    DateTimeOffset now)
{
    /// <summary>May a member do one thing on one level, by its bindings and by those above?</summary>
    /// <param name="chain">The levels, from below.</param>
    /// <param name="at">Which of them is acted on.</param>
    /// <param name="member">The member.</param>
    /// <param name="permission">The permission.</param>
    /// <param name="horizon">Now, or ever.</param>
    public PermissionDecision Decide(IReadOnlyList<ResourcePolicy> chain, int at, string member, string permission, Horizon horizon)
    {
        PermissionDecision best = PermissionDecision.None with { Permission = permission };
        for (int i = at; i < chain.Count; i++)
        {
            best = PermissionDecision.Stronger(best, Allow(chain[i], chain[at], member, permission, horizon));
        }

        // From above: which deny policy is named makes no difference, whether there is one does.
        foreach (ResourcePolicy level in chain.Skip(at).Where(l => l.Denies is not null))
        {
            if (level.Denies!.Value is { } denies)
            {
                Decision denied = DenyRules.Deny(denies, member, permission);
                if (denied == Decision.Allowed)
                {
                    return PermissionDecision.None with { Permission = permission, Level = level, ByDenyPolicy = true };
                }

                best = denied == Decision.Denied ? best : best.AtMost(Decision.Perhaps);
            }
            else if (horizon == Horizon.Now)
            {
                best = best.Decision > Decision.Unread
                    ? best with { Decision = Decision.Unread, Why = $"deny policies on the {level.Place} {level.Denies.Why}" }
                    : best;
            }
        }

        return best;
    }

    /// <summary>
    /// Can a member read what was encrypted under the key, now or after one more call that it may make? The strongest way is told.
    /// </summary>
    /// <param name="chain">The key, its ring, its project and what is above.</param>
    /// <param name="member">The member.</param>
    /// <param name="helpers">Who acts together with it: what stops the one may be taken away by the other.</param>
    public PermissionDecision Read(IReadOnlyList<ResourcePolicy> chain, string member, params IReadOnlyList<string> helpers)
    {
        bool stopped = false;
        PermissionDecision decrypt = Try(0, Permissions.Decrypt);
        PermissionDecision delegated = Try(0, Permissions.DecryptViaDelegation).AtMost(Decision.Perhaps);
        PermissionDecision best = PermissionDecision.Stronger(decrypt, delegated);
        for (int i = 0; i < chain.Count; i++)
        {
            if (chain[i].Kind >= ResourceKind.Project)
            {
                foreach (string permission in Permissions.Roundabout)
                {
                    best = PermissionDecision.Stronger(best, Try(i, permission).AtMost(Decision.Perhaps));
                }
            }

            // Against a deny policy it gives itself the key in vain; but whoever sets a policy lets another one in, and reads as that one.
            PermissionDecision sets = Try(i, Permissions.SetPolicy(chain[i].Kind));
            best = PermissionDecision.Stronger(best, decrypt.ByDenyPolicy ? sets.AtMost(Decision.Perhaps) : sets);
        }

        best = stopped ? PermissionDecision.Stronger(best, Lift(chain, [member, .. helpers])) : best;
        return best.Decision == Decision.Denied && decrypt.ByDenyPolicy ? decrypt : best;

        PermissionDecision Try(int at, string permission)
        {
            PermissionDecision decided = Decide(chain, at, member, permission, Horizon.Ever);
            stopped |= decided.ByDenyPolicy;
            return decided;
        }
    }

    /// <summary>
    /// Can one of several members take a deny policy away, or exempt somebody from it? Perhaps, at most: what it lets through then is
    /// another question.
    /// </summary>
    /// <param name="chain">The levels, from below.</param>
    /// <param name="members">The members.</param>
    public PermissionDecision Lift(IReadOnlyList<ResourcePolicy> chain, IReadOnlyList<string> members)
    {
        PermissionDecision best = PermissionDecision.None;
        for (int i = 0; i < chain.Count; i++)
        {
            foreach (string member in chain[i].Denies is null ? [] : members)
            {
                foreach (string permission in Permissions.LiftDenies)
                {
                    best = PermissionDecision.Stronger(best, Decide(chain, i, member, permission, Horizon.Ever).AtMost(Decision.Perhaps));
                }
            }
        }

        return best;
    }

    /// <summary>Can a member become a service account, now or after one more call?</summary>
    /// <param name="chain">The account, its project and what is above.</param>
    /// <param name="member">The member.</param>
    public PermissionDecision Become(IReadOnlyList<ResourcePolicy> chain, string member)
    {
        PermissionDecision best = PermissionDecision.None;
        foreach (string permission in Permissions.BecomeAccount)
        {
            best = PermissionDecision.Stronger(best, Decide(chain, 0, member, permission, Horizon.Ever));
        }

        foreach (string permission in Permissions.MayBecomeAccount.Append(Permissions.EnableAccounts))
        {
            best = PermissionDecision.Stronger(best, Decide(chain, 0, member, permission, Horizon.Ever).AtMost(Decision.Perhaps));
        }

        for (int i = 1; i < chain.Count; i++)
        {
            best = PermissionDecision.Stronger(best, Decide(chain, i, member, Permissions.SetPolicy(chain[i].Kind), Horizon.Ever));
        }

        return best;
    }

    /// <summary>The roles that these levels bind to whoever may stand for one of the members.</summary>
    public static IEnumerable<string> RolesFor(IEnumerable<ResourcePolicy> levels, IReadOnlyList<string> members) => levels
        .Select(l => l.Policy.Value)
        .OfType<JsonObject>()
        .SelectMany(IamBindings.Bindings)
        .Where(b => IamBindings.Members(b).Any(named => members.Any(m => IamMembers.Includes(named, m) != Decision.Denied)))
        .Select(IamBindings.Role);

    /// <summary>Does a role give a permission?</summary>
    public Decision Gives(string role, string permission) =>
        (roles.GetValueOrDefault(role) ?? RoleContents.FromTable(role)).Gives(permission);

    private PermissionDecision Allow(ResourcePolicy level, ResourcePolicy on, string member, string permission, Horizon horizon)
    {
        PermissionDecision best = PermissionDecision.None with { Permission = permission };
        if (level.Policy.Value is not { } policy)
        {
            return best with
            {
                Decision = Decision.Unread,
                Level = level,
                Why = $"the policy of the {level.Place} {(level.Policy.Missing ? "was not found" : level.Policy.Why)}",
            };
        }

        foreach (JsonObject binding in IamBindings.Bindings(policy))
        {
            string role = IamBindings.Role(binding);
            string[] named = [.. IamBindings.Members(binding).Where(n => IamMembers.Includes(n, member) != Decision.Denied)];
            Decision gives = named.Length == 0 ? Decision.Denied : Gives(role, permission);
            if (gives == Decision.Denied)
            {
                continue;
            }

            string? expression = binding["condition"]?["expression"]?.ToString();
            Decision holds = binding["condition"] is null ? Decision.Allowed : Holds(expression, on, horizon);
            foreach (string one in named)
            {
                Decision decision = new[] { gives, holds, IamMembers.Includes(one, member) }.Min();
                best = PermissionDecision.Stronger(
                    best,
                    new PermissionDecision(decision, level, role, one, expression) { Permission = permission });
            }
        }

        return best;
    }

    private Decision Holds(string? expression, ResourcePolicy on, Horizon horizon)
    {
        if (expression is null)
        {
            // A condition in a form that is not known here.
            return Decision.Perhaps;
        }

        ConditionScope scope = new([.. Spellings(on.Resource)], on.Type, now);
        return horizon == Horizon.Now ? IamConditions.Holds(expression, scope) : IamConditions.EverHolds(expression, scope);
    }

    private IEnumerable<string> Spellings(string resource)
    {
        string[] parts = resource.Split('/', 3);
        ProjectNames? names = parts[0] == "projects" ? projects.FirstOrDefault(p => p.Id == parts[1] || p.Number == parts[1]) : null;
        string rest = parts.Length == 3 ? "/" + parts[2] : string.Empty;
        return names is null ? [resource] : new[] { names.Id, names.Number }.OfType<string>().Select(n => $"projects/{n}{rest}");
    }
}
