import HubClient
import Platform
import SystemPackage

// The few files a commit reads as text: what decides about others, and what the Hub wants to see
// before.

extension Committer {
    /// Longest text that is read; the Hub takes no larger file into git itself.
    static let textBytesMax: UInt64 = 10 << 20

    /// What of a README the Hub looks at: its metadata stand at its beginning, and a request of more
    /// than 4 MiB is refused. Escaped, a byte can become six.
    private static let metadataBytesMax: UInt64 = 512 << 10

    /// The defaults, and the lines of `.hubfsignore` in the mounted directory.
    func ignoreRules() throws(PublishError) -> IgnoreRules {
        guard let file = try rootFile(EntryName(".hubfsignore")) else { return IgnoreRules() }
        let size = min(file.size, Self.textBytesMax)
        let text = String(decoding: try bytes(of: file, count: Int(size)), as: UTF8.self)
        return IgnoreRules(lines: text.split(separator: "\n").map(String.init))
    }

    /// Has the Hub look at a README's metadata before anything is uploaded: a bad one stays here, and
    /// the rest goes.
    func checkReadme(
        _ prepared: inout Prepared, _ localOnly: inout [LocalOnly]
    ) throws(PublishError) {
        guard let file = prepared.files.first(where: { inRepo($0.path) == "README.md" }),
            file.isStaged
        else { return }
        let text = try text(of: file, bytesMax: Self.metadataBytesMax)
        let verdict = try ask { client.validateYAML(text, of: repo.kind, completion: $0) }
        guard !verdict.errors.isEmpty else { return }
        let reason = verdict.errors.joined(separator: "; ")
            .split(whereSeparator: \.isNewline).joined(separator: " ")
        localOnly.append(LocalOnly(path: file.path, reason: .refused(reason)))
        prepared.files.removeAll { $0.path == file.path }
    }

    /// The beginning of a staged file as text; what is not UTF-8 is replaced.
    func text(
        of file: PreparedFile, bytesMax: UInt64 = textBytesMax
    ) throws(PublishError) -> String {
        guard case .staged(let bytes, _) = file.bytes else { return "" }
        return String(decoding: try bytes.bytes(0..<min(file.size, bytesMax)), as: UTF8.self)
    }

    private func rootFile(_ name: EntryName) throws(PublishError) -> WorkingFile? {
        let overlay = workspace.overlay
        for _ in 0..<2 {
            do throws(WriteBackError) {
                guard let view = try overlay.lookUp(name, in: .root) else { return nil }
                defer { overlay.forget(view.number, count: 1) }
                return view.file
            } catch {
                guard case .listingNeeded(let number, let lower) = error else {
                    throw .workspace(error)
                }
                try bringListing(of: number, lower)
            }
        }
        return nil
    }

    private func bytes(of file: WorkingFile, count: Int) throws(PublishError) -> [UInt8] {
        var bytes: [UInt8] = []
        for segment in file.segments(offset: 0, count: count) {
            let count = Int(segment.bytes.upperBound - segment.bytes.lowerBound)
            switch segment.source {
            case .zeros: bytes += [UInt8](repeating: 0, count: count)
            case .staged(let store):
                bytes += try local { () throws(WriteBackError) in try store.bytes(segment.bytes) }
            case .base(let base):
                let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
                defer { buffer.deallocate() }
                try source.read(base, at: segment.bytes.lowerBound, into: buffer)
                bytes += buffer
            }
        }
        return bytes
    }
}
