/// Published vectors, in hexadecimal.
enum PublishedVectors {
    /// SP 800-38D's algorithm: test case 16 of the GCM specification (McGrew and Viega), AES-256 with associated data.
    enum GCM {
        static let key =
            "feffe9928665731c6d6a8f9467308308" + "feffe9928665731c6d6a8f9467308308"
        static let iv = "cafebabefacedbaddecaf888"
        static let aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2"
        static let plaintext =
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
            + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        static let ciphertext =
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
            + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        static let tag = "76fc6ece0f4e1768cddf8853bb2d551b"
    }

    /// RFC 5649, section 6.
    enum KeyWrap {
        static let key = "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8"
        static let texts = [
            (
                plain: "c37b7e6492584340bed12207808941155068f738",
                wrapped: "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"
            ),
            (plain: "466f7250617369", wrapped: "afbeb0f07dfbf5419200f2ccb50bb24f"),
        ]
    }

    /// Project Wycheproof, rsa_oaep_2048_…_test.json, tcId 7: 32 bytes, empty label.
    struct OAEP {
        static let text = "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

        let ciphertext: String
        let privateKey: String
    }
}
