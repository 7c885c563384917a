using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>Encrypts and decrypts for real: the blob names the version that made it.</summary>
internal static class GcpCrypto
{
    private const int Head = 4;
    private const int Nonce = 12;
    private const int Tag = 16;

    /// <summary>Encrypts with one version; with the primary where none is named.</summary>
    public static JsonObject Encrypt(GcpKey key, JsonObject body, GcpKeyVersion? by = null)
    {
        GcpKeyVersion version = Usable(key, by ?? key.Primary);
        byte[] plain = Bytes(body, "plaintext");
        byte[] context = Bytes(body, "additionalAuthenticatedData");
        JsonObject answer = new() { ["name"] = version.Name, ["protectionLevel"] = version.Protection };
        if (Checked(body, "plaintextCrc32c", plain))
        {
            answer["verifiedPlaintextCrc32c"] = true;
        }

        if (Checked(body, "additionalAuthenticatedDataCrc32c", context))
        {
            answer["verifiedAdditionalAuthenticatedDataCrc32c"] = true;
        }

        byte[] blob = new byte[Head + Nonce + Tag + plain.Length];
        BinaryPrimitives.WriteInt32BigEndian(blob, int.Parse(version.Id, CultureInfo.InvariantCulture));
        RandomNumberGenerator.Fill(blob.AsSpan(Head, Nonce));
        using AesGcm aes = new(version.Material, Tag);
        aes.Encrypt(blob.AsSpan(Head, Nonce), plain, blob.AsSpan(Head + Nonce + Tag), blob.AsSpan(Head + Nonce, Tag), context);
        answer["ciphertext"] = Convert.ToBase64String(blob);
        answer["ciphertextCrc32c"] = Crc32C.Of(blob).ToString(CultureInfo.InvariantCulture);
        return answer;
    }

    public static JsonObject Decrypt(GcpKey key, JsonObject body)
    {
        byte[] blob = Bytes(body, "ciphertext");
        byte[] context = Bytes(body, "additionalAuthenticatedData");
        Checked(body, "ciphertextCrc32c", blob);
        Checked(body, "additionalAuthenticatedDataCrc32c", context);
        if (blob.Length < Head + Nonce + Tag)
        {
            throw GcpErrorException.Invalid("Decryption failed: the ciphertext is invalid.");
        }

        string id = BinaryPrimitives.ReadInt32BigEndian(blob).ToString(CultureInfo.InvariantCulture);
        GcpKeyVersion version = Usable(
            key,
            key.Versions.FirstOrDefault(v => v.Id == id) ?? throw GcpErrorException.Invalid(
                "Decryption failed: the ciphertext is invalid."));
        byte[] plain = new byte[blob.Length - Head - Nonce - Tag];
        try
        {
            using AesGcm aes = new(version.Material, Tag);
            aes.Decrypt(blob.AsSpan(Head, Nonce), blob.AsSpan(Head + Nonce + Tag), blob.AsSpan(Head + Nonce, Tag), plain, context);
        }
        catch (CryptographicException)
        {
            throw GcpErrorException.Invalid("Decryption failed: the ciphertext is invalid.");
        }

        return new JsonObject
        {
            ["plaintext"] = Convert.ToBase64String(plain),
            ["plaintextCrc32c"] = Crc32C.Of(plain).ToString(CultureInfo.InvariantCulture),
            ["usedPrimary"] = ReferenceEquals(version, key.Primary),
            ["protectionLevel"] = version.Protection,
        };
    }

    /// <summary>A MAC of a text with one version.</summary>
    public static JsonObject MacSign(GcpKey key, JsonObject body, GcpKeyVersion by)
    {
        byte[] data = Bytes(body, "data");
        byte[] mac = Mac(key, data, by);
        JsonObject answer = new()
        {
            ["name"] = by.Name,
            ["mac"] = Convert.ToBase64String(mac),
            ["macCrc32c"] = Crc32C.Of(mac).ToString(CultureInfo.InvariantCulture),
            ["protectionLevel"] = by.Protection,
        };
        if (Checked(body, "dataCrc32c", data))
        {
            answer["verifiedDataCrc32c"] = true;
        }

        return answer;
    }

    /// <summary>Whether a MAC is a text's.</summary>
    public static JsonObject MacVerify(GcpKey key, JsonObject body, GcpKeyVersion by)
    {
        byte[] data = Bytes(body, "data");
        bool same = CryptographicOperations.FixedTimeEquals(Mac(key, data, by), Bytes(body, "mac"));
        return new JsonObject
        {
            ["name"] = by.Name,
            ["success"] = same,
            ["verifiedDataCrc32c"] = Checked(body, "dataCrc32c", data),
            ["verifiedSuccessIntegrity"] = same,
            ["protectionLevel"] = by.Protection,
        };
    }

    private static byte[] Mac(GcpKey key, byte[] data, GcpKeyVersion version)
    {
        Usable(key, version, "MAC");
        return version.Algorithm == "HMAC_SHA256"
            ? HMACSHA256.HashData(version.Material, data)
            : throw GcpErrorException.Invalid($"The sandbox has no {version.Algorithm}.");
    }

    /// <summary>The version, where it can be used.</summary>
    public static GcpKeyVersion Usable(GcpKey key, GcpKeyVersion? version, string purpose = "ENCRYPT_DECRYPT")
    {
        if (key.Purpose != purpose)
        {
            throw GcpErrorException.Precondition($"{key.Name} has the purpose {key.Purpose}, not {purpose}.");
        }

        return version?.State == "ENABLED"
            ? version
            : throw GcpErrorException.Precondition(
                $"{version?.Name ?? key.Name} is not enabled, current state is: {version?.State ?? "without a primary version"}.");
    }

    private static byte[] Bytes(JsonObject body, string name)
    {
        try
        {
            return body[name] is { } value ? Convert.FromBase64String(value.ToString().Replace('-', '+').Replace('_', '/')) : [];
        }
        catch (FormatException)
        {
            throw GcpErrorException.Invalid($"{name} is not base64.");
        }
    }

    private static bool Checked(JsonObject body, string name, byte[] bytes)
    {
        if (body[name] is not { } value)
        {
            return false;
        }

        return value.ToString() == Crc32C.Of(bytes).ToString(CultureInfo.InvariantCulture)
            ? true
            : throw GcpErrorException.Invalid($"The checksum in field {name} did not match the data.");
    }
}
