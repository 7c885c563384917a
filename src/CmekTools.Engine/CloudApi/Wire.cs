using System.Text.Json.Serialization;

namespace CmekTools.Engine.CloudApi;

// The Cloud API's bodies, as far as CmekTools reads or writes them (API version 2024-09-16). States stay strings: a state that is added
// tomorrow must not break the reading of those that are known today.

internal sealed record OrganizationWire(string? Id, string? Name, string? Label, DateTimeOffset? CreatedAt);

internal sealed record RegionWire(string? Name, int? NodeCount, bool? Primary);

internal sealed record ClusterWire(
    string? Id,
    string? Name,
    string? CockroachVersion,
    string? Plan,
    string? CloudProvider,
    string? AccountId,
    string? State,
    string? OperationStatus,
    string? NetworkVisibility,
    IReadOnlyList<RegionWire>? Regions,
    DateTimeOffset? CreatedAt);

internal sealed record PaginationWire(string? NextPage);

internal sealed record ClusterListWire(IReadOnlyList<ClusterWire>? Clusters, PaginationWire? Pagination);

internal sealed record KeySpecWire(string? Type, string? Uri, string? AuthPrincipal);

internal sealed record KeyInfoWire(
    string? Status,
    string? UserMessage,
    KeySpecWire? Spec,
    DateTimeOffset? CreatedAt,
    DateTimeOffset? UpdatedAt);

internal sealed record RegionInfoWire(string? Region, string? Status, IReadOnlyList<KeyInfoWire>? KeyInfos);

internal sealed record CmekInfoWire(string? Status, IReadOnlyList<RegionInfoWire>? RegionInfos);

internal sealed record RegionSpecWire(string Region, KeySpecWire KeySpec);

internal sealed record CmekSpecWire(IReadOnlyList<RegionSpecWire> RegionSpecs);

internal sealed record CmekActionWire(string Action);

internal sealed record DedicatedUpdateWire(IReadOnlyDictionary<string, int> RegionNodes, IReadOnlyList<RegionSpecWire> CmekRegionSpecs);

internal sealed record ClusterUpdateWire(DedicatedUpdateWire Dedicated);

internal sealed record MachineSpecWire(int NumVirtualCpus);

internal sealed record HardwareWire(MachineSpecWire MachineSpec, int StorageGib);

internal sealed record DedicatedCreateWire(
    IReadOnlyDictionary<string, int> RegionNodes,
    HardwareWire Hardware,
    string NetworkVisibility,
    string? CockroachVersion,
    string? CidrRange);

internal sealed record ClusterSpecWire(DedicatedCreateWire Dedicated, string Plan);

internal sealed record ClusterCreateWire(string Name, string Provider, ClusterSpecWire Spec);

internal sealed record ErrorWire(int? Code, string? Message);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(OrganizationWire))]
[JsonSerializable(typeof(ClusterWire))]
[JsonSerializable(typeof(ClusterListWire))]
[JsonSerializable(typeof(CmekInfoWire))]
[JsonSerializable(typeof(CmekSpecWire))]
[JsonSerializable(typeof(Clusters.ManifestWire))]
[JsonSerializable(typeof(CmekActionWire))]
[JsonSerializable(typeof(ClusterUpdateWire))]
[JsonSerializable(typeof(ClusterCreateWire))]
[JsonSerializable(typeof(ErrorWire))]
internal sealed partial class WireJson : JsonSerializerContext;
