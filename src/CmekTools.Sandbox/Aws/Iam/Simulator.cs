using System.Xml.Linq;
using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws.Iam;

/// <summary>
/// SimulatePrincipalPolicy: what the principal's own policies and boundary say to some calls. Resource policies are not looked at.
/// </summary>
internal static class Simulator
{
    /// <summary>SimulatePrincipalPolicy.</summary>
    public static IEnumerable<object?> Simulate(QueryCall call)
    {
        string arn = call.Need("PolicySourceArn");
        IamApi.Demand(call, "SimulatePrincipalPolicy", arn);
        AwsPrincipal principal = call.World.FindPrincipal(arn) ?? throw IamApi.NoSuch($"Policy source {arn} does not exist.");
        AwsCaller caller = new AwsCredential(string.Empty, string.Empty, principal).ToCaller();
        string[] resources = [.. call.Texts("ResourceArns").DefaultIfEmpty("*")];
        yield return new XElement("IsTruncated", "false");
        yield return QueryCall.List(
            "EvaluationResults",
            call.Texts("ActionNames").SelectMany(a => resources.Select(r => Result(call, caller, a, r))));
    }

    private static object[] Result(QueryCall call, AwsCaller caller, string action, string resource)
    {
        string? why = Authorizer.Decide(Questions.Make(call.World, caller, action, resource));
        string decision = why is null ? "allowed" : Authorizer.IsExplicit(why) ? "explicitDeny" : "implicitDeny";
        return
        [
            new XElement("EvalActionName", action),
            new XElement("EvalResourceName", resource),
            new XElement("EvalDecision", decision),
            new XElement("MatchedStatements"),
            new XElement("MissingContextValues"),
        ];
    }
}
