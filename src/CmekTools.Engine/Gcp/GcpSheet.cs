using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Gcp;

/// <summary>A key's cut and restore as commands of gcloud, for the bindings as they are now. Reads only.</summary>
internal sealed class GcpSheet(GcpClients clients)
{
    /// <summary>Writes the commands.</summary>
    /// <param name="targets">The accesses to one key.</param>
    /// <param name="number">Tells the key's files from other keys'.</param>
    /// <param name="op">The run.</param>
    public async Task<ByHand> WriteAsync(IReadOnlyList<AccessTarget> targets, int number, Operation op)
    {
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        GcpKeyName key = GcpNames.ParseKey(targets[0].KeyUri);
        string at = $"--keyring {BashText.Quote(key.Ring)} --location {BashText.Quote(key.Location)} --project "
            + $"{BashText.Quote(key.Project)}";
        string name = BashText.Quote(key.Key);
        Evidence<JsonObject> policy = await GcpEvidence.TryReadAsync(
            cloud.GetKmsPolicyAsync(targets[0].KeyUri, op.Cancellation),
            "cloudkms.cryptoKeys.getIamPolicy",
            targets[0].KeyUri).ConfigureAwait(false);
        string[] members =
        [
            .. targets.Select(t => IamMembers.ServiceAccount(t.AuthPrincipal))
                .Concat(targets.Select(t => IamMembers.ServiceAccount(GcpNames.ClusterPrincipal(t.Cluster))))
                .Distinct(StringComparer.Ordinal),
        ];
        List<string> cut = [];
        List<string> restore = [];
        List<string> notes = [];
        List<string> proof = ["# Cut on the key itself where no role is shown."];
        string before = $"cmek-before-{number}.json";
        cut.AddRange(
        [
            "# The bindings as they are, for the record. They are kept once, so that a second run does not lose them.",
            $"[ -s {before} ] || gcloud kms keys get-iam-policy {name} {at} --format json > {before}",
        ]);
        foreach (string member in members)
        {
            foreach (string role in Roles(policy.Value, member, notes))
            {
                string binding = $"{name} {at} --member {BashText.Quote(member)} --role {BashText.Quote(role)}";
                cut.Add($"gcloud kms keys remove-iam-policy-binding {binding} --all");
                restore.Add($"gcloud kms keys add-iam-policy-binding {binding} --condition None");
            }

            string filter = BashText.Quote($"bindings.members={member}");
            proof.Add(
                $"gcloud kms keys get-iam-policy {name} {at} --flatten 'bindings[].members' --filter {filter} --format "
                    + "'value(bindings.role)'");
        }

        foreach (AccessTarget target in targets)
        {
            await AccountAsync(cloud, target, cut, restore, op).ConfigureAwait(false);
        }

        if (policy.Value is null)
        {
            notes.Add($"The key's bindings could not be read ({policy.Why}): what is written here is what CmekTools grants.");
        }

        notes.Add(
            "Who is let in by the key ring, the project or what is above it is not cut off by this; disabling the service account stops "
                + "those who come as it.");
        string versions = $"--key {name} {at}";
        string enabled = $"gcloud kms keys versions list {versions} --filter state=ENABLED --format 'value(name.basename())'";
        string disabled = $"cmek-disabled-{number}.txt";
        return new ByHand(
            cut,
            [
                "# Every enabled version: what was encrypted under an old one can be read by it.",
                "# Which ones is kept in a file, so that the restore leaves off what was off before.",
                $"{enabled} >> {disabled}",
                $"for v in $({enabled}); do",
                $"  gcloud kms keys versions disable \"$v\" {versions}",
                "done",
            ],
            proof,
            [
                .. restore,
                "# Only where the versions were disabled:",
                $"for v in $(sort -u {disabled}); do",
                $"  gcloud kms keys versions enable \"$v\" {versions}",
                "done",
            ],
            notes);
    }

    private static async Task AccountAsync(IGoogleCloud cloud, AccessTarget target, List<string> cut, List<string> restore, Operation op)
    {
        string own = IamMembers.ServiceAccount(GcpNames.ClusterPrincipal(target.Cluster));
        string account = BashText.Quote(target.AuthPrincipal);
        string project = BashText.Quote(GcpNames.ParseAccount(target.AuthPrincipal).Project);
        Evidence<JsonObject> policy = await GcpEvidence.TryReadAsync(
            cloud.GetAccountPolicyAsync(target.AuthPrincipal, op.Cancellation),
            "iam.serviceAccounts.getIamPolicy",
            target.AuthPrincipal).ConfigureAwait(false);
        string[] roles = policy.Value is { } value
            ? [.. IamBindings.Bindings(value).Where(b => IamBindings.Members(b).Contains(own)).Select(IamBindings.Role).Distinct()]
            : [IamBindings.TokenRole];
        foreach (string role in roles)
        {
            string binding = $"{account} --project {project} --member {BashText.Quote(own)} --role {BashText.Quote(role)}";
            cut.Add($"gcloud iam service-accounts remove-iam-policy-binding {binding} --all");
            restore.Add($"gcloud iam service-accounts add-iam-policy-binding {binding} --condition None");
        }

        cut.AddRange(
        [
            "# Tokens that were taken before work for up to an hour where something above the key lets the account in: this stops them.",
            $"gcloud iam service-accounts disable {account} --project {project}",
        ]);
        restore.Insert(0, $"gcloud iam service-accounts enable {account} --project {project}");
    }

    private static IEnumerable<string> Roles(JsonObject? policy, string member, List<string> notes)
    {
        if (policy is null)
        {
            return member.StartsWith("serviceAccount:crl-kms-user-", StringComparison.Ordinal) ? [] : [IamBindings.CryptoRole];
        }

        JsonObject[] bindings = [.. IamBindings.Bindings(policy).Where(b => IamBindings.Members(b).Contains(member))];
        if (bindings.Any(b => b["condition"] is not null))
        {
            notes.Add(
                $"{member} has bindings with conditions: the restore gives the role without them; see the file of the bindings as they "
                    + "were.");
        }

        return bindings.Select(IamBindings.Role).Distinct();
    }
}
