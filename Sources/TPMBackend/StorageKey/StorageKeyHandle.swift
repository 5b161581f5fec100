/// The library's own form of a handle for a key (`Esys_TR_Serialize` in version 3.2.1): handle(4) ‖ TPM2B_NAME ‖
/// kind(4) ‖ TPM2B_PUBLIC.
///
/// Only bytes that were made here go to `Esys_TR_Deserialize`, whose bounds this version does not check
/// (GHSA-mj78-pj5v-wvjx).
enum StorageKeyHandle {
    private static let key: UInt32 = 1

    static func serialize(_ key: StorageKey) -> [UInt8] {
        TPMWriter.bytes { writer in
            writer.integer(Handle.storageRootKey)
            writer.sized(key.name)
            writer.integer(StorageKeyHandle.key)
            writer.append(key.area.encodedSized)
        }
    }

    /// The public area in it.
    static func parse(_ bytes: [UInt8]) throws(TPMError) -> TPMPublic {
        do throws(TPMFormatError) {
            var reader = TPMReader(bytes, "the storage root key")
            _ = try reader.uint32()
            _ = try reader.sized("its Name", atMost: 128)
            guard try reader.uint32() == key else { throw TPMFormatError(.malformed, "0x81000001 is not a key") }
            return try TPMPublic(sized: try reader.read(reader.remaining))
        } catch {
            throw TPMError(.configuration, "the TPM's key at 0x81000001: \(error)")
        }
    }
}
