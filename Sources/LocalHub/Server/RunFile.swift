import Foundation

/// Where a running server is found: `localhub.json` in its folder.
package struct RunFile: Codable, Sendable {
    package let endpoint: String
    package let cdn: String
    package let pid: Int32

    package init(endpoint: String, cdn: String) {
        self.endpoint = endpoint
        self.cdn = cdn
        self.pid = ProcessInfo.processInfo.processIdentifier
    }

    /// Written aside and renamed: who waits for the file reads it whole.
    package func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        var text = try encoder.encode(self)
        text.append(0x0a)
        try text.write(to: URL(filePath: path), options: .atomic)
    }

    /// - Throws: a Foundation error if there is no such file: no server runs on the folder.
    package static func read(from path: String) throws -> RunFile {
        try JSONDecoder().decode(RunFile.self, from: Data(contentsOf: URL(filePath: path)))
    }
}
