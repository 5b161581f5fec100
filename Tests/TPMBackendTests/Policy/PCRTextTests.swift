import Crypto
import Testing

@testable import TPMBackend

@Suite("PCR selections and values")
struct PCRTextTests {
    private static let value = String(repeating: "5f", count: 32)

    @Test(
        "a text is read and written in ascending order",
        arguments: [
            ("sha256:7+11", "sha256:7+11"), ("11+7", "sha256:7+11"), ("sha256:0", "sha256:0"), ("22", "sha256:22"),
            ("sha256:11=\(value)+7", "sha256:7+11=\(value)"),
        ])
    func texts(_ text: String, _ canonical: String) throws {
        let expectation = try PCRExpectation(text)
        #expect(expectation.description == canonical)
        #expect(try PCRExpectation(canonical) == expectation)
        #expect(expectation.selection.description == canonical.replacing("=\(PCRTextTests.value)", with: ""))
    }

    @Test(
        "what is no selection is refused, by name",
        arguments: [
            ("", "\"\""), ("sha256:", "\"\""), ("24", "\"24\""), ("-1", "\"-1\""), ("07", "\"07\""),
            ("7,11", "\"7,11\""),
            ("7+", "\"\""), ("7+7", "twice"), ("sha1:7", "bank sha1"), ("sha384:7", "bank sha384"),
            ("7=12", "64 digits"),
            ("7=\(value)00", "64 digits"), ("7 + 11", "\"7 \""),
            ("7+16", "PCR 16 can be reset"), ("23=\(value)", "PCR 23 can be reset"),
        ])
    func refusals(_ text: String, _ word: String) {
        #expect {
            try PCRExpectation(text)
        } throws: {
            ($0 as? PolicyError)?.code == .configuration && "\($0)".contains(word)
        }
    }

    @Test("a selection is a bit map, the lowest PCR first")
    func encoding() throws {
        #expect(try PCRExpectation("7+11").selection.encoded == hex("00000001000b03800800"))
        #expect(try PCRExpectation("0+22").selection.encoded == hex("00000001000b03010040"))
        #expect(PCRSelection(mask: 0) == nil && PCRSelection(mask: 1 << 24) == nil)
        #expect(PCRSelection(mask: 0xffffff)?.indices == Array(0..<24))
    }

    @Test("given values replace the present ones; PCRs that say nothing are refused by name")
    func values() throws {
        let expectation = try PCRExpectation("7+11=\(PCRTextTests.value)")
        let selection = expectation.selection
        let seven = [UInt8](repeating: 7, count: 32)
        let zero = [UInt8](repeating: 0, count: 32)
        let current = try #require(PCRValues(selection, [seven, zero]))
        let expected = try expectation.values(current)
        #expect(expected.values == [seven, [UInt8](repeating: 0x5f, count: 32)])
        #expect(try expected.digest == SHA256.hash(seven + [UInt8](repeating: 0x5f, count: 32)))
        #expect(expected.differing(from: current.marks) == [11] && current.differing(from: current.marks) == [])
        #expect(current.unmeasured == [11])
        for empty in [zero, [UInt8](repeating: 0xff, count: 32)] {
            let blank = try #require(PCRValues(selection, [empty, seven]))
            #expect(blank.unmeasured == [7])
            #expect {
                try expectation.values(blank)
            } throws: {
                "\($0)".contains("PCR 7: nothing is measured")
            }
        }
        #expect(PCRValues(selection, [seven]) == nil && PCRValues(selection, [seven, [1]]) == nil)
        let other = try PCRExpectation("7+12")
        #expect(throws: PolicyError.self) { try other.values(current) }
    }

    @Test("parameters for a description: nothing else parses, and what does encodes to itself")
    func parameters() throws {
        let selection = try PCRExpectation("7+11").selection
        let values = try #require(
            PCRValues(selection, [[UInt8](repeating: 7, count: 32), [UInt8](repeating: 9, count: 32)]))
        let signed = PolicyParameters.signed(selection, keyName: hex("000b") + [UInt8](repeating: 3, count: 32))
        let literal = PolicyParameters.literal(selection, marks: values.marks)
        #expect(literal.encoded == hex("02800800") + hex("0707070709090909"))
        #expect(signed.encoded.count == 38)
        for parameters in [signed, literal] {
            #expect(PolicyParameters(parameters.encoded) == parameters && parameters.selection == selection)
            for count in 0..<parameters.encoded.count {
                #expect(PolicyParameters(Array(parameters.encoded.prefix(count))) == nil)
            }
            #expect(PolicyParameters(parameters.encoded + [0]) == nil)
            for index in parameters.encoded.indices {
                for bit in 0..<8 {
                    var changed = parameters.encoded
                    changed[index] ^= 1 << UInt8(bit)
                    if let parsed = PolicyParameters(changed) { #expect(parsed.encoded == changed) }
                }
            }
        }
        let all = try #require(PCRSelection(mask: 0xffffff))
        let most = PolicyParameters.literal(all, marks: [[UInt8]](repeating: [1, 2, 3, 4], count: 24))
        #expect(most.encoded.count == 100)
    }
}
