namespace CmekTools.Tests.Gcp.Model;

/// <summary>
/// What Google Cloud would decide, knowing everything: written from the documentation of roles, principals, policy inheritance and deny
/// policies (https://cloud.google.com/iam/docs), and sharing no code with the engine. It asks step by step who can become whom and who
/// can give himself what.
/// </summary>
internal sealed class GoogleModel(GoogleWorld world, string account, string own)
{
    /// <summary>Now, and times to come: the next night, next year, much later.</summary>
    public static readonly DateTimeOffset[] Times =
    [
        new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero), new(2026, 6, 2, 3, 30, 0, TimeSpan.Zero), new(2026, 6, 6, 12, 0, 0, TimeSpan.Zero),
        new(2027, 6, 1, 12, 0, 0, TimeSpan.Zero), new(2031, 1, 1, 0, 0, 0, TimeSpan.Zero), new(2090, 1, 1, 0, 0, 0, TimeSpan.Zero),
    ];

    private static readonly string[] s_become =
    [
        "iam.serviceAccounts.getAccessToken",
        "iam.serviceAccounts.signJwt",
        "iam.serviceAccounts.signBlob",
        "iam.serviceAccountKeys.create",
        "iam.serviceAccounts.actAs",
    ];

    // Which roles give which of the permissions that matter, a line each: https://cloud.google.com/iam/docs/roles-permissions
    private static readonly Dictionary<string, string> s_roles = new()
    {
        ["roles/cloudkms.cryptoKeyEncrypterDecrypter"] = "K.useToEncrypt K.useToDecrypt",
        ["roles/cloudkms.cryptoKeyEncrypter"] = "K.useToEncrypt",
        ["roles/cloudkms.cryptoKeyDecrypter"] = "K.useToDecrypt",
        ["roles/cloudkms.cryptoOperator"] = "K.useToEncrypt K.useToDecrypt",
        ["roles/cloudkms.admin"] = "cloudkms.cryptoKeys.setIamPolicy cloudkms.keyRings.setIamPolicy",
        ["roles/cloudkms.viewer"] = "",
        ["roles/iam.serviceAccountTokenCreator"] = "A.getAccessToken A.signJwt A.signBlob",
        ["roles/iam.workloadIdentityUser"] = "A.getAccessToken",
        ["roles/iam.serviceAccountUser"] = "A.actAs",
        ["roles/iam.serviceAccountKeyAdmin"] = "iam.serviceAccountKeys.create",
        ["roles/iam.serviceAccountAdmin"] = "A.setIamPolicy A.enable",
        ["roles/iam.denyAdmin"] = "iam.denypolicies.delete",
        ["roles/iam.securityAdmin"] =
            "cloudkms.cryptoKeys.setIamPolicy cloudkms.keyRings.setIamPolicy A.setIamPolicy R.projects.setIamPolicy "
                + "R.folders.setIamPolicy R.organizations.setIamPolicy",
        ["roles/resourcemanager.projectIamAdmin"] = "R.projects.setIamPolicy",
        ["roles/resourcemanager.organizationAdmin"] = "R.projects.setIamPolicy R.folders.setIamPolicy R.organizations.setIamPolicy",
        ["roles/owner"] =
            "K.useToEncrypt K.useToDecrypt cloudkms.cryptoKeys.setIamPolicy cloudkms.keyRings.setIamPolicy A.setIamPolicy A.actAs "
                + "A.enable iam.serviceAccountKeys.create R.projects.setIamPolicy iam.roles.update",
        ["roles/admin"] =
            "K.useToEncrypt K.useToDecrypt cloudkms.cryptoKeys.setIamPolicy cloudkms.keyRings.setIamPolicy A.setIamPolicy A.actAs "
                + "A.enable iam.serviceAccountKeys.create R.projects.setIamPolicy iam.roles.update",
        ["roles/editor"] = "A.actAs",
        ["roles/writer"] = "A.actAs",
        ["roles/viewer"] = "",
        ["roles/reader"] = "",
    };

    private readonly HashSet<string> _controlled = [];
    private readonly HashSet<(string Who, string Level)> _policySetters = [];
    private readonly HashSet<string> _lifted = [];
    private bool _roleEditor;

    /// <summary>Can the cluster use the key now?</summary>
    public bool CanUse() =>
        !world.AccountDisabled && !world.AccountMissing
        && Has(account, "cloudkms.cryptoKeyVersions.useToEncrypt", world.KeyChain, 0, Times[0])
        && Has(account, "cloudkms.cryptoKeyVersions.useToDecrypt", world.KeyChain, 0, Times[0])
        && Has(own, "iam.serviceAccounts.getAccessToken", AccountChain, 0, Times[0]);

    /// <summary>Can either principal ever read what was encrypted, whatever it does first?</summary>
    public bool CanEverRead()
    {
        _controlled.Add(own);
        if (!world.AccountDisabled && !world.AccountMissing)
        {
            _controlled.Add(account);
        }

        while (Step())
        {
            // What was gained may open the next door.
        }

        return _controlled.Any(who => Times.Any(t => Has(who, "cloudkms.cryptoKeyVersions.useToDecrypt", world.KeyChain, 0, t)));
    }

    private ModelLevel[] AccountChain => [world.AccountLevel, .. world.KeyChain[2..]];

    // The other account has no policy of its own.
    private ModelLevel[] OtherChain =>
        [new(GoogleWorld.Project + "/serviceAccounts/batch@p.iam.gserviceaccount.com"), .. world.KeyChain[2..]];

    private bool Step()
    {
        bool more = false;
        foreach (string who in _controlled.ToArray())
        {
            more |= Gain(who, account, AccountChain) | Gain(who, GoogleWorld.OtherAccount, OtherChain);
            for (int i = 0; i < 5; i++)
            {
                string[] kinds =
                [
                    "cloudkms.cryptoKeys", "cloudkms.keyRings", "resourcemanager.projects", "resourcemanager.folders",
                    "resourcemanager.organizations",
                ];
                string kind = kinds[i];
                more |= Ever(who, kind + ".setIamPolicy", world.KeyChain, i) && _policySetters.Add((who, world.KeyChain[i].Resource));
                more |= i >= 2 && Ever(who, "iam.denypolicies.delete", world.KeyChain, i) && _lifted.Add(world.KeyChain[i].Resource);
                if (i >= 2 && !_roleEditor && Ever(who, "iam.roles.update", world.KeyChain, i))
                {
                    more = _roleEditor = true;
                }
            }

            more |= Ever(who, "iam.serviceAccounts.setIamPolicy", AccountChain, 0)
                && _policySetters.Add((who, world.AccountLevel.Resource));
        }

        return more;
    }

    private bool Gain(string who, string other, ModelLevel[] chain)
    {
        bool off = other == account
            && (world.AccountMissing || (world.AccountDisabled && !Ever(who, "iam.serviceAccounts.enable", chain, 0)));
        return !off && s_become.Any(p => Ever(who, p, chain, 0)) && _controlled.Add(other);
    }

    private bool Ever(string who, string permission, ModelLevel[] chain, int at) => Times.Any(t => Has(who, permission, chain, at, t));

    private bool Has(string who, string permission, ModelLevel[] chain, int at, DateTimeOffset time)
    {
        for (int i = at; i < chain.Length; i++)
        {
            if (!_lifted.Contains(chain[i].Resource) && chain[i].Denies.Any(d => Denies(d, who, permission)))
            {
                return false;
            }
        }

        for (int i = at; i < chain.Length; i++)
        {
            if (_policySetters.Contains((who, chain[i].Resource))
                || chain[i].Bindings.Any(b => Gives(b, who, permission, chain[at].Resource, time)))
            {
                return true;
            }
        }

        return false;
    }

    private bool Gives(ModelBinding binding, string who, string permission, string resource, DateTimeOffset time) =>
        RoleGives(binding.Role, permission) && binding.Members.Any(m => Is(m, who)) && binding.Condition?.Holds(resource, time) != false;

    private bool RoleGives(string role, string permission)
    {
        if (world.CustomRoles.TryGetValue(role, out string[]? custom))
        {
            return _roleEditor || custom.Contains(permission);
        }

        return s_roles[role].Split(' ').Any(p => permission == p
            .Replace("K.", "cloudkms.cryptoKeyVersions.", StringComparison.Ordinal)
            .Replace("A.", "iam.serviceAccounts.", StringComparison.Ordinal)
            .Replace("R.", "resourcemanager.", StringComparison.Ordinal));
    }

    private bool Is(string member, string who) =>
        member == who || member is "allUsers" or "allAuthenticatedUsers"
        || member == "principal://iam.googleapis.com/projects/-/serviceAccounts/" + who["serviceAccount:".Length..]
        || world.Groups.Contains((member, who));

    private bool Denies(ModelDeny deny, string who, string permission)
    {
        string email = who["serviceAccount:".Length..];
        bool Named(string principal) => principal == "principalSet://goog/public:all"
            || principal == "principal://iam.googleapis.com/projects/-/serviceAccounts/" + email
            || (
                principal.StartsWith("principalSet://goog/group/", StringComparison.Ordinal)
                    && world.Groups.Contains(("group:" + principal[26..], who)));
        string[] p = permission.Split('.');
        string host = (p[0] == "resourcemanager" ? "cloudresourcemanager" : p[0]) + ".googleapis.com/";
        bool Covered(string denied) => denied == $"{host}{p[1]}.{p[2]}" || denied == $"{host}{p[1]}.*" || denied == $"{host}*.*";
        return deny.Principals.Any(Named) && !deny.Except.Any(Named) && deny.Permissions.Any(Covered)
            && !deny.ExceptPermissions.Any(Covered) && deny.Condition != false;
    }
}
