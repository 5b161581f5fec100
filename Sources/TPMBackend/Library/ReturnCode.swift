internal import CTSS2

/// A TSS2_RC. A struct, so that codes of vendors and of later versions survive.
struct ReturnCode: RawRepresentable, Sendable, Hashable {
    let rawValue: UInt32

    init(rawValue: UInt32) { self.rawValue = rawValue }

    static let success = ReturnCode(rawValue: 0)

    /// Which layer of the software stack says so.
    enum Layer: Sendable, Hashable {
        /// The TPM itself, maybe through a resource manager.
        case tpm
        /// Between the library and the device.
        case transport
        /// The library.
        case library
    }

    var layer: Layer {
        switch rawValue >> 16 & 0xFF {
        // The kernel's resource manager and tpm2-abrmd answer in the TPM's place by the layers 11 and 12.
        case 0, 11, 12: .tpm
        case 10: .transport
        default: .library
        }
    }

    /// The code without its layer and, in format 1 (part 2, 6.6), without the number of the parameter, handle or session
    /// that it is about.
    var base: UInt32 {
        guard layer == .tpm else { return rawValue & 0xFFFF }
        return isFormatOne ? rawValue & 0xBF : rawValue & 0xFFFF
    }

    /// Whether the code is about a parameter, handle or session.
    var isFormatOne: Bool { layer == .tpm && rawValue & 0x80 != 0 }

    /// Whether a TPM says `code`, about whatever.
    func isTPM(_ code: UInt32) -> Bool { layer == .tpm && base == code }
}

extension ReturnCode: CustomStringConvertible {
    /// `0x1df (tpm:parameter(1):integrity check failed)`.
    var description: String {
        let hex = "0x" + String(rawValue, radix: 16)
        guard let text = Tss2_RC_Decode(rawValue) else { return hex }
        return "\(hex) (\(String(cString: text)))"
    }
}
