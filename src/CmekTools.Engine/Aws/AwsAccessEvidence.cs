using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Aws;

/// <summary>Everything that the checks of one access look at.</summary>
internal sealed record AwsAccessEvidence(
    AccessTarget Target,
    KeyArn Key,
    Evidence<KeyMetadata> Data,
    Evidence<PolicyDocument> Policy,
    Evidence<GetKeyRotationStatusResponse> Rotation,
    Evidence<IReadOnlyList<KeyGrant>> Grants,
    AwsRoleEvidence Principal,
    DateTimeOffset Now)
{
    /// <summary>The role.</summary>
    public RoleArn Role => Principal.Arn;

    /// <summary>What IAM says of the role.</summary>
    public Evidence<IamRole> Iam => Principal.Role;

    /// <summary>Everything that decides.</summary>
    public RoleKeyEvidence Access { get; } = Principal.Access(Key, Policy, Grants, Now);

    /// <summary>The command that completes role and key policy, whoever made the role.</summary>
    public string Grant =>
        $"Grant-CmekAccess -ClusterName {PowerShellText.Quote(Target.Cluster.Name)} -Region {PowerShellText.Quote(Target.Region)} "
            + $"-KeyUri {Key.Text} -RoleName {Role.Name}";

    // A key alone is of no use to the cluster: what is printed ends with an access that can be enabled.
    public string NewKey =>
        $"New-CmekKey -ClusterName {PowerShellText.Quote(Target.Cluster.Name)} -Region {PowerShellText.Quote(Target.Region)} "
            + "-EnableRotation | Grant-CmekAccess";

    public CmekCheck Check(string name, CmekCheckResult result, string on, string seen, string? remedy = null) =>
        Target.Check(name, result, on, seen, remedy);

    public CmekCheck OnKey(string name, CmekCheckResult result, string seen, string? remedy = null) =>
        Check(name, result, Key.Text, seen, remedy);

    public CmekCheck OnRole(string name, CmekCheckResult result, string seen, string? remedy = null) =>
        Check(name, result, Role.Text, seen, remedy);
}
