using CmekTools.Engine.Access;
using CmekTools.Sandbox;
using Xunit;

namespace CmekTools.Tests.Gcp;

/// <summary>What Google Cloud does not let be seen, and how the reads go out. What is broken is in Pipeline/PreflightGoogleTests.</summary>
public sealed class GcpDefectTests
{
    [Theory]
    [InlineData("cryptoKeys.get", "GcpKeyExists")]
    [InlineData("cryptoKeys.getIamPolicy", "GcpKeyBinding")]
    [InlineData("keyRings.getIamPolicy", null)]
    [InlineData("projects.getIamPolicy", null)]
    [InlineData("serviceAccounts.get", null)]
    [InlineData("serviceAccounts.get serviceAccounts.list", "GcpServiceAccount")]
    [InlineData("denypolicies.list", "GcpDenyPolicies")]
    [InlineData("projects.getAncestry", "GcpDenyPolicies")]
    [InlineData("serviceAccounts.getIamPolicy", "GcpTokenCreator")]
    public async Task WhatTheOperatorMayNotSeeIsUnknown(string call, string? name)
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        AccessTarget target = await kit.GrantedAsync();
        Forbid(kit, call);
        CmekCheck[] off = [.. (await kit.ChecksAsync(target)).Where(c => c.Result != CmekCheckResult.Pass)];
        Assert.Equal(name is null ? [] : [name], off.Select(c => c.Name));
        Assert.All(off, c => Assert.Equal(CmekCheckResult.Unknown, c.Result));
        Assert.All(
            off,
            c => Assert.True(call == "projects.getAncestry" || c.Remedy!.Contains(call.Split(' ')[0], StringComparison.Ordinal), c.Remedy));
        Assert.Equal(name is null ? Decision.Allowed : Decision.Unread, await kit.DecideAsync(target));
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
        AccessDecision verdict = await kit.Gcp.EvaluateAsync(target, kit.Run());
        Assert.True(
            verdict.Use is Decision.Perhaps or Decision.Unread || verdict.Read is Decision.Perhaps or Decision.Unread,
            verdict.ToString());
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
            // The eighth read opens the gate; reads one after the other would never get there. What the two roles give is asked when
            // the bindings are known.
            if (Interlocked.Increment(ref open) == 8)
            {
                all.SetResult();
            }

            await all.Task;
            return null;
        };
        Assert.NotEmpty(await kit.ChecksAsync(target));
        Assert.Equal(10, open);
    }

    internal static void Forbid(GoogleKit kit, string call) => kit.Server.Before = request => Task.FromResult(
        call.Split(' ').Contains(request.Operation)
            ? new SandboxResponse
            {
                Status = 403,
                Body = $$$"""{"error":{"code":403,"message":"Permission 'iam.{{{request.Operation}}}' denied on resource (or it may """
                    + $$$"""not exist).","status":"PERMISSION_DENIED"}}""",
            }
            : null);
}
