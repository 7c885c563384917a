using System.Text.Json.Nodes;
using Amazon.KeyManagementService;
using Amazon.KeyManagementService.Model;
using CmekTools.Sandbox;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Sandbox.Gcp;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>
/// A cluster in two regions with keys made and granted by the cmdlets, and the hands that break them on the sandbox's side.
/// </summary>
internal sealed class DefectScene : IAsyncDisposable
{
    public const string OtherAccount = "444455556666";

    private DefectScene(SandboxShell shell, string name)
    {
        Shell = shell;
        Name = name;
        Aws = AwsWire.At(shell.Server);
        Google = GcpWire.At(shell.Server);
    }

    public SandboxShell Shell { get; }

    /// <summary>The cluster's name.</summary>
    public string Name { get; }

    public AwsWire Aws { get; }

    public GcpWire Google { get; }

    public CloudApiService Cloud => Shell.Server.Get<CloudApiService>();

    public string ClusterId => Cloud.IdOf(Name);

    /// <summary>The cluster as its cloud knows it.</summary>
    public ClusterIdentity Identity => new(ClusterId, Cloud.AccountOf(ClusterId), AwsWire.OrganizationId);

    /// <summary>What is to be used, a region each.</summary>
    public List<CmekAccess> Accesses { get; } = [];

    /// <summary>The region that is broken.</summary>
    public CmekAccess First => Accesses[0];

    public string Key => First.KeyUri!;

    /// <summary>The role's ARN, or the service account's email.</summary>
    public string Principal => First.AuthPrincipal!;

    public string RoleName => Principal[(Principal.LastIndexOf('/') + 1)..];

    public string AccountRoot { get; } = $"arn:aws:iam::{AwsWire.Account}:root";

    /// <summary>The service account as a member.</summary>
    public string Member => "serviceAccount:" + Principal;

    /// <summary>The service account as a resource.</summary>
    public string AccountResource => $"projects/{GcpWire.Project}/serviceAccounts/{Principal}";

    public string KeyRing => Key[..Key.IndexOf("/cryptoKeys/", StringComparison.Ordinal)];

    /// <summary>The cluster's own principal on Google Cloud, as a member.</summary>
    public string Own =>
        $"serviceAccount:crl-kms-user-{ClusterId.Replace("-", null, StringComparison.Ordinal)[^12..]}"
            + $"@{Cloud.AccountOf(ClusterId)}.iam.gserviceaccount.com";

    public static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Makes everything anew; only the session, which takes the longest to open, is lent.</summary>
    public static async Task<DefectScene> StartAsync(bool google, PowerShellSession? session)
    {
        DefectScene scene = new(
            await SandboxShell.StartAsync(
                (google ? SandboxShell.Gcp : SandboxShell.Aws) with { StateTime = TimeSpan.Zero },
                session: session),
            google ? "ledger" : "shop");
        scene.Accesses.AddRange(
            (await scene.Shell.RunAsync($"New-CmekKey {scene.Name} -EnableRotation | Grant-CmekAccess")).Expect().Values<CmekAccess>());
        return scene;
    }

    /// <summary>
    /// What Test-CmekAccess has against the accesses. That no call tells the API key's role is true of every set-up, broken or not.
    /// </summary>
    public async Task<CmekCheck[]> OffAsync() =>
        [
            .. (await Shell.RunAsync("param($Access) $Access "
                + "| Test-CmekAccess",
                new { Access = Accesses.ToArray() })).Expect().Values<CmekCheck>().Where(
                    c => c.Result != CmekCheckResult.Pass && c is not { Name: "CloudApiRole", Result: CmekCheckResult.Warn }),
        ];

    /// <summary>What the service makes of the accesses when nobody looks first.</summary>
    public Task<PowerShellResult> EnableAsync() =>
        Shell.RunAsync(
            "param($Access) $Access | Enable-CmekCluster -SkipPreflight -Wait -TimeoutSeconds 5",
            new { Access = Accesses.ToArray() });

    /// <summary>Runs a remedy as it is printed; accesses that come out of it take the place of the ones of their regions.</summary>
    public async Task MendAsync(string remedy)
    {
        PowerShellResult result = (await Shell.RunAsync(remedy)).Expect();
        foreach (object value in result.Output.Select(o => o.BaseObject))
        {
            IEnumerable<CmekAccess> found = value switch
            {
                CmekAccess access => [access],
                CmekStatus status => status.Regions.Select(
                    r => (r.Region, Key: r.Incoming ?? r.Current)).Where(r => r.Key?.KeyUri is not null)
                    .Select(r => First with { Region = r.Region, KeyUri = r.Key!.KeyUri, AuthPrincipal = r.Key.AuthPrincipal }),
                _ => [],
            };
            foreach (CmekAccess access in found.ToArray())
            {
                Accesses.RemoveAll(a => a.Region == access.Region);
                Accesses.Insert(0, access);
            }
        }
    }

    /// <summary>Runs a remedy that is aws's, with aws itself. False where it is not on PATH.</summary>
    public async Task<bool> MendWithAwsAsync(string remedy)
    {
        if (!ExternalProgram.Exists("aws"))
        {
            return false;
        }

        // Nothing of the machine's own settings, and no pager.
        string none = Path.Combine(Path.GetTempPath(), "cmek-no-such-file");
        (string, string?)[] environment =
        [
            .. Shell.Server.Environment.Select(v => (v.Key, (string?)v.Value)),
            ("AWS_CONFIG_FILE", none),
            ("AWS_SHARED_CREDENTIALS_FILE", none),
            ("AWS_PAGER", string.Empty),
            ("AWS_PROFILE", null),
        ];
        foreach (string command in remedy.Split("; "))
        {
            Assert.StartsWith("aws ", command, StringComparison.Ordinal);
            (await ExternalProgram.RunAsync("aws", [.. command.Split(' ').Skip(1)], environment)).Expect();
        }

        return true;
    }

