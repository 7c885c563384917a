using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;

namespace CmekTools.Engine.Gcp;

/// <summary>What the parts of the provider share: the calls, what roles give, and which policy was the last that was written.</summary>
internal sealed class GcpClients(SessionContext session) : IDisposable
{
    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly ConcurrentDictionary<string, RoleContents> _roles = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, JsonObject> _projects = new(StringComparer.Ordinal);
    private IGoogleCloud? _cloud;

    /// <summary>What this session has written, so that an older answer is told from a newer one.</summary>
    public WrittenPolicies Written { get; } = new();

    /// <summary>The calls; credentials are looked for at the first use.</summary>
    public async Task<IGoogleCloud> ConnectAsync(Operation op)
    {
        await _gate.WaitAsync(op.Cancellation).ConfigureAwait(false);
        try
        {
            return _cloud ??= await GoogleCloud.CreateAsync(session, op.Cancellation).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>The project that is to hold keys.</summary>
    /// <exception cref="CmekException"><c>ProjectMissing</c>, <c>ProjectInvalid</c>.</exception>
    public string ProjectOf(KeyOptions? options)
    {
        string? project = options?.Project ?? session.ProviderOptions.ProjectNow;
        return string.IsNullOrWhiteSpace(project)
            ? throw new CmekException(
                "ProjectMissing",
                CmekErrorKind.InvalidArgument,
                "It is not said which Google Cloud project holds the keys.",
                "Give -Project (here or to Connect-CmekCloud), or set GOOGLE_CLOUD_PROJECT.")
            : GcpNames.RequireProject(project);
    }

    /// <summary>A project's id and number: both name the same project. What cannot be read stays unknown.</summary>
    public async Task<ProjectNames> NamesOfAsync(string project, Operation op)
    {
        if (!_projects.TryGetValue(project, out JsonObject? known))
        {
            IGoogleCloud cloud = await ConnectAsync(op).ConfigureAwait(false);
            Evidence<JsonObject> read = await GcpEvidence.ReadAsync(
                cloud.GetProjectAsync(project, op.Cancellation),
                "resourcemanager.projects.get",
                "the project " + project).ConfigureAwait(false);
            if (read.Value is null)
            {
                return ProjectNames.Of(project, read.Why);
            }

            known = _projects[project] = read.Value;
        }

        return new ProjectNames(known["projectId"]?.ToString(), known["projectNumber"]?.ToString(), null);
    }

    /// <summary>What roles give, each read once a session; the table stands in for what cannot be read.</summary>
    public async Task<IReadOnlyDictionary<string, RoleContents>> ReadRolesAsync(IEnumerable<string> roles, Operation op)
    {
        IGoogleCloud cloud = await ConnectAsync(op).ConfigureAwait(false);
        string[] wanted = [.. roles.Distinct(StringComparer.Ordinal)];
        await Task.WhenAll(wanted.Where(r => !_roles.ContainsKey(r)).Select(async role =>
        {
            RoleContents? contents = RoleContents.IsName(role)
                ? RoleContents.From(
                    (await GcpEvidence.ReadAsync(
                        cloud.GetRoleAsync(role, op.Cancellation),
                        "iam.roles.get",
                        role).ConfigureAwait(false)).Value)
                : null;
            if (contents is not null)
            {
                _roles[role] = contents;
            }
        })).ConfigureAwait(false);
        return wanted.ToDictionary(r => r, r => _roles.GetValueOrDefault(r) ?? RoleContents.FromTable(r), StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _cloud?.Dispose();
        _gate.Dispose();
    }
}
