internal import Glibc

/// errno's text, in any thread.
package func systemError(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 128)
    guard let text = strerror_r(code, &buffer, buffer.count) else { return "error \(code)" }
    return String(cString: text)
}
