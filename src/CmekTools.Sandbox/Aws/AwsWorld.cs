using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws;

/// <summary>What exists: accounts' users and roles, their credentials, the keys, and the time.</summary>
internal sealed class AwsWorld(SandboxServer server)
{
    private readonly Dictionary<string, AwsPrincipal> _principals = new(StringComparer.Ordinal);
    private readonly Dictionary<string, AwsCredential> _credentials = new(StringComparer.Ordinal);

    /// <summary>The clock; what has to wait for IAM to spread goes by it, so that tests need not wait.</summary>
    public Func<DateTimeOffset> Clock { get; set; } = () => server.Options.Clock.GetUtcNow();

    /// <summary>How many calls are answered.</summary>
    public AwsQuota Quota { get; } = new(server);

    /// <summary>Now.</summary>
    public DateTimeOffset Now => Clock();

    /// <summary>How long IAM takes to spread a change.</summary>
    public TimeSpan Lag => server.Options.IamLag;

    /// <summary>The customer's account.</summary>
    public string CustomerAccount => server.Options.AwsAccountId;

    /// <summary>The managed policies by ARN.</summary>
    public SortedDictionary<string, StoredPolicy> ManagedPolicies { get; } = new(StringComparer.Ordinal)
    {
        ["arn:aws:iam::aws:policy/AdministratorAccess"] = StoredPolicy.AllowAll,
        ["arn:aws:iam::aws:policy/ReadOnlyAccess"] = StoredPolicy.Identity(
            """{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"""
                + """["kms:Describe*","kms:Get*","kms:List*","iam:Get*","iam:List*","sts:Get*"],"Resource":"*"}]}"""),
    };

    /// <summary>
    /// The service control policies of the organization that the customer's account is in; none stands for the one that allows all.
    /// </summary>
    public List<StoredPolicy> ServiceControlPolicies { get; } = [];

    /// <summary>The keys and aliases.</summary>
    public Kms.KmsStore Keys { get; } = new();

    /// <summary>The buckets.</summary>
    public S3.S3Store Buckets { get; } = new();

    /// <summary>All roles of an account.</summary>
    public IEnumerable<IamRole> Roles(string account) => _principals.Values.OfType<IamRole>().Where(r => r.AccountId == account);

    /// <summary>A role by its name; IAM's names are unique without regard to case.</summary>
    public IamRole? FindRole(string account, string name) =>
        Roles(account).FirstOrDefault(r => string.Equals(r.Name, name, StringComparison.OrdinalIgnoreCase));

    /// <summary>A user or role by its ARN.</summary>
    public AwsPrincipal? FindPrincipal(string arn) => _principals.GetValueOrDefault(arn);

    /// <summary>A user or role by its unique id.</summary>
    public AwsPrincipal? FindPrincipalById(string uniqueId) => _principals.Values.FirstOrDefault(p => p.UniqueId == uniqueId);

    /// <summary>True once every part of AWS knows the principal.</summary>
    public bool HasSpread(AwsPrincipal principal) => principal.Created == DateTimeOffset.MinValue || Now - principal.Created >= Lag;

    /// <summary>Adds a user or role.</summary>
    public void Add(AwsPrincipal principal) => _principals[principal.Arn] = principal;

    /// <summary>Removes a user or role, and with it what its sessions could do.</summary>
    public void Remove(AwsPrincipal principal)
    {
        _principals.Remove(principal.Arn);
        foreach (AwsCredential credential in _credentials.Values.Where(c => ReferenceEquals(c.Principal, principal)).ToList())
        {
            _credentials.Remove(credential.AccessKeyId);
        }
    }

    /// <summary>Adds credentials.</summary>
    public void Add(AwsCredential credential) => _credentials[credential.AccessKeyId] = credential;

    /// <summary>Credentials by their access key.</summary>
    public AwsCredential? FindCredential(string accessKeyId) => _credentials.GetValueOrDefault(accessKeyId);
}
