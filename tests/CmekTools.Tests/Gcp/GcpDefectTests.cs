using System.Text.Json.Nodes;
using CmekTools.Engine.Gcp;
using CmekTools.Engine.Providers;
using CmekTools.Sandbox;
using Xunit;

namespace CmekTools.Tests.Gcp;

/// <summary>A working set-up, broken in one way: the check that is about it fails, no other does, and it agrees with what the cluster then finds.</summary>
public sealed class GcpDefectTests
{
    private const string Past = "request.time < timestamp(\"2020-01-01T00:00:00Z\")";
    private const string Future = "request.time < timestamp(\"2099-01-01T00:00:00Z\")";

    /// <summary>What is broken, what the check says, what the remedy begins with, and whether the cluster can still use the key.</summary>
    public static TheoryData<string, string, string, bool> Defects => new()
    {
        { "version disabled", "Fail GcpKeyVersion", "gcloud kms keys versions enable 1", false },
        { "version scheduled for destruction", "Fail GcpKeyVersion", "gcloud kms keys versions restore 1", false },
        { "rotation off", "Warn GcpKeyRotation", "gcloud kms keys update", true },
        { "no binding", "Fail GcpKeyBinding", "Grant-CmekAccess", false },
        { "only encrypter", "Fail GcpKeyBinding", "Grant-CmekAccess", false },
        { "only decrypter", "Fail GcpKeyBinding", "Grant-CmekAccess", false },
        { "only viewer", "Fail GcpKeyBinding", "Grant-CmekAccess", false },
        { "bound on the ring", "Warn GcpKeyBindingInherited", "Grant-CmekAccess", true },
        { "bound on the project", "Warn GcpKeyBindingInherited", "Grant-CmekAccess", true },
        { "bound by a group", "Unknown GcpKeyBinding", "Grant-CmekAccess", true },
        { "condition has ended", "Fail GcpConditions", "Grant-CmekAccess", false },
        { "condition ends", "Warn GcpConditions", "Grant-CmekAccess", true },
        { "condition for another key", "Fail GcpConditions", "Grant-CmekAccess", false },
        { "condition not known", "Unknown GcpConditions", "Grant-CmekAccess", false },
        { "account disabled", "Fail GcpServiceAccount", "gcloud iam service-accounts enable", false },
        { "account deleted", "Fail GcpServiceAccount", "Grant-CmekAccess", false },
        { "account made anew", "Fail GcpDeletedMembers", "Grant-CmekAccess", false },
        { "dead member beside", "Warn GcpDeletedMembers", "Grant-CmekAccess", true },
        { "no token creator", "Fail GcpTokenCreator", "Grant-CmekAccess", false },
        { "token creator for another cluster", "Fail GcpTokenCreator", "Grant-CmekAccess", false },
        { "token creator's condition has ended", "Fail GcpTokenCreator", "Grant-CmekAccess", false },
        { "another can decrypt", "Warn GcpKeyScope", "gcloud kms keys remove-iam-policy-binding", true },
        { "everybody can decrypt", "Warn GcpKeyScope", "gcloud kms keys remove-iam-policy-binding", true },
    };

