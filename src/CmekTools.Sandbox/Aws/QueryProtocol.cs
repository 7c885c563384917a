using System.Xml.Linq;

namespace CmekTools.Sandbox.Aws;

/// <summary>Wraps the answers of STS and IAM.</summary>
internal static class QueryProtocol
{
    /// <summary>Answers a request.</summary>
    public static SandboxResponse Answer(
        AwsWorld world,
        SandboxRequest request,
        XNamespace space,
        Func<SignedBy> check,
        Func<QueryCall, IEnumerable<object?>?> invoke)
    {
        string id = Guid.NewGuid().ToString();
        try
        {
            AwsCaller caller = check().Credential.ToCaller();
            request.Caller = caller.Arn;
            if (request.Service == "iam")
            {
                world.Quota.TakeIam(caller.AccountId, request.IsWrite);
            }

            IEnumerable<object?>? result = invoke(new QueryCall(world, caller, QueryCall.ReadForm(request.Text)));
            return Respond(200, id, space, new XElement(
                request.Operation + "Response",
                result is null ? null : new XElement(request.Operation + "Result", result),
                new XElement("ResponseMetadata", new XElement("RequestId", id))));
        }
        catch (AwsErrorException e)
        {
            return Respond(e.Status, id, space, new XElement(
                "ErrorResponse",
                new XElement("Error", new XElement("Type", "Sender"), new XElement("Code", e.Code), new XElement("Message", e.Message)),
                new XElement("RequestId", id)));
        }
    }

    private static SandboxResponse Respond(int status, string id, XNamespace space, XElement body)
    {
        foreach (XElement element in body.DescendantsAndSelf())
        {
            element.Name = space + element.Name.LocalName;
        }

        return new SandboxResponse
        {
            Status = status,
            ContentType = "text/xml",
            Body = body.ToString(SaveOptions.DisableFormatting),
            Headers = new Dictionary<string, string> { ["x-amzn-RequestId"] = id },
        };
    }
}