    /// <summary>Puts another key in the first region's place.</summary>
    public void Use(string keyUri) => Accesses[0] = First with { KeyUri = keyUri };

    public IAmazonKeyManagementService Kms(string? region = null) => Aws.KmsAs(Aws.Aws.Admin, region ?? First.Region);

    /// <summary>Makes a key with the first one's policy, and puts it in its place.</summary>
    public async Task UseNewAsync(CreateKeyRequest request, string? region = null)
    {
        request.Policy = (await Kms().GetKeyPolicyAsync(new GetKeyPolicyRequest { KeyId = Key, PolicyName = "default" }, Stop)).Policy;
        Use((await Kms(region).CreateKeyAsync(request, Stop)).KeyMetadata.Arn);
    }

    /// <summary>Changes the first key's policy; <c>ours</c> is the statement that the grant wrote.</summary>
    public async Task KeyPolicyAsync(Action<JsonArray, JsonObject> edit)
    {
        GetKeyPolicyResponse had = await Kms().GetKeyPolicyAsync(new GetKeyPolicyRequest { KeyId = Key, PolicyName = "default" }, Stop);
        JsonObject policy = JsonNode.Parse(had.Policy)!.AsObject();
        JsonArray statements = policy["Statement"]!.AsArray();
        edit(
            statements,
            statements.OfType<JsonObject>().First(s => s["Sid"]?.ToString().StartsWith("CmekToolsUse", StringComparison.Ordinal) == true));
        await Kms().PutKeyPolicyAsync(
            new PutKeyPolicyRequest { KeyId = Key, PolicyName = "default", Policy = policy.ToJsonString() },
            Stop);
    }

    /// <summary>Adds a statement to the first key's policy.</summary>
    public Task StateAsync(JsonObject statement) => KeyPolicyAsync((all, _) => all.Add(statement));

    /// <summary>Changes the role's trust policy; <c>ours</c> is the statement that the grant wrote.</summary>
    public async Task TrustAsync(Action<JsonArray, JsonObject> edit)
    {
        string text = Uri.UnescapeDataString(
            (await Aws.IamAsync("GetRole", ("RoleName", RoleName))).Descendants("AssumeRolePolicyDocument").Single().Value);
        JsonObject policy = JsonNode.Parse(text)!.AsObject();
        JsonArray statements = policy["Statement"]!.AsArray();
        edit(statements, statements[0]!.AsObject());
        await Aws.IamAsync("UpdateAssumeRolePolicy", ("RoleName", RoleName), ("PolicyDocument", policy.ToJsonString()));
    }

    /// <summary>Gives the role a permissions boundary.</summary>
    public Task BoundAsync(params JsonObject[] statements)
    {
        string arn = $"arn:aws:iam::{AwsWire.Account}:policy/limit";
        Aws.Aws.AddManagedPolicy(arn, AwsWire.Policy(statements));
        return Aws.IamAsync("PutRolePermissionsBoundary", ("RoleName", RoleName), ("PermissionsBoundary", arn));
    }

    /// <summary>Gives the role a policy of its own.</summary>
    public Task OwnPolicyAsync(JsonObject statement) =>
        Aws.IamAsync("PutRolePolicy", ("RoleName", RoleName), ("PolicyName", "own"), ("PolicyDocument", AwsWire.Policy(statement)));

    /// <summary>Replaces a Google Cloud policy by one binding, or adds one to it.</summary>
    public void Bind(string resource, string role, string member, string? condition = null, bool instead = false) =>
        Shell.Server.Exclusively(() =>
    {
        GcpPolicies policies = Google.Google.Policies;
        JsonObject policy = instead ? [] : policies.Get(resource).DeepClone().AsObject();
        JsonObject binding = new() { ["role"] = role, ["members"] = new JsonArray(member) };
        if (condition is not null)
        {
            binding["condition"] = new JsonObject { ["title"] = "limit", ["expression"] = condition };
            policy["version"] = 3;
        }

        (policy["bindings"] as JsonArray ?? (JsonArray)(policy["bindings"] = new JsonArray())).Add(binding);
        return policies.Put(resource, policy, DateTimeOffset.MinValue);
    });

    /// <summary>Takes every binding of a Google Cloud resource away.</summary>
    public void Unbind(string resource) =>
        Shell.Server.Exclusively(() => Google.Google.Policies.Put(resource, [], DateTimeOffset.MinValue));

    /// <summary>The text names something of this scene, so that who reads it knows where to go.</summary>
    public bool Names(string text) =>
        Accesses.SelectMany(
            a => new[] { a.KeyUri!, a.KeyUri![(a.KeyUri!.LastIndexOf('/') + 1)..] }).Concat([Name, Principal, RoleName]).Any(
                n => text.Contains(n, StringComparison.Ordinal));

    public async ValueTask DisposeAsync()
    {
        await Aws.DisposeAsync();
        await Google.DisposeAsync();
        await Shell.DisposeAsync();
    }
}
