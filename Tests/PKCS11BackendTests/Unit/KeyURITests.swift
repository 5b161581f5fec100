internal import Testing

@testable import PKCS11Backend

@Suite("key URIs")
struct KeyURITests {
    @Test(
        "what cannot be right is refused, with the reason",
        arguments: [
            ("", "does not begin"),
            ("PKCS11:token=a;object=b", "does not begin"),
            ("pkcs11:", "no name"),
            ("pkcs11:object=b", "no token"),
            ("pkcs11:token=a", "no key"),
            ("pkcs11:token=a;type=secret-key", "no key"),
            ("pkcs11:tokn=a;object=b", "unknown attribute \"tokn\""),
            ("pkcs11:token=a;object=b;x-vendor=c", "unknown attribute"),
            ("pkcs11:token=a;token=c;object=b", "token stands there twice"),
            ("pkcs11:token=a;object=b;object=b", "object stands there twice"),
            ("pkcs11:token=a;object=b?pin-source=/a&pin-source=/b", "pin-source stands there twice"),
            ("pkcs11:token=a b;object=c", "space"),
            ("pkcs11: token=a;object=c", "space"),
            ("pkcs11:token=a;object=c\n", "space"),
            ("pkcs11:token=ä;object=c", "outside ASCII"),
            ("pkcs11:token=a;object=c;", "no name"),
            ("pkcs11:token=a;;object=c", "no name"),
            ("pkcs11:token=;object=c", "token is empty"),
            ("pkcs11:token;object=c", "no name"),
            ("pkcs11:=a;object=c", "no name"),
            ("pkcs11:token=a;object=%", "%XX"),
            ("pkcs11:token=a;object=%4", "%XX"),
            ("pkcs11:token=a;object=%4g", "%XX"),
            ("pkcs11:token=a;object=%+4", "%XX"),
            ("pkcs11:token=a;object=%ff", "UTF-8"),
            ("pkcs11:token=a;object=b%00c", "UTF-8"),
            ("pkcs11:token=a;object=b#c", "%XX"),
            ("pkcs11:token=a/b;object=c", "%XX"),
            ("pkcs11:token=a;id=", "id has 0 bytes"),
            ("pkcs11:token=a;id=" + String(repeating: "%01", count: 65), "id has 65 bytes"),
            ("pkcs11:token=a;object=b;type=cert", "cannot seal"),
            ("pkcs11:token=a;object=b;type=public", "cannot seal"),
            ("pkcs11:token=a;object=b;type=data", "cannot seal"),
            ("pkcs11:token=a;object=b;type=Private", "cannot seal"),
            ("pkcs11:token=a;object=b;slot-id=0", "slot-id is not supported"),
            ("pkcs11:token=a;object=b;library-version=3", "library-version is not supported"),
            ("pkcs11:token=a;object=b;pin-source=/x", "unknown attribute"),
            ("pkcs11:token=a;object=b?module-name=x", "unknown attribute"),
            ("pkcs11:token=a;object=b?pin-value=1234", "pin-value is not allowed"),
            ("pkcs11:token=a;object=b??", "no name"),
            ("pkcs11:token=a;object=b?", "no name"),
            ("pkcs11:token=" + String(repeating: "a", count: 33) + ";object=b", "32 bytes"),
            ("pkcs11:serial=" + String(repeating: "1", count: 17) + ";object=b", "16 bytes"),
            ("pkcs11:token=a;object=" + String(repeating: "b", count: 256), "255 bytes"),
            ("pkcs11:token=a;object=" + String(repeating: "b", count: 3000), "2048 bytes"),
        ])
    func refused(_ text: String, _ reason: String) {
        #expect {
            _ = try KeyURI(text)
        } throws: { error in
            "\(error)".contains(reason) && (error as? PKCS11Error)?.code == .configuration
        }
    }

    @Test("a PIN never stands in an error, wherever it was written")
    func noPIN() {
        for text in [
            "pkcs11:token=a;object=b?pin-value=hunter2", "pkcs11:token=a;object=b?pin-value=x&hunter2=1",
            "pkcs11:token=a;object=b?pin-value=%zzhunter2", "pkcs11:token=a?pin-value=hunter2",
            "pkcs11:token=a;object=b?pin-value=a&hunter2",
            "pkcs11:token=a;object=b?pin-value=hunter2&pin-value=hunter2",
        ] {
            for allowed in [false, true] {
                do throws(PKCS11Error) {
                    let uri = try KeyURI(text, allowPINValue: allowed)
                    #expect(!"\(uri)".contains("hunter2"))
                } catch {
                    #expect(!"\(error)".contains("hunter2"))
                }
            }
        }
    }

    @Test("all attributes are read and decoded")
    func everyAttribute() throws {
        let uri = try KeyURI(
            "pkcs11:token=My%20Token;serial=0a1b;manufacturer=M;model=m;object=k%c3%a9k;id=%00%ffA;type=private"
                + "?module-path=/usr/lib/x.so&pin-source=file:/etc/pin")
        #expect(uri.tokenLabel == "My Token" && uri.tokenSerial == "0a1b")
        #expect(uri.manufacturer == "M" && uri.model == "m")
        #expect(uri.objectLabel == "kék" && uri.objectID == [0, 255, 65])
        #expect(uri.isPrivateKey == true)
        #expect(uri.modulePath == "/usr/lib/x.so" && uri.pinSource == "file:/etc/pin")
        #expect(!uri.hasPINValue)
    }

    @Test("a PIN in the URI is read only by the operator's word")
    func pinValue() throws {
        let text = "pkcs11:token=a;object=b?pin-value=12%2634"
        #expect(try KeyURI(text, allowPINValue: true).hasPINValue)
        #expect(try KeyURI.pinValue(of: text) == Array("12&34".utf8))
    }
}
