namespace CmekTools.Tests.Gcp.Model;

/// <summary>
/// Makes worlds up, the same ones from the same seed: mostly few bindings, with everything that has fooled somebody in them.
/// </summary>
internal sealed class WorldMaker(int seed, string account, string own)
{
    private readonly Random _random = new(seed);

    // Google may name the project by its id or by its number in what conditions see.
    private readonly bool _byNumber = seed % 2 == 0;

    private static readonly string[] s_roles =
    [
        "roles/cloudkms.cryptoKeyEncrypterDecrypter",
        "roles/cloudkms.cryptoKeyEncrypterDecrypter",
        "roles/cloudkms.cryptoKeyDecrypter",
        "roles/cloudkms.cryptoKeyEncrypter",
        "roles/cloudkms.cryptoOperator",
        "roles/cloudkms.admin",
        "roles/cloudkms.viewer",
        "roles/iam.serviceAccountTokenCreator",
        "roles/iam.workloadIdentityUser",
        "roles/iam.serviceAccountUser",
        "roles/iam.serviceAccountKeyAdmin",
        "roles/iam.serviceAccountAdmin",
        "roles/iam.denyAdmin",
        "roles/iam.securityAdmin",
        "roles/resourcemanager.projectIamAdmin",
        "roles/resourcemanager.organizationAdmin",
        "roles/owner",
        "roles/admin",
        "roles/editor",
        "roles/writer",
        "roles/viewer",
        "roles/reader", "projects/p/roles/one", "projects/p/roles/two",
    ];

    private static readonly string[] s_permissions =
    [
        "cloudkms.cryptoKeyVersions.useToDecrypt",
        "cloudkms.cryptoKeyVersions.useToEncrypt",
        "cloudkms.cryptoKeys.setIamPolicy",
        "cloudkms.keyRings.setIamPolicy",
        "resourcemanager.projects.setIamPolicy",
        "iam.serviceAccounts.getAccessToken",
        "iam.serviceAccounts.setIamPolicy",
        "iam.serviceAccountKeys.create",
        "cloudkms.cryptoKeys.get", "iam.roles.update",
    ];

    private static readonly string[] s_deniable =
    [
        "cloudkms.googleapis.com/cryptoKeyVersions.useToDecrypt",
        "cloudkms.googleapis.com/cryptoKeyVersions.useToEncrypt",
        "cloudkms.googleapis.com/cryptoKeyVersions.*",
        "cloudkms.googleapis.com/*.*",
        "iam.googleapis.com/serviceAccounts.getAccessToken",
        "iam.googleapis.com/*.*",
        "cloudresourcemanager.googleapis.com/*.*",
        "storage.googleapis.com/*.*",
    ];

    public GoogleWorld Make()
    {
        GoogleWorld world = new();
        world.CustomRoles["projects/p/roles/one"] = [.. s_permissions.Where(_ => One(4))];
        world.CustomRoles["projects/p/roles/two"] = [.. s_permissions.Where(_ => One(3))];
        if (!One(3))
        {
            world.ReadableRoles.UnionWith(world.CustomRoles.Keys);
        }

        if (One(2))
        {
            // As a grant leaves it.
            world.KeyChain[0].Bindings.Add(new ModelBinding(s_roles[0], [account], null));
            world.AccountLevel.Bindings.Add(new ModelBinding("roles/iam.serviceAccountTokenCreator", [own], null));
        }

        foreach (
            string group in (string[])
            [
                "group:g@x.com",
                "principalSet://cloudresourcemanager.googleapis.com/projects/424242424242/type/ServiceAccount",
            ])
        {
            foreach (string member in (string[])[account, own, GoogleWorld.OtherAccount])
            {
                if (One(2))
                {
                    world.Groups.Add((group, member));
                }
            }
        }

        int count = _random.Next(4);
        for (int i = 0; i < count; i++)
        {
            int at = _random.Next(6);
            (at == 5 ? world.AccountLevel : world.KeyChain[at]).Bindings.Add(
                new ModelBinding(
                    Of(s_roles),
                    [.. Enumerable.Range(0, 1 + _random.Next(2)).Select(_ => Member())],
                    One(3) ? Condition() : null));
        }

        int denies = One(3) ? 1 + _random.Next(2) : 0;
        for (int i = 0; i < denies; i++)
        {
            world.KeyChain[2 + _random.Next(3)].Denies.Add(new ModelDeny(
                [.. Enumerable.Range(0, 1 + _random.Next(2)).Select(_ => Principal())],
                One(4) ? [Principal()] : [],
                [.. Enumerable.Range(0, 1 + _random.Next(3)).Select(_ => Of(s_deniable))],
                One(5) ? [Of(s_deniable)] : [],
                One(4) ? One(2) : null));
        }

        foreach (ModelLevel level in world.KeyChain.Append(world.AccountLevel))
        {
            level.Visible = !One(20);
            level.DeniesVisible = !One(20);
        }

        world.AccountDisabled = One(8);
        world.AccountMissing = !world.AccountDisabled && One(20);
        return world;
    }

