import Foundation

/// What gzip(1) makes of the bytes; nil if it refuses them.
func gunzip(_ bytes: [UInt8]) -> [UInt8]? {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["gzip", "-dc"]
    let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: file) }
    let output = Pipe()
    do {
        try Data(bytes).write(to: file)
        process.standardInput = try FileHandle(forReadingFrom: file)
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? Array(data) : nil
    } catch {
        return nil
    }
}
