import Foundation
import Glibc

/// Puts a folder's files into a repo as one commit, without a server.
///
/// Files already in the repo and not in the folder stay. If nothing changes there is no commit.
package struct FolderImport {
    /// What an import did.
    package struct Summary: Sendable {
        package var regularCount = 0
        /// SHA-256 sums of what went to LFS.
        package var lfsOIDs: [String] = []
        package var byteCount = 0
        package var commit = ""
    }

    private let hub: Hub
    private let repo: RepoRecord
    private let folder: String

    package init(hub: Hub, repo: RepoRecord, folder: String) {
        self.hub = hub
        self.repo = repo
        self.folder = folder
    }

    /// - Parameter author: whom the commit names.
    package func run(author: String, message: String) throws -> Summary {
        let repository = hub.repository(repo)
        let files = try FolderScan.files(in: folder)
        guard let lock = RepositoryLock.acquire(repository.path) else {
            throw HubError.repoBusy(repo.name)
        }
        defer { withExtendedLifetime(lock) {} }
        let head = try repository.commit(.ref("refs/heads/main"))
        let attributesText = try attributes(files, head, repository)
        let attributes = GitAttributes(attributesText)

        let writer = try CommitWriter(repository: repository, incoming: hub.folder.incoming)
        var summary = Summary()
        var changes: [CommitWriter.Change] = []
        var lfsPaths: [String] = []
        for file in files {
            let (source, mode) = try store(file, attributes, writer, &summary)
            changes.append(.put(path: file.path, source, isExecutable: file.isExecutable))
            if mode == .lfs { lfsPaths.append(file.path) }
        }
        if let extended = GitAttributes.extend(attributesText, for: lfsPaths) {
            let source = try writer.blob(Array(extended.utf8))
            changes.append(.put(path: ".gitattributes", source, isExecutable: false))
        }
        summary.commit = try writer.commit(
            parent: head?.oid, message: .init(author: author, text: message), changes: changes)
        if let head, try repository.commit(oid: summary.commit).tree == head.tree {
            summary.commit = head.oid
            return summary
        }
        let isMoved = try repository.moveRef(
            "refs/heads/main", from: head?.oid, to: summary.commit)
        guard isMoved else { throw HubError.repoBusy(repo.name) }
        return summary
    }

    /// The folder's own `.gitattributes` counts, else the repo's.
    private func attributes(
        _ files: [FoundFile], _ head: CommitRecord?, _ repository: GitRepository
    ) throws -> String {
        if files.contains(where: { $0.path == ".gitattributes" }) {
            return try String(contentsOfFile: folder + "/.gitattributes", encoding: .utf8)
        }
        guard let head else { return "" }
        return try repository.text(".gitattributes", at: head) ?? ""
    }

    private func store(
        _ file: FoundFile, _ attributes: GitAttributes, _ writer: CommitWriter,
        _ summary: inout Summary
    ) throws -> (source: CommitWriter.Source, mode: UploadMode) {
        let input = try SourceFile(path: folder + "/" + file.path)
        summary.byteCount += file.size
        let sample = try input.read(512)
        let mode = UploadMode.of(
            path: file.path, size: file.size, sample: sample, attributes: attributes)
        switch mode {
        case .regular:
            summary.regularCount += 1
            let content = sample + (try input.read(max(0, file.size - sample.count)))
            return (try writer.blob(content), mode)
        case .lfs:
            let store = hub.lfs(repo)
            let intake = try store.receive()
            var piece = sample
            while !piece.isEmpty {
                try piece.withUnsafeBytes { try intake.append($0) }
                piece = try input.read(1 << 20)
            }
            let pointer = LFSPointer(oid: intake.oid, size: intake.size)
            try store.keep(intake, oid: pointer.oid)
            summary.lfsOIDs.append(pointer.oid)
            return (try writer.blob(Array(pointer.text.utf8)), mode)
        }
    }
}

/// A file read from its start.
private final class SourceFile {
    private let path: String
    private let fd: Int32

    init(path: String) throws(HubError) {
        self.path = path
        fd = open(path, O_RDONLY | O_CLOEXEC)
        if fd < 0 { throw .unreadable(path: path, errno: errno) }
    }

    deinit {
        if fd >= 0 { close(fd) }
    }

    /// The next bytes: `count` of them, or fewer at the end.
    func read(_ count: Int) throws(HubError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let start = buffer.baseAddress.map { $0 + filled }
                let got = Glibc.read(fd, start, count - filled)
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = errno }
                if got <= 0 { return }
                filled += got
            }
        }
        guard failure == 0 else { throw .unreadable(path: path, errno: failure) }
        return bytes
    }
}
