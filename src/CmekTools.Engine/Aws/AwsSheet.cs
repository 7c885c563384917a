using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Aws;

/// <summary>A key's cut and restore as commands of the aws CLI, with the policy as it is now worked in. Reads only.</summary>
internal sealed class AwsSheet(AwsKeyReader reader, AwsOtherAccess otherAccess)
{
    /// <summary>Writes the commands.</summary>
    /// <param name="targets">The accesses to one key.</param>
    /// <param name="number">Tells the key's files from other keys'.</param>
    /// <param name="op">The run.</param>
    public async Task<ByHand> WriteAsync(IReadOnlyList<AccessTarget> targets, int number, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(targets[0].KeyUri);
        string on = $"--region {BashText.Quote(key.Region)} --key-id {BashText.Quote(key.Text)}";
        (string before, string cut) = ($"cmek-before-{number}.json", $"cmek-cut-{number}.json");
        string read = $"aws kms get-key-policy {on} --policy-name default --query Policy --output text";
        Task<Evidence<IReadOnlyList<KeyGrant>>> listing = AwsEvidence.TryReadAsync(otherAccess.GrantsAsync(key, op.Cancellation));
        Evidence<PolicyDocument> policy = await AwsEvidence.TryReadAsync(reader.PolicyAsync(key, op.Cancellation)).ConfigureAwait(false);
        Evidence<IReadOnlyList<KeyGrant>> grants = await listing.ConfigureAwait(false);
        List<string> notes = [];
        List<string> cutting = [];
        List<string> restoring = [];
        List<string> proving = [];
        string last = $"aws kms disable-key {on}";
        if (policy.Value is { } document)
        {
            OurPolicyEdits.TakeDeadOut(document);
            foreach (AccessTarget target in targets)
            {
                OurPolicyEdits.Cut(document, target.Cluster, AwsInput.ParseRole(target.AuthPrincipal).Text);
            }

            cutting.AddRange(
            [
                "# The policy as it is: what gives the access back. It is kept once, so that a second run does not lose it.",
                $"[ -s {before} ] || {read} > {before}",
                "# The policy as it was when this sheet was made, with the Deny.",
                $"cat > {cut} <<'CMEK_POLICY'",
                document.Text(),
                "CMEK_POLICY",
                $"aws kms put-key-policy {on} --policy-name default --policy file://{cut}",
            ]);
            proving.AddRange(
            [
                "# Cut where each of these Denies is shown, or where the key's state is not Enabled.",
                .. targets.Select(t => $"{read} | grep -F -- {BashText.Quote(Deny(document, t))}"),
            ]);
            restoring.Add($"aws kms put-key-policy {on} --policy-name default --policy file://{before}");
            notes.Add(
                "A change that somebody made to the key policy after this sheet was made is undone by the cut, and comes back with the "
                    + "restore.");
        }
        else
        {
            cutting.AddRange(
                [
                    "# The key policy could not be read when this sheet was made, so the key is disabled, which stops everybody who "
                        + "uses it.",
                    last,
                ]);
            notes.Add($"The key policy could not be read: {policy.Why}");
        }

        proving.Add($"aws kms describe-key {on} --query KeyMetadata.KeyState --output text");
        cutting.AddRange((grants.Value ?? []).Where(g => g.Opens && targets.Any(g.IsClusters))
            .Select(g => $"aws kms revoke-grant {on} --grant-id {BashText.Quote(g.GrantId)}"));
        proving.AddRange(
            ["# Grants open the key too: a Deny stops them, but others' names here are worth a look.", $"aws kms list-grants {on}"]);
        restoring.AddRange(["# Only where the key was disabled:", $"aws kms enable-key {on}"]);
        if (grants.Value is null)
        {
            notes.Add($"The grants could not be read: {grants.Why}");
        }

        return new ByHand(cutting, [last], proving, restoring, notes);
    }

    private static string Deny(PolicyDocument document, AccessTarget target) =>
        PolicyJson.Text(OurStatements.FindRevoke(document, target.Cluster, AwsInput.ParseRole(target.AuthPrincipal).Text)!, "Sid")!;
}