    [Theory]
    [MemberData(nameof(Defects))]
    public async Task OnlyTheRightCheckIsOff(string defect, string says, string remedy, bool works)
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        Assert.Empty(await kit.OffAsync(target));
        await BreakAsync(kit, target, defect);
        CmekCheck only = Assert.Single(await kit.ChecksAsync(target), c => c.Result != CmekCheckResult.Pass);
        Assert.Equal(says, $"{only.Result} {only.Name}");
        Assert.StartsWith(remedy, only.Remedy, StringComparison.Ordinal);
        Assert.Equal(works, kit.Try(target) is null);
        bool? allowed = await kit.AllowedAsync(target);
        Assert.False(allowed == !works, $"evaluated as {allowed}");
        if (remedy == "Grant-CmekAccess")
        {
            CmekKey key = await kit.Gcp.GetKeyAsync(target.KeyUri, kit.Run());
            await kit.Gcp.GrantAsync(kit.Cluster, key, GoogleKit.Region, new PrincipalOptions { ServiceAccount = target.AuthPrincipal }, kit.Run());
            Assert.DoesNotContain(await kit.OffAsync(target), c => c.StartsWith("Fail", StringComparison.Ordinal) || c.StartsWith("Unknown", StringComparison.Ordinal));
            Assert.Null(kit.Try(target));
        }
    }

    [Theory]
    [InlineData("cryptoKeys.get", "GcpKeyExists")]
    [InlineData("cryptoKeys.getIamPolicy", "GcpKeyBinding")]
    [InlineData("keyRings.getIamPolicy", null)]
    [InlineData("projects.getIamPolicy", null)]
    [InlineData("serviceAccounts.get", "GcpServiceAccount")]
    [InlineData("serviceAccounts.getIamPolicy", "GcpTokenCreator")]
    public async Task WhatTheOperatorMayNotSeeIsUnknown(string call, string? name)
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        Forbid(kit, call);
        CmekCheck[] off = [.. (await kit.ChecksAsync(target)).Where(c => c.Result != CmekCheckResult.Pass)];
        Assert.Equal(name is null ? [] : [name], off.Select(c => c.Name));
        Assert.All(off, c => Assert.Equal(CmekCheckResult.Unknown, c.Result));
        Assert.All(off, c => Assert.Contains(call, c.Remedy, StringComparison.Ordinal));
        Assert.Equal(name is null ? true : null, await kit.AllowedAsync(target));
    }

    [Theory]
    [InlineData("keyRings.getIamPolicy")]
    [InlineData("projects.getIamPolicy")]
    public async Task ACutThatCannotBeSeenIsNotCalledACut(string call)
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        await kit.Gcp.CutAsync(target, new CutOptions(false), kit.Run());
        Forbid(kit, call);
        AccessVerdict verdict = await kit.Gcp.EvaluateAsync(target, kit.Run());
        Assert.Null(verdict.Allowed);
        Assert.Contains(call, string.Join(' ', verdict.Reasons), StringComparison.Ordinal);
        Assert.Contains("Unknown GcpKeyBinding", await kit.OffAsync(target));
    }

    [Fact]
    public async Task AllReadsGoOutSideBySide()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        int open = 0;
        TaskCompletionSource all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        kit.Server.Before = async _ =>
        {
            // The sixth read opens the gate; reads one after the other would never get there.
            if (Interlocked.Increment(ref open) == 6)
            {
                all.SetResult();
            }

            await all.Task;
            return null;
        };
        Assert.NotEmpty(await kit.ChecksAsync(target));
        Assert.Equal(6, open);
    }

    internal static void Forbid(GoogleKit kit, string call) => kit.Server.Before = request => Task.FromResult(
        request.Operation == call
            ? new SandboxResponse { Status = 403, Body = $$$"""{"error":{"code":403,"message":"Permission '{{{call}}}' denied on resource (or it may not exist).","status":"PERMISSION_DENIED"}}""" }
            : null);

    private static async Task BreakAsync(GoogleKit kit, AccessTarget target, string defect)
    {
        string key = target.KeyUri;
        string ring = key[..key.IndexOf("/cryptoKeys/", StringComparison.Ordinal)];
        string account = GoogleKit.AccountResource(target);
        string member = "serviceAccount:" + target.AuthPrincipal;
        string own = "serviceAccount:" + GcpNames.ClusterPrincipal(kit.Cluster);
        void Instead(string role, string? condition = null)
        {
            kit.Put(key, []);
            kit.Bind(key, role, member, condition);
        }

        switch (defect)
        {
            case "version disabled":
                await kit.SendAsync("PATCH", $"{key}/cryptoKeyVersions/1?updateMask=state", new JsonObject { ["state"] = "DISABLED" });
                break;
            case "version scheduled for destruction":
                await kit.SendAsync("POST", $"{key}/cryptoKeyVersions/1:destroy", []);
                break;
            case "rotation off":
                await kit.SendAsync("PATCH", key + "?updateMask=rotationPeriod,nextRotationTime", []);
                break;
            case "no binding":
                kit.Put(key, []);
                break;
            case "only encrypter":
                Instead("roles/cloudkms.cryptoKeyEncrypter");
                break;
            case "only decrypter":
                Instead("roles/cloudkms.cryptoKeyDecrypter");
                break;
            case "only viewer":
                Instead("roles/cloudkms.viewer", "resource.name == \"x\"");
                break;
            case "bound on the ring":
                kit.Put(key, []);
                kit.Bind(ring, IamTree.CryptoRole, member);
                break;
            case "bound on the project":
                kit.Put(key, []);
                kit.Bind(GoogleKit.ProjectPolicy, IamTree.CryptoRole, member);
                break;
            case "bound by a group":
                kit.Put(key, []);
                kit.Bind(ring, IamTree.CryptoRole, "group:cmek@example.com");
                kit.Server.Exclusively(() =>
                {
                    kit.Google.Authorizer.AddGroup("cmek@example.com", member);
                    return 0;
                });
                break;
            case "condition has ended":
                Instead(IamTree.CryptoRole, Past);
                break;
            case "condition ends":
                Instead(IamTree.CryptoRole, Future);
                break;
            case "condition for another key":
                Instead(IamTree.CryptoRole, "resource.name.startsWith(\"projects/other\")");
                break;
            case "condition not known":
                Instead(IamTree.CryptoRole, "request.auth.claims.x == \"y\"");
                break;
            case "account disabled":
                await kit.SendAsync("POST", account + ":disable", []);
                break;
            case "account deleted":
                await kit.SendAsync("DELETE", account);
                break;
            case "account made anew":
                await kit.SendAsync("DELETE", account);
                await kit.SendAsync("POST", $"projects/{GoogleKit.Project}/serviceAccounts", new JsonObject { ["accountId"] = target.AuthPrincipal.Split('@')[0] });
                kit.Bind(account, IamTree.TokenRole, own);
                break;
            case "dead member beside":
                kit.Bind(key, IamTree.CryptoRole, $"deleted:{member}?uid=17");
                break;
            case "no token creator":
                kit.Put(account, []);
                break;
            case "token creator for another cluster":
                kit.Put(account, []);
                kit.Bind(account, IamTree.TokenRole, own.Replace("crl-kms-user-", "crl-kms-user-0", StringComparison.Ordinal));
                break;
            case "token creator's condition has ended":
                kit.Put(account, []);
                kit.Bind(account, IamTree.TokenRole, own, Past);
                break;
            case "another can decrypt":
                kit.Bind(key, "roles/cloudkms.cryptoKeyDecrypter", "user:somebody@example.com");
                break;
            case "everybody can decrypt":
                kit.Bind(key, IamTree.CryptoRole, "allUsers");
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(defect), defect, null);
        }
    }
}
