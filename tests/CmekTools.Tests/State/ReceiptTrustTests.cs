using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.State;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.State;

/// <summary>A receipt is a file that somebody may have written: what it may be used for is judged first.</summary>
public sealed class ReceiptTrustTests
{
    private const string Key = "projects/acme/locations/us-central1/keyRings/r/cryptoKeys/k";
    private const string Account = "cmek@acme.iam.gserviceaccount.com";
    private static readonly CmekCluster s_cluster = new()
    {
        Id = "6f1f0a52-7c0d-4e6e-9a54-1f2d9b6c8e10",
        Name = "shop",
        Provider = CmekProvider.GCP,
        AccountId = "crl-1",
        Plan = "ADVANCED",
        State = "CREATED",
    };

    [Fact]
    public void WhatThisUserSealedIsVerifiedAndAnyChangeIsSeen()
    {
        using TempFolder folder = new();
        string path = Save(folder.Path);
        Assert.Equal(ReceiptStanding.Verified, Judge(path));
        string whole = File.ReadAllText(path);
        foreach (string changed in (string[])
        [
            whole.Replace(Account, "ci-runner@acme.iam.gserviceaccount.com", StringComparison.Ordinal),
            whole.Replace("us-central1\",", "us-central2\",", StringComparison.Ordinal),
            whole.Replace("HMAC-SHA256", "none", StringComparison.Ordinal),
            whole.Replace("\"mac\": \"", "\"mac\": \"00", StringComparison.Ordinal),
        ])
        {
            Assert.NotEqual(whole, changed);
            File.WriteAllText(path, changed);
            Assert.Equal(ReceiptStanding.Tampered, Judge(path));
        }

        // Other white space is no other content.
        File.WriteAllText(path, JsonNode.Parse(whole)!.ToJsonString());
        Assert.Equal(ReceiptStanding.Verified, Judge(path));
    }

    [Fact]
    public void WithoutASealWithAnothersOrOfAnotherClusterItProvesNothing()
    {
        using TempFolder folder = new();
        string path = Save(folder.Path);
        JsonObject json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        json.Remove("seal");
        File.WriteAllText(path, json.ToJsonString());
        Assert.Equal(ReceiptStanding.Unproven, Judge(path));

        Assert.True(new Seal(new SealSecret(() => Path.Combine(folder.Path, "other", "seal"))).TryAdd(json, "cmektools/receipt"));
        File.WriteAllText(path, json.ToJsonString());
        Assert.Equal(ReceiptStanding.Unproven, Judge(path));

        // A good seal on something else than a receipt.
        Assert.True(Seal.Own.TryAdd(json, "cmektools/inventory"));
        File.WriteAllText(path, json.ToJsonString());
        Assert.Equal(ReceiptStanding.Tampered, Judge(path));

        path = Save(folder.Path);
        Assert.Equal(ReceiptStanding.Foreign, ReceiptTrust.Judge(ReceiptStore.Load(path), "c-2", "org").Standing);
        Assert.Equal(ReceiptStanding.Foreign, ReceiptTrust.Judge(ReceiptStore.Load(path), s_cluster.Id, "other").Standing);
    }

    [Fact]
    public void ACopyFromBeforeItWasClosedDoesNotOpenItAgain()
    {
        using TempFolder folder = new();
        string path = Save(folder.Path);
        string copy = Path.Combine(Path.GetDirectoryName(path)!, "copy.json");
        File.Copy(path, copy);
        ReceiptStore store = new(folder.Path);
        Assert.NotNull(store.NewestOpen(s_cluster.Id, "org"));
        ReceiptStore.Save(path, ReceiptStore.Load(path).Document with { RestoredAt = DateTimeOffset.UtcNow });
        Assert.Equal(ReceiptStanding.Tampered, Judge(copy));
        Assert.Null(store.NewestOpen(s_cluster.Id, "org"));
    }

    [Fact]
    public void OnlyWhatIsListedIsGivenBackAndOfAnUnprovenReceiptOnlyWhatAClusterNeeds()
    {
        using TempFolder folder = new();
        ReceiptAccess foreign = new("us-central1", Key, "ci-runner@acme.iam.gserviceaccount.com", new AccessSnapshot("gcp/1", []));
        string path = Save(folder.Path, foreign);
        StoredReceipt receipt = ReceiptStore.Load(path);
        ListedAccess[] listed = [new(Key, Account)];
        IReadOnlyList<JudgedAccess> judged = Sort(receipt, listed);
        Assert.Equal([AccessStanding.MayBeGivenBack, AccessStanding.NotListed], judged.Select(j => j.Standing));
        Assert.Equal(receipt.Document.Accesses[0], judged[0].Access);

        StoredReceipt unsealed = receipt with { Seal = CmekSealState.Unsealed };
        judged = Sort(unsealed, listed);
        Assert.Equal([AccessStanding.MayBeGivenBack, AccessStanding.NotListed], judged.Select(j => j.Standing));
        string left = judged[0].Access.Snapshot.Data.ToJsonString();
        Assert.Contains("cryptoKeyEncrypterDecrypter", left, StringComparison.Ordinal);
        Assert.DoesNotContain("roles/cloudkms.admin", left, StringComparison.Ordinal);
        Assert.DoesNotContain("mallory", left, StringComparison.Ordinal);
        Assert.Contains("roles/cloudkms.admin", judged[0].Why, StringComparison.Ordinal);

        StoredReceipt broken = receipt with { Seal = CmekSealState.Broken };
        Assert.All(Sort(broken, listed), j => Assert.Equal(AccessStanding.ReceiptUntrusted, j.Standing));
    }

