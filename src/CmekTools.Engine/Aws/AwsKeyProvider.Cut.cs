using CmekTools.Engine.Providers;

namespace CmekTools.Engine.Aws;

internal sealed partial class AwsKeyProvider
{
    public Task<AccessSnapshot> CaptureAsync(AccessTarget target, Operation op) => throw new CmekException("Later", CmekErrorKind.InvalidOperation, "later");
    public Task CutAsync(AccessTarget target, CutOptions options, Operation op) => throw new CmekException("Later", CmekErrorKind.InvalidOperation, "later");
    public Task RestoreAsync(AccessTarget target, AccessSnapshot? snapshot, Operation op) => throw new CmekException("Later", CmekErrorKind.InvalidOperation, "later");
    public Task<string?> RotateKeyAsync(string keyUri, Operation op) => throw new CmekException("Later", CmekErrorKind.InvalidOperation, "later");
    public Task<DateTimeOffset?> ScheduleDeletionAsync(string keyUri, int days, Operation op) => throw new CmekException("Later", CmekErrorKind.InvalidOperation, "later");
    public Task ReviveKeyAsync(string keyUri, Operation op) => throw new CmekException("Later", CmekErrorKind.InvalidOperation, "later");
    public IAsyncEnumerable<CmekCheck> CheckAsync(AccessTarget target, Operation op) => throw new CmekException("Later", CmekErrorKind.InvalidOperation, "later");
}
