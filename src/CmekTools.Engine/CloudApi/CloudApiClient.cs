namespace CmekTools.Engine.CloudApi;

internal sealed class CloudApiClient : IDisposable
{
    public void Dispose()
    {
    }
}