    private bool One(int of) => _random.Next(of) == 0;

    private T Of<T>(T[] all) => all[_random.Next(all.Length)];

    private string Member() => Of(
        [
            account,
            account,
            account,
            own,
            own,
            GoogleWorld.OtherAccount,
            "group:g@x.com",
            "user:a@x.com",
            "allUsers",
            "domain:x.com",
            $"deleted:{account}?uid=12345",
            "principal://iam.googleapis.com/projects/-/serviceAccounts/" + account["serviceAccount:".Length..],
            "principalSet://cloudresourcemanager.googleapis.com/projects/424242424242/type/ServiceAccount",
            "principalSet://iam.googleapis.com/projects/424242424242/locations/global/workloadIdentityPools/w/*",
        ]);

    private string Principal() => Of(
        [
            "principal://iam.googleapis.com/projects/-/serviceAccounts/" + account["serviceAccount:".Length..],
            "principal://iam.googleapis.com/projects/-/serviceAccounts/" + account["serviceAccount:".Length..],
            "principal://iam.googleapis.com/projects/-/serviceAccounts/" + own["serviceAccount:".Length..],
            "principalSet://goog/public:all", "principalSet://goog/group/g@x.com", "principal://goog/subject/a@x.com",
        ]);

    // Known attributes, unknown ones, and combinations; the second half is the truth.
    private ModelCondition Condition()
    {
        ModelCondition one = Term();
        return _random.Next(6) switch
        {
            0 => And(one, Term()),
            1 => Or(one, Term()),
            2 => new ModelCondition($"!({one.Text})", (r, t) => !one.Holds(r, t)),
            3 => new ModelCondition($"({one.Text}) ? true : false // {Term().Text.Replace('\n', ' ')}", one.Holds),
            _ => one,
        };
    }

    private static ModelCondition And(ModelCondition a, ModelCondition b) =>
        new($"({a.Text}) && ({b.Text})", (r, t) => a.Holds(r, t) && b.Holds(r, t));

    private static ModelCondition Or(ModelCondition a, ModelCondition b) =>
        new($"{a.Text} || {b.Text}", (r, t) => a.Holds(r, t) || b.Holds(r, t));

    private ModelCondition Term()
    {
        bool hidden = One(2);
        DateTimeOffset limit = Of<DateTimeOffset>(
            [
                new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero),
                new(2026, 6, 1, 11, 0, 0, TimeSpan.Zero),
                new(2027, 1, 1, 0, 0, 0, TimeSpan.Zero),
                new(2031, 1, 1, 0, 0, 0, TimeSpan.Zero),
            ]);
        string text = limit.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);
        string Seen(string r) => _byNumber ? r.Replace("projects/p/", $"projects/{GoogleWorld.Number}/", StringComparison.Ordinal) : r;
        return _random.Next(14) switch
        {
            0 => new ModelCondition($"request.time < timestamp('{text}')", (_, t) => t < limit),
            1 => new ModelCondition($"request.time >= timestamp(\"{text}\")", (_, t) => t >= limit),
            2 => new ModelCondition($"timestamp('{text}') > request.time", (_, t) => t < limit),
            3 => new ModelCondition("request.time.getHours() == 3", (_, t) => t.UtcDateTime.Hour == 3),
            4 => new ModelCondition("request.time.getDayOfWeek() == 6", (_, t) => t.UtcDateTime.DayOfWeek == DayOfWeek.Saturday),
            5 => new ModelCondition($"resource.name == '{GoogleWorld.Key}'", (r, _) => Seen(r) == GoogleWorld.Key),
            6 => new ModelCondition(
                $"resource.name.startsWith('{GoogleWorld.Ring}')",
                (r, _) => Seen(r).StartsWith(GoogleWorld.Ring, StringComparison.Ordinal)),
            7 => new ModelCondition(
                $"resource.name.startsWith('projects/{GoogleWorld.Number}/')",
                (r, _) => Seen(r).StartsWith($"projects/{GoogleWorld.Number}/", StringComparison.Ordinal)),
            8 => new ModelCondition(
                "resource.name.endsWith('/cryptoKeys/k')",
                (r, _) => r.EndsWith("/cryptoKeys/k", StringComparison.Ordinal)),
            9 => new ModelCondition(
                "resource.type == 'cloudkms.googleapis.com/CryptoKey'",
                (r, _) => r.Contains("/cryptoKeys/", StringComparison.Ordinal)),
            10 => new ModelCondition("resource.matchTag('123/env', 'prod')", (_, _) => hidden),
            11 => new ModelCondition("request.auth.access_levels == ['x']", (_, _) => hidden),
            12 => new ModelCondition("has(request.auth.claims)", (_, _) => hidden),
            _ => new ModelCondition($"request.time - timestamp('{text}') > duration('0s')", (_, t) => t > limit),
        };
    }
}
