internal import COpenSSL
@testable internal import Crypto
@testable internal import Keyring
@testable internal import RecoveryBackend

/// A seal to a recovery key: CMS in DER, as `recover` finds it in a record that anybody may have made.
struct RecoverySealTarget: FuzzTarget {
    let name = "recovery-seal"

    func seeds() throws -> [[UInt8]] {
        let kek = try Sample.kek(1)
        return try RecoverySample.keys.get().map { try RecoverySeal.seal(kek, to: RecipientKey($0)) }
    }

    func run(_ bytes: [UInt8]) {
        guard let keys = try? RecoverySample.keys.get(), let kek = try? Sample.kek(1) else {
            Fuzz.fail("no keys")
        }
        for key in keys {
            do throws(RecoveryError) {
                let opened = try RecoverySeal.open(bytes, of: kek.id, with: key)
                Fuzz.check(opened.isSame(as: kek), "it opens to another KEK")
            } catch {
                Fuzz.check(error == RecoverySeal.doesNotOpen, "an error of its own: \(error)")
            }
        }
    }
}

/// The file with an operator's certificate or public key.
struct RecoveryKeyFileTarget: FuzzTarget {
    let name = "recovery-key-file"

    func seeds() throws -> [[UInt8]] {
        try RecoverySample.keys.get().flatMap { key in
            let certificate = try Certificate.carrying(key, keyIdentifier: key.defaultKeyIdentifier)
            try certificate.sign(with: key)
            let first = try MemoryBIO(secret: false)
            let second = try MemoryBIO(secret: false)
            guard PEM_write_bio_X509(first.raw, certificate.raw) == 1, PEM_write_bio_PUBKEY(second.raw, key.raw) == 1
            else { throw RecoveryError.library("PEM_write_bio") }
            return [first.written(), second.written()]
        }
    }

    func run(_ bytes: [UInt8]) {
        guard let key = try? RecipientKey(pem: bytes) else { return }
        guard let recipient = try? key.recipient() else { Fuzz.fail("an accepted key is no recipient") }
        do {
            try RecipientRules.check(recipient)
        } catch {
            Fuzz.fail("a recipient that no record takes: \(error)")
        }
    }
}

