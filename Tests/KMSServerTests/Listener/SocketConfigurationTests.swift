import KMSServer
import Testing

@Suite struct SocketConfigurationTests {
    @Test func theDefaultLetsOnlyRootIn() {
        let socket = SocketConfiguration(path: "/run/x")
        #expect(socket.mode == 0o600)
        #expect(socket.allowUsers == [0] && socket.allowGroups.isEmpty)
    }
}