    [Fact]
    public void AReceiptOfTheFirstFormatIsReadAndProvesNothing()
    {
        StoredReceipt receipt = ReceiptStore.Load(
            Path.Combine(ExternalProgram.RepositoryRoot, "tests", "CmekTools.Tests", "State", "Samples", "receipt-1.json"));
        Assert.Equal(("0a1b2c3d", 1, CmekSealState.Unsealed), (receipt.Document.Id, receipt.Document.Accesses.Count, receipt.Seal));
        Assert.Equal(ReceiptStanding.Unproven, ReceiptTrust.Judge(receipt, s_cluster.Id, "org").Standing);
    }

    [Fact]
    public void ANewerFormatADoubledNameAndWhatIsTooDeepOrTooLongAreRefusedByName()
    {
        using TempFolder folder = new();
        string path = Save(folder.Path);
        string whole = File.ReadAllText(path);
        string deep = string.Concat(Enumerable.Repeat("[", 200)) + string.Concat(Enumerable.Repeat("]", 200));
        foreach ((string text, string said) in ((string, string)[])
        [
            (whole.Replace("\"version\": 2", "\"version\": 3", StringComparison.Ordinal), "this CmekTools reads versions 1 to 2"),
            (
                whole.Replace("\"version\": 2", "\"version\": 2, \"version\": 2", StringComparison.Ordinal),
                "the name 'version' stands in one object twice"),
            (whole.Replace("\"version\": 2", $"\"more\": {deep}, \"version\": 2", StringComparison.Ordinal), "depth"),
            (whole + new string(' ', 17 * 1024 * 1024), "the most that is read"),
        ])
        {
            File.WriteAllText(path, text);
            Assert.Contains(said, Assert.Throws<CmekException>(() => ReceiptStore.Load(path)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void AReceiptThatCannotBeWrittenGoesToTheTemporaryFolderWithItsSeal()
    {
        using TempFolder folder = new();
        string file = Path.Combine(folder.Path, "state");
        File.WriteAllText(file, "a file in the folder's place");
        ReceiptDocument document = Document();
        SavedReceipt saved = ReceiptStore.SaveOrFallback(new ReceiptStore(file).PathFor(document), document);
        Assert.Equal(SavedPlace.TemporaryFolder, saved.Place);
        Assert.Contains("cannot be written", saved.Why, StringComparison.Ordinal);
        Assert.Equal(saved.Text, File.ReadAllText(saved.Path!));
        Assert.Equal(ReceiptStanding.Verified, Judge(saved.Path!));
        File.Delete(saved.Path!);
    }

    private static IReadOnlyList<JudgedAccess> Sort(StoredReceipt receipt, ListedAccess[] listed) =>
        ReceiptAccesses.Sort(receipt, ReceiptTrust.Judge(receipt, s_cluster.Id, "org"), s_cluster, listed);

    private static ReceiptStanding Judge(string path) => ReceiptTrust.Judge(ReceiptStore.Load(path), s_cluster.Id, "org").Standing;

    private static string Save(string folder, params ReceiptAccess[] more)
    {
        ReceiptDocument document = Document() with { };
        document = document with { Accesses = [.. document.Accesses, .. more] };
        string path = new ReceiptStore(folder).PathFor(document);
        ReceiptStore.Save(path, document);
        return path;
    }

    private static ReceiptDocument Document() => new()
    {
        Id = Guid.NewGuid().ToString("N")[..8],
        CreatedAt = DateTimeOffset.UtcNow,
        OrganizationId = "org",
        ClusterId = s_cluster.Id,
        ClusterName = s_cluster.Name,
        Provider = CmekProvider.GCP,
        Accesses = [new ReceiptAccess("us-central1", Key, Account, new AccessSnapshot("gcp/1", Policy()))],
    };

    private static JsonObject Policy() => JsonNode.Parse($$$"""
        {"key_policy":{"bindings":[
          {"role":"roles/cloudkms.cryptoKeyEncrypterDecrypter","members":["serviceAccount:{{{Account}}}","user:mallory@evil.example"]},
          {"role":"roles/cloudkms.admin","members":["serviceAccount:{{{Account}}}"]}]}}
        """)!.AsObject();
}
