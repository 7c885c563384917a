using CmekTools.Engine.Gcp.Policies;
using CmekTools.Engine.Access;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Gcp;

/// <summary>Two operators at the same policy at the same moment.</summary>
public sealed class GcpRaceTests
{
    [Fact]
    public async Task InAHundredRacesNobodysBindingIsLost()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        CmekKey key = await kit.KeyAsync();
        using EngineKit other = kit.Another();
        IKeyProvider second = other.Session.GetProvider(CmekProvider.GCP);
        TestOperationHost[] hosts = [new(), new()];
        for (int race = 0; race < 100; race++)
        {
            PrincipalOptions a = new() { ServiceAccount = $"race-a-{race:000}" };
            PrincipalOptions b = new() { ServiceAccount = $"race-b-{race:000}" };
            CmekAccess[] both = await Task.WhenAll(
                kit.Gcp.GrantAsync(kit.Cluster, key, GoogleKit.Region, a, kit.Run(hosts[0])),
                second.GrantAsync(kit.Cluster, key, GoogleKit.Region, b, other.Run(hosts[1])));
            Assert.All(both, access => Assert.False(access.Planned));
        }

        string[] members =
        [
            .. IamBindings.Bindings(kit.Policy(key.KeyUri!))
                .Where(x => IamBindings.Role(x) == IamBindings.CryptoRole)
                .SelectMany(IamBindings.Members),
        ];
        Assert.Equal(200, members.Distinct().Count());
        Assert.Equal(200, members.Length);
        // Without a lost race this test would show nothing.
        Assert.Contains(kit.Server.Exchanges, e => e.Status == 409 && e.Request.Operation == "cryptoKeys.setIamPolicy");
        Assert.Empty(hosts.SelectMany(h => h.Warnings));
    }

    [Fact]
    public async Task TwoWhoMakeTheSameThingsAtOnceBothSucceed()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        using EngineKit other = kit.Another();
        IKeyProvider second = other.Session.GetProvider(CmekProvider.GCP);
        CmekKey[] keys = await Task.WhenAll(
            kit.KeyAsync(),
            second.EnsureKeyAsync(kit.Cluster, GoogleKit.Region, new KeyOptions(), other.Run(new TestOperationHost())));
        Assert.Equal(keys[0].KeyUri, keys[1].KeyUri);
        CmekAccess[] both = await Task.WhenAll(
            kit.Gcp.GrantAsync(kit.Cluster, keys[0], GoogleKit.Region, new PrincipalOptions(), kit.Run()),
            second.GrantAsync(kit.Cluster, keys[1], GoogleKit.Region, new PrincipalOptions(), other.Run(new TestOperationHost())));
        Assert.Equal(both[0].AuthPrincipal, both[1].AuthPrincipal);
        Assert.Empty((await kit.OffAsync(kit.Target(both[0]))).Except(["Warn GcpKeyRotation"]));
    }
}
