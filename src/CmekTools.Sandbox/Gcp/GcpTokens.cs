namespace CmekTools.Sandbox.Gcp;

/// <summary>Who holds which access token.</summary>
internal sealed class GcpTokens
{
    private readonly Dictionary<string, string> _members = [];

    /// <summary>A new token of a member, for example <c>user:auditor@example.com</c>.</summary>
    public string Add(string member)
    {
        string token = "ya29.sandbox-" + Guid.NewGuid().ToString("N");
        _members[token] = member;
        return token;
    }

    /// <summary>Ends all tokens of a member.</summary>
    public void Forget(string member)
    {
        foreach (string token in _members.Where(t => t.Value == member).Select(t => t.Key).ToArray())
        {
            _members.Remove(token);
        }
    }

    public string? MemberOf(string? authorization) =>
        authorization?.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) == true
            && _members.TryGetValue(authorization[7..].Trim(), out string? member)
            ? member
            : null;
}
