using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>What KMS gives out as ciphertext: it says itself which key and which version of its material opens it.</summary>
internal static class CiphertextBlob
{
    private const byte Format = 1;
    private const int NonceLength = 12;
    private const int TagLength = 16;

    /// <summary>Encrypts under the key's current material.</summary>
    public static byte[] Seal(KmsKey key, byte[] plaintext, JsonObject? context)
    {
        byte[] name = Encoding.ASCII.GetBytes(key.AccountId + "/" + key.Id);
        int head = 4 + name.Length;
        byte[] blob = new byte[head + NonceLength + TagLength + plaintext.Length];
        blob[0] = Format;
        blob[1] = (byte)name.Length;
        BinaryPrimitives.WriteUInt16BigEndian(blob.AsSpan(2), (ushort)(key.Material.Versions.Count - 1));
        name.CopyTo(blob, 4);
        Span<byte> nonce = blob.AsSpan(head, NonceLength);
        RandomNumberGenerator.Fill(nonce);
        using AesGcm aes = new(key.Material.Current.Bytes, TagLength);
        aes.Encrypt(
            nonce,
            plaintext,
            blob.AsSpan(head + NonceLength + TagLength),
            blob.AsSpan(head + NonceLength, TagLength),
            Bound(context));
        return blob;
    }

    /// <summary>The account and id of the key that a blob was made with.</summary>
    public static (string Account, string KeyId) Owner(byte[] blob)
    {
        if (blob.Length < 4 || blob[0] != Format || blob.Length < 4 + blob[1] + NonceLength + TagLength)
        {
            throw Invalid();
        }

        string[] name = Encoding.ASCII.GetString(blob, 4, blob[1]).Split('/');
        return name.Length == 2 ? (name[0], name[1]) : throw Invalid();
    }

    /// <summary>Decrypts.</summary>
    public static (byte[] Plaintext, MaterialVersion Version) Open(KmsKey key, byte[] blob, JsonObject? context)
    {
        int head = 4 + blob[1];
        int version = BinaryPrimitives.ReadUInt16BigEndian(blob.AsSpan(2));
        if (version >= key.Material.Versions.Count)
        {
            throw Invalid();
        }

        byte[] plaintext = new byte[blob.Length - head - NonceLength - TagLength];
        using AesGcm aes = new(key.Material.Versions[version].Bytes, TagLength);
        try
        {
            aes.Decrypt(
                blob.AsSpan(head, NonceLength),
                blob.AsSpan(head + NonceLength + TagLength),
                blob.AsSpan(head + NonceLength, TagLength),
                plaintext,
                Bound(context));
        }
        catch (AuthenticationTagMismatchException)
        {
            throw Invalid();
        }

        return (plaintext, key.Material.Versions[version]);
    }

    // AWS gives no message for this one.
    private static AwsErrorException Invalid() => new("InvalidCiphertextException", string.Empty);

    // The order in which a context is written does not matter.
    private static byte[] Bound(JsonObject? context) => Encoding.UTF8.GetBytes(new JsonArray(
        [
            .. (context ?? []).OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => new JsonArray(c.Key, c.Value?.ToString())),
        ]).ToJsonString());
}
