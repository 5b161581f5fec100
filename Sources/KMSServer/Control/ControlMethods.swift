/// `trousseau.control.v1.Control`. Its requests have no fields, and what a later version adds to them is not for us.
enum ControlMethods {
    static func methods(_ control: any ControlService) -> [Method] {
        let service = "/trousseau.control.v1.Control/"
        return [
            Method(path: service + "Status") { _ in
                // A report may wait for locks, which the thread that answers Encrypt must not.
                .later { _ in
                    let report = control.report()
                    return .message(
                        ByteBuffer(
                            Slice(count: FieldWriter.size(report.count)) { memory in
                                var writer = FieldWriter(memory)
                                writer.field(1, report)
                            }))
                }
            },
            Method(path: service + "Stop") { _ in
                .later { _ in
                    control.requestStop()
                    return .message(ByteBuffer(Slice(count: 0) { _ in }))
                }
            },
        ]
    }
}
