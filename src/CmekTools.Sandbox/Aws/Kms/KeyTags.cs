using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>Tags of keys.</summary>
internal static class KeyTags
{
    private const int Most = 50;

    /// <summary>Reads the parameter Tags.</summary>
    private static List<KeyValuePair<string, string>> Read(KmsCall call)
    {
        List<KeyValuePair<string, string>> tags = [];
        foreach (JsonNode? tag in call.Body["Tags"] as JsonArray ?? [])
        {
            string name = tag?["TagKey"]?.ToString() ?? string.Empty;
            string value = tag?["TagValue"]?.ToString() ?? string.Empty;
            if (name.Length is 0 or > 128 || value.Length > 256)
            {
                throw KmsCall.Invalid("1 validation error detected: a tag's key has 1 to 128 characters and its value at most 256");
            }

            if (name.StartsWith("aws:", StringComparison.OrdinalIgnoreCase))
            {
                throw new AwsErrorException("TagException", "Tags beginning with aws: are reserved for system use");
            }

            if (tags.Exists(t => t.Key == name))
            {
                throw new AwsErrorException("TagException", "Duplicate tag keys found: " + name);
            }

            tags.Add(new(name, value));
        }

        return tags;
    }

    /// <summary>Puts the tags that come with a new key on it; that needs its own permission.</summary>
    public static void PutNew(KmsCall call, KmsKey key)
    {
        List<KeyValuePair<string, string>> tags = Read(call);
        if (tags.Count > 0)
        {
            call.Demand("kms:TagResource");
        }

        Put(key, tags);
    }

    /// <summary>Puts tags on a key.</summary>
    private static void Put(KmsKey key, List<KeyValuePair<string, string>> tags)
    {
        if (key.Tags.Keys.Union(tags.Select(t => t.Key)).Count() > Most)
        {
            throw new AwsErrorException("LimitExceededException", $"A key has at most {Most} tags");
        }

        foreach ((string name, string value) in tags)
        {
            key.Tags[name] = value;
        }
    }

    /// <summary>TagResource.</summary>
    public static JsonObject Tag(KmsCall call)
    {
        KmsKey key = call.Key("kms:TagResource");
        call.DemandNotPendingDeletion(key);
        Put(key, Read(call));
        return [];
    }

    /// <summary>UntagResource.</summary>
    public static JsonObject Untag(KmsCall call)
    {
        KmsKey key = call.Key("kms:UntagResource");
        call.DemandNotPendingDeletion(key);
        foreach (JsonNode? name in call.Body["TagKeys"] as JsonArray ?? [])
        {
            key.Tags.Remove(name?.ToString() ?? string.Empty);
        }

        return [];
    }

    /// <summary>ListResourceTags.</summary>
    public static JsonObject List(KmsCall call)
    {
        KmsKey key = call.Key("kms:ListResourceTags");
        return Paging.Page(call, "Tags", key.Tags.Select(t => new JsonObject { ["TagKey"] = t.Key, ["TagValue"] = t.Value }), 50, 50);
    }
}
