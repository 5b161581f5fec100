internal import COpenSSL

/// A NIST curve (SP 800-186).
public enum EllipticCurve: Sendable, Hashable, CaseIterable {
    case p256
    case p384

    /// The width of a coordinate in bytes: 32 or 48.
    public var width: Int { self == .p256 ? 32 : 48 }

    /// libcrypto's name.
    var name: StaticString { self == .p256 ? "P-256" : "P-384" }
}

/// A point on a curve; both coordinates have the curve's width.
///
/// Whether it is on the curve is checked by whoever calculates with it.
public struct ECPoint: Sendable, Hashable {
    /// The curve.
    public let curve: EllipticCurve
    /// Big-endian, with leading zeros.
    public let x: [UInt8]
    /// Big-endian, with leading zeros.
    public let y: [UInt8]

    /// A point of these coordinates, big-endian, filled up with zeros on the left. About one key in 128 has a short
    /// one, and some software drops its zeros.
    ///
    /// - Returns: nil when a coordinate is longer than the curve's width.
    public init?(_ curve: EllipticCurve, x: [UInt8], y: [UInt8]) {
        guard x.count <= curve.width, y.count <= curve.width else { return nil }
        self.curve = curve
        self.x = [UInt8](repeating: 0, count: curve.width - x.count) + x
        self.y = [UInt8](repeating: 0, count: curve.width - y.count) + y
    }

    /// 0x04 ‖ x ‖ y (SEC 1, 2.3.3).
    public var uncompressed: [UInt8] { [4] + x + y }
}
