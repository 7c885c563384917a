using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace CmekTools.Engine.Pacing;

/// <summary>The pacers of this process: one a service and quota, whichever command, session or runspace asks.</summary>
internal static class Pacers
{
    /// <summary>The Cloud API's own limit, requests a second a user (documented by the vendor).</summary>
    public const int CloudRequestsPerSecond = 10;

    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);
    private static readonly ConcurrentDictionary<(string Service, string Quota), Pacer> s_all = new();

    /// <summary>The Cloud API's pacer of an API key; the last session's limit is the one that holds.</summary>
    /// <param name="server">The base address.</param>
    /// <param name="apiKey">The key; only its hash is kept.</param>
    /// <param name="requestsPerSecond">The limit; 0 for none.</param>
    public static Pacer? Cloud(Uri server, string apiKey, int requestsPerSecond)
    {
        if (requestsPerSecond <= 0)
        {
            return null;
        }

        string user = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(apiKey)))[..16];
        Pacer pacer = s_all.GetOrAdd((server.GetLeftPart(UriPartial.Authority), user), _ => new Pacer(requestsPerSecond, s_second));
        if (pacer.Permits != requestsPerSecond)
        {
            pacer.Permits = requestsPerSecond;
        }

        return pacer;
    }

    /// <summary>A provider's pacer.</summary>
    /// <param name="service">Whose: service, place and account or credentials.</param>
    /// <param name="quota">The call.</param>
    /// <param name="permits">Requests a second.</param>
    public static Pacer Provider(string service, string quota, int permits) =>
        s_all.GetOrAdd((service, quota), _ => new Pacer(permits, s_second));
}
