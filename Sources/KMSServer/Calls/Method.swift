/// A method that a `CallServer` answers.
struct Method {
    /// As HTTP/2's `:path` has it, such as `/v2.KeyManagementService/Encrypt`.
    let path: String
    /// Whether requests carry a secret, and are wiped once they were answered.
    var isSecret = false
    /// Answers a request's bytes. Called on the queue's thread, and never waits.
    let answer: (UnsafeRawBufferPointer) -> Reply
}
