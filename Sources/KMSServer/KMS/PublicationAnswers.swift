internal import Keyring

/// What answers say about one publication, encoded once: it changes with a rotation, not with a call.
final class PublicationAnswers {
    /// Two labels and no slash: kube-apiserver refuses any other key.
    private static let annotationKey = Array("kek.trousseau".utf8)

    let publication: CurrentPublication
    /// The whole answer to Status.
    let status: Slice
    /// The answer to Encrypt without its first field, the ciphertext.
    let encryptTail: Slice

    init(_ publication: CurrentPublication) {
        self.publication = publication
        let keyID = Array(publication.keyID.utf8)
        let (version, health) = (Array("v2".utf8), Array("ok".utf8))
        let size = FieldWriter.size(version.count) + FieldWriter.size(health.count) + FieldWriter.size(keyID.count)
        status = Slice(count: size) { memory in
            var writer = FieldWriter(memory)
            writer.field(1, version)
            writer.field(2, health)
            writer.field(3, keyID)
        }
        let (key, annotation) = (PublicationAnswers.annotationKey, publication.annotation)
        let entry = FieldWriter.size(key.count) + FieldWriter.size(annotation.count)
        encryptTail = Slice(count: FieldWriter.size(keyID.count) + FieldWriter.size(entry)) { memory in
            var writer = FieldWriter(memory)
            writer.field(2, keyID)
            writer.header(3, length: entry)
            writer.field(1, key)
            writer.field(2, annotation)
        }
    }
}
