using System.Globalization;
using System.Xml.Linq;
using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws.Iam;

/// <summary>
/// SimulatePrincipalPolicy: what the principal's own policies and boundary and the organization say to some calls. Resource policies are
/// not looked at. Conditions know what they were told and nothing else.
/// </summary>
internal static class Simulator
{
    // IAM may give fewer results than were asked for, and says so.
    private const int PageSize = 5;

    /// <summary>SimulatePrincipalPolicy.</summary>
    public static IEnumerable<object?> Simulate(QueryCall call)
    {
        string arn = call.Need("PolicySourceArn");
        IamApi.Demand(call, "SimulatePrincipalPolicy", arn);
        AwsPrincipal principal = call.World.FindPrincipal(arn) is { } found && found.AccountId == call.Caller.AccountId
            ? found
            : throw IamApi.NoSuch($"Policy source {arn} does not exist.");
        AwsCaller caller = new AwsCredential(string.Empty, string.Empty, principal).ToCaller();
        Dictionary<string, IReadOnlyList<string>> context = Context(call);
        string[] missing =
        [
            .. caller.Identity.Append(caller.Boundary).OfType<PolicyDocument>()
                .SelectMany(p => p.Statements)
                .SelectMany(s => s.Conditions)
                .Select(c => c.Key)
                .Where(k => !context.ContainsKey(k))
                .Distinct(StringComparer.OrdinalIgnoreCase),
        ];
        string[] resources = [.. call.Texts("ResourceArns")];
        object[][] results = [.. call.Texts("ActionNames").SelectMany(Results)];
        int start = int.TryParse(call.Text("Marker"), CultureInfo.InvariantCulture, out int at) ? at : 0;
        int end = start + Math.Min(PageSize, call.Number("MaxItems", 100, 1, 1000));
        yield return new XElement("IsTruncated", end < results.Length ? "true" : "false");
        yield return end < results.Length ? new XElement("Marker", end.ToString(CultureInfo.InvariantCulture)) : null;
        yield return QueryCall.List("EvaluationResults", results.Skip(start).Take(end - start));

        IEnumerable<object[]> Results(string action) => resources is [] or ["*"]
            ? [Result(Ask(action, "*"), missing, named: false)]
            : resources.Select(r => Result(Ask(action, r), missing, named: true));

        PolicyQuestion Ask(string action, string resource) =>
            Questions.Bare(call.World, caller, action, resource) with { Keys = context };
    }

    private static Dictionary<string, IReadOnlyList<string>> Context(QueryCall call)
    {
        Dictionary<string, IReadOnlyList<string>> context = new(StringComparer.OrdinalIgnoreCase);
        for (int i = 1; call.Text($"ContextEntries.member.{i}.ContextKeyName") is { } key; i++)
        {
            context[key] = [.. call.Texts($"ContextEntries.member.{i}.ContextKeyValues")];
        }

        return context;
    }

    // Where resources were named, what is missing stands with the resource and not with the call.
    private static object[] Result(PolicyQuestion question, string[] missing, bool named)
    {
        string? why = Authorizer.Decide(question);
        string decision = why is null ? "allowed" : Authorizer.IsExplicit(why) ? "explicitDeny" : "implicitDeny";
        XElement missed = QueryCall.List("MissingContextValues", missing);
        XElement? boundary = question.Caller.Boundary is null
            ? null
            : new XElement(
                "PermissionsBoundaryDecisionDetail",
                new XElement("AllowedByPermissionsBoundary", Authorizer.WithinBoundary(question)));
        object?[] result =
        [
            new XElement("EvalActionName", question.Action),
            new XElement("EvalResourceName", question.Resource),
            new XElement("EvalDecision", decision),
            new XElement("MatchedStatements"),
            named ? new XElement("MissingContextValues") : missed,
            new XElement(
                "OrganizationsDecisionDetail",
                new XElement("AllowedByOrganizations", Authorizer.Organization(question) is null)),
            boundary,
            named
                ? new XElement(
                    "ResourceSpecificResults",
                    new XElement(
                        "member",
                        new XElement("EvalResourceName", question.Resource),
                        new XElement("EvalResourceDecision", decision),
                        new XElement("MatchedStatements"),
                        missed,
                        boundary is null ? null : new XElement(boundary)))
                : null,
        ];
        return [.. result.OfType<object>()];
    }
}