/// Keys that protect nothing, in PKCS#8: the corpus has to mean the same in every run.
private enum RecoverySample {
    private static let encoded = [
        """
        MHcCAQEEIIa4U3QPWx3HLg5jAxY25ryEVnv86DURRAJsEyLcICnfoAoGCCqGSM49AwEHoUQDQgAEP17fDhqS5qcVe0gi06HAuGvY\
        h14b2sofwTAAAeIlHYiwXfVegbPu1/K6F9eoG4sG1FUuvkNP6PHDK+YQwiRVgg==
        """,
        """
        MIGkAgEBBDD3yJWs6pG2Ff4ZdoI1mXCBNrdgA02i7uLdq44bWrCWf6xhDmKK20pipfm4ebzWfSmgBwYFK4EEACKhZANiAAQlLqRb\
        vqzy/5Wqjeg6PwQmT2ObEZaNzrY0jwMM/TPStty5bVCQsWRm4a/WIINoEzcyRIy5hsQpfVFb4hVAwtWObLEH/may/+oPIRnu0N/R\
        VCmKN20R2IovCt0kFZC5v1o=
        """,
        """
        MIIG5AIBAAKCAYEAru8ndFjqIYHrnuLsiy1bVWFBs4DMVvFgrye526lrkkzqwlo7ibw3OediHLfon16OXeKFMX62VaGl8X2tmCO6\
        sID0e9MqPofkvI1c1vDqVj5awCkRtZC7Lrk5jDA3E6ZvUq3tVUAlcBTpjjkhXPtC31PyRwcPYBWKndr4oIm8pvtCYTQsg7HrZ4Yh\
        zoJ8j8WasX1WQHRYg9gQqsPSsJ39t23jaoTvOUI0mFMH2lhGAhO1TsNnzLoS+6LH5qr37xIigAnSKPAUzY8EjcBmn2lqpAhmivpt\
        gx7sW2elvyeDo13W+q0Ytr9VAyikJRiAmX0/rhBJBmScEejPHEQuAKbhmbpMSwxpGhnb07Wq+iQFhSOmXgibI09ofGkqzPNDIixB\
        aIreOR6lug4UUjxr83GM4KhhfT1JEA9nSls3X1uMsCoY4VC9ugEWYVgSByrsK8BBmgxgO//lckHXWmtbTcgb7kaGo9LD4v6sRILI\
        FJEmhAByxrzHJc/A3WCYdMRdGqjzAgMBAAECggGAC4/gZvyldy5YYkK4e1wjXxmzyYvevr19If+rvqf6HEwJcLUK5zW/S4xOgMVr\
        ACxrBVAZ4moCS/wIa+eCvL1aF50+VJzPoK9DhJNlBeYb3caI/UT5oRjr7RnuXjbuvPostJM/KcLddpcf0mWfZwhKpMYcC2qdCopL\
        FrL/n4lItuSlUl6HbGDh6cdN59q1buYSv4L7pI6ndwml08poJTkcBIoSFEitR5tnmjpTz4ugoX7MQfbcnwWKiILpDyt1XaHnPpAG\
        fU+sdIaYM6+luNZajR2u6jvbU8CUFszuYEJ7SpVFDapW7VDO+xokNe9kxbzcTHqwb/U1w8X3cqdl1LapQbBoCHqDtwAsxyVq2Bhu\
        fzfV98xBnF8vnWuGA9gNoeL9PY+nKlOSa4+ZLVWApgQrmpXCDBV8LIFSsGAmbrLzEgu0egJwH0UW9OLDE1mrncFy19nNWlknWwWu\
        wBBvUDtq0rSirWYe3ieSQpaw2FmdFWvrv3eyhhLW4qQO79Ch2p2pAoHBAOwHHu4kj9KzhxicIIeIJH45NXRYapXqiK5CjzgiePIg\
        06tRWvzXkScc4MFk6BSuzC+w8CEZfvwl4Q0MVxhI4Ikeic/HgXr0+yno6iVnNv2B7b3KVQEQB3fHevUoJwhGTIMRU7lZz5lQph5i\
        rLQatiOku82g3cXd6wmsa14YuXzzvM8sJtT3g5cCQkT258fj6dGhcjmKat/TX49D4zxahhvQ1a5YtH4J5PfZ5aZd/dY3BSLyEOff\
        ZjkZMOMmtZip5QKBwQC9vJybnjg/JDEf8aRy6GkkN3X89nehwVRFVCFfs12OdlZGUWoCS1dSW9w9uReyPjV6Bme+EBI+xJ9RM2dR\
        ia54wXuGY9Y/0htspw5Mhv1ovGyAD+xQWZHmppmvBs6utiUXGbzWYlr+8QqFJnPjbDAyp4fS8n8/59wDlyJTmZCnFJLdqpSU6MjI\
        5k6mcNWBnChbl3IvKPGVHTezbUdYq0iLaQEON+BrDSd9TX0hB3MAHTtbEBr40ek7fOHSiL5j+fcCgcEAoVSMs8KR/DdyVEQDiCBq\
        sUxxWUFGOYrCOjqMopYNjZMam7NUOhcuxElc51QNvnVsY/zRZg6DWd6aYczZi2Pk9lTFZhy8SEtDknX99esDD2zMEDpIuB04vYrA\
        ZOo5I9LJYZ1qWPsmh2k04vgXjFPlw59KL1eRvznc+hO8n+jOgLYpjIJlWJSGgaWtnm4WJ++FVyC/bs1KGAvm+YoxvIMzv7eTF0TS\
        uoQQ2ck6y+jbJJ0fCa/kFloBCW5KmDlRTzRxAoHAbrEMxJUHx3570mENSaRhQqnAgfXgUVQSr+enGMfxut069AcnS3Nc3EWPNcs4\
        EdrNJAV8nJuPqWLYd2z/x8gFK5nlUMAKDG2tZjQH2YmfaW0T95pSiYXX4rIrUrsr9S16cgGn84KqB7XkJ04JqhJCBCtMyDqFFmlU\
        KBwSAKfEhlUwYXXU/RLZoKsME3ocdWL/AIBYMz81wYKsLleAmjBDQGHgJcVffdTMxwNgDtbjtptXN4cr1SHRac0vib4RJQ59AoHB\
        AJyqXLrTwEdbJ3UY8jqO1FFRvHKMOJiAsLpXRXEjBqQe8GZjqYFI97wGN/cgPwegZh1jfpdom2PH1kW99sDZMSx5b98/oMOdO0yy\
        bzJ8vd/E8pwENtsTOGlLD4GhEZuIEylrh+sH+kYAO2TqZiTqtNx2XMH2f492K7tDeQX0VL1LssTXkgs8fC9lLGFMDEQts/FBMjhK\
        okl/py6DQ/QvnSZPr2WJGxLKu/9WI1YjbPvd2RjWA+WEw/f+fu9dnbPHMA==
        """,
    ]

    static let keys = Result<[PublicKey], any Error> { try encoded.map(read) }

    private static func read(_ text: String) throws -> PublicKey {
        let bytes = Base64.decode(text) ?? []
        let raw = bytes.withUnsafeBufferPointer { bytes in
            var start = bytes.baseAddress
            return d2i_AutoPrivateKey_ex(nil, &start, bytes.count, try? library(), nil)
        }
        guard let raw else { throw RecoveryError.library("d2i_AutoPrivateKey_ex") }
        return try PublicKey(taking: raw)
    }
}
