using System.Security.Cryptography;
using System.Text;

namespace CmekTools.Sandbox.CloudApi;

/// <summary>Made-up ids that are the same in every run, so that examples and policies can be written down.</summary>
internal static class Identities
{
    /// <summary>An id in the form of a GUID (version 4).</summary>
    public static string Guid(string seed)
    {
        byte[] bytes = SHA256.HashData(Encoding.UTF8.GetBytes("guid " + seed))[..16];
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        return new System.Guid(bytes, bigEndian: true).ToString();
    }

    /// <summary>The account, project or subscription that belongs to a cluster.</summary>
    public static string Account(string provider, string clusterId)
    {
        ulong number = BitConverter.ToUInt64(SHA256.HashData(Encoding.UTF8.GetBytes("account " + clusterId)));
        return provider switch
        {
            "AWS" => (100_000_000_000 + (number % 900_000_000_000)).ToString(System.Globalization.CultureInfo.InvariantCulture),
            "GCP" => "crl-sandbox-" + (number % 0x1000000).ToString("x6", System.Globalization.CultureInfo.InvariantCulture),
            _ => Guid("subscription " + clusterId),
        };
    }

    /// <summary>The beginning of an id, for names.</summary>
    public static string Short(string id) => id.Length > 8 ? id[..8] : id;
}
