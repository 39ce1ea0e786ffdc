import Glibc
import HubClient
import Platform
import SystemPackage
import WriteBack

/// Who does what on a writable mount: each on a thread of its own, so that a look is not held up by a
/// commit.
struct EditingDesks {
    let commits: any CommitTaker
    let looks: LookDesk
}

/// Tells what was edited. That can take the network, and the reader's time.
final class LookDesk: Sendable {
    /// A repo whose edits can be looked at.
    struct Place: Sendable {
        /// From the mount point; "" where it is what is mounted.
        let path: String
        let committer: Committer
    }

    private let places: @Sendable () -> [Place]
    private let worker = Worker(name: "hubfs-look", threadCount: 2, jobCountMax: 32)
    private let state = Guarded(State(), rank: .leaf)

    private struct State {
        /// Connections that are being answered.
        var peers: Set<Int32> = []
        var isClosed = false
    }

    init(_ committer: Committer) {
        places = { [Place(path: "", committer: committer)] }
    }

    /// - Parameter places: What there is to be looked at now, in the order in which it is told.
    init(_ places: @escaping @Sendable () -> [Place]) { self.places = places }

    /// Cuts the looks that were begun short: the end of a mount does not wait for readers. Call once.
    func close() {
        state.withLock { state in
            state.isClosed = true
            for peer in state.peers { shutdown(peer, Int32(SHUT_RDWR)) }
        }
        worker.close()
    }

    /// Sends a line for each edit, for all that stays, for each conflict, and one with the sums; closes
    /// `peer`.
    ///
    /// - Parameter paths: From the mounted directory; none for everything.
    func sendEdits(at paths: [String], over peer: FileDescriptor) {
        answer(peer) { [self] lines in
            var sums: [EditSums] = []
            for (place, paths) in try chosen(paths) {
                let list = try place.committer.editList(of: paths)
                for edit in list.edits {
                    try lines.send("edit", ShownEdit(edit).below(place.path).json)
                }
                for item in list.localOnly {
                    try lines.send("localOnly", ShownLocalOnly(item, below: place.path).json)
                }
                for conflict in try place.committer.conflicts() {
                    try lines.send("conflict", ShownConflict(conflict, below: place.path).json)
                }
                sums.append(EditSums(list))
            }
            try lines.send("sums", EditSums(sums).json)
        }
    }

    /// Sends a line for each edit, each followed by the lines of its text; closes `peer`.
    ///
    /// - Parameter paths: From the mounted directory; none for everything.
    func sendDifferences(at paths: [String], withText: Bool, over peer: FileDescriptor) {
        answer(peer) { [self] lines in
            var sums: [EditSums] = []
            for (place, paths) in try chosen(paths) {
                let list = try place.committer.editList()
                for edit in list.edits(at: paths) {
                    let comparison = try place.committer.comparison(of: edit)
                    try lines.send("edit", ShownEdit(comparison).below(place.path).json)
                    guard withText, let text = comparison.text else { continue }
                    for piece in Self.pieces(of: text.hunks) {
                        try lines.send("text", .string(piece))
                    }
                }
                sums.append(EditSums(list))
            }
            try lines.send("sums", EditSums(sums).json)
        }
    }

    /// The repos that paths are in, with the paths in them, none for all of one.
    private func chosen(_ paths: [String]) throws(PublishError) -> [(Place, [String])] {
        let places = places()
        if places.count == 1, places[0].path.isEmpty { return [(places[0], paths)] }
        let split = TreePaths(paths, among: places.map(\.path))
        if let path = split.unknown.first { throw .unedited([path]) }
        return places.compactMap { place in split.named(in: place.path).map { (place, $0) } }
    }

    private func answer(
        _ peer: FileDescriptor, _ body: @escaping @Sendable (Lines) throws -> Void
    ) {
        let isTaken = worker.submit { [state] in
            let isOpen = state.withLock { state in
                if !state.isClosed { state.peers.insert(peer.rawValue) }
                return !state.isClosed
            }
            // A peer that has gone does not need to know; sending to one that was cut off ends the look.
            if isOpen { try? Self.answer(peer, body) }
            state.withLock { _ = $0.peers.remove(peer.rawValue) }
            try? peer.close()
        }
        if !isTaken { try? peer.close() }
    }

    private static func answer(_ peer: FileDescriptor, _ body: (Lines) throws -> Void) throws {
        let lines = Lines(writer: try ControlLineWriter(peer))
        do {
            try body(lines)
        } catch let error as PublishError {
            let failure = Failure(looking: error)
            try lines.send(
                "failure",
                .object([
                    "code": .integer(Int64(failure.code.rawValue)),
                    "message": .string(failure.sentence),
                ]))
        }
    }

    private struct Lines {
        let writer: ControlLineWriter

        func send(_ name: String, _ value: JSON) throws(Errno) {
            let version = JSON.integer(ControlQuestion.version)
            try writer.send(JSON.object(["hubfs": version, name: value]).line)
        }
    }

    /// A text in parts that fit into lines, cut between characters.
    private static func pieces(of text: String) -> [String] {
        var pieces: [String] = []
        var rest = text.unicodeScalars[...]
        while !rest.isEmpty {
            var end = rest.startIndex
            var byteCount = 0
            while end < rest.endIndex, byteCount < ControlQuestion.textPieceBytes {
                byteCount += UTF8.width(rest[end])
                end = rest.index(after: end)
            }
            pieces.append(String(rest[..<end]))
            rest = rest[end...]
        }
        return pieces
    }
}

extension Failure {
    /// Why a look at the edits came to nothing: no edit is at stake.
    init(looking error: PublishError) {
        if case .hub(let error) = error {
            self.init(error, isAnonymous: false)
        } else {
            let failure = Failure(error)
            self.init(failure.code == .unsent ? .hubUnavailable : failure.code, failure.sentence)
        }
    }
}
