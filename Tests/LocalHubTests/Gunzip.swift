import Foundation

@testable import LocalHub

/// What gzip(1) makes of the bytes; nil if it refuses them.
func gunzip(_ bytes: [UInt8]) -> [UInt8]? {
    let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString + ".gz")
    defer { try? FileManager.default.removeItem(at: file) }
    do {
        try Data(bytes).write(to: file)
        let path = file.path(percentEncoded: false)
        let child = try ChildProcess(arguments: ["gzip", "-dc", path])
        let output = try child.readAll()
        return child.wait() == 0 ? output : nil
    } catch {
        return nil
    }
}
