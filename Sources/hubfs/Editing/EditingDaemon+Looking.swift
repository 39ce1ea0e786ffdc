import HubClient
import Platform
import SystemPackage
import WriteBack

/// What a daemon tells of the edits of its mount.
struct EditReport {
    var edits: [(edit: ShownEdit, text: String)] = []
    var localOnly: [ShownLocalOnly] = []
    var conflicts: [ShownConflict] = []
    var sums: EditSums

    /// The report for people, below the lines of the mount.
    var lines: [String] {
        var lines = ["  edits: \(sums.line)"] + edits.map { "    \($0.edit.line)" }
        for group in ShownLocalOnly.Group.allCases {
            let items = localOnly.filter { $0.group == group }
            if items.isEmpty { continue }
            lines.append("  \(group.title):")
            lines += items.map { "    \(printable($0.path)) (\($0.reason))" }
        }
        if !conflicts.isEmpty {
            lines.append("  conflicts, for hubfs resolve to decide:")
            lines += conflicts.map { "    \($0.line)" }
        }
        return lines
    }

    /// The report as members of a mount's `edits`.
    var members: [String: JSON] {
        guard case .object(var members) = sums.json else { return [:] }
        members["edits"] = nil
        members["changes"] = .array(edits.map(\.edit.json))
        members["localOnly"] = .array(localOnly.map(\.json))
        members["conflicts"] = .array(conflicts.map(\.json))
        return members
    }
}

extension EditingDaemon {
    /// Time between two lines: the daemon may have to ask the Hub for a listing or for a file, which
    /// ends with an error after its own time-out.
    private static let linePatienceSeconds = 120.0

    /// All edits, all that stays in the workspace, and all conflicts.
    ///
    /// - Parameter paths: From the mounted directory: what a commit of them would have; none for
    ///   everything.
    func edits(at paths: [String] = []) throws(Failure) -> EditReport {
        try report(.edits(paths: paths))
    }

    /// The edits of these paths, compared.
    func differences(at paths: [String], withText: Bool) throws(Failure) -> EditReport {
        try report(.diff(paths: paths, withText: withText))
    }

    private func report(_ question: ControlQuestion) throws(Failure) -> EditReport {
        guard question.line.utf8.count < ControlSocket.lineBytesMax else {
            throw Failure(.usage, "too many paths at once")
        }
        let client: ControlClient
        do throws(ControlClient.Silence) {
            client = try ControlClient(mountPoint: mountPoint, folders: folders)
            try client.ask(question)
        } catch {
            throw Failure(
                error == .hangs ? .timedOut : .mountPoint, "\(mountPoint): \(error.sentence)")
        }
        defer { client.close() }
        var edits: [(edit: ShownEdit, text: String)] = []
        var localOnly: [ShownLocalOnly] = []
        var conflicts: [ShownConflict] = []
        var lines = client.lines()
        while let line = try next(&lines) {
            if let edit = line["edit"].flatMap({ ShownEdit($0) }) {
                edits.append((edit, ""))
            } else if let text = line["text"]?.string, !edits.isEmpty {
                edits[edits.count - 1].text += text
            } else if let item = line["localOnly"].flatMap({ ShownLocalOnly($0) }) {
                localOnly.append(item)
            } else if let conflict = line["conflict"].flatMap({ ShownConflict($0) }) {
                conflicts.append(conflict)
            } else if let sums = line["sums"].flatMap({ EditSums($0) }) {
                return EditReport(
                    edits: edits, localOnly: localOnly, conflicts: conflicts, sums: sums)
            } else if let failure = line["failure"], let message = failure["message"]?.string {
                let code = failure["code"]?.integer.flatMap { ExitCode(rawValue: Int32($0)) }
                throw Failure(code ?? .failure, message)
            } else {
                throw Failure(.mountPoint, "its daemon is of another version of hubfs")
            }
        }
        throw Failure(.mountPoint, "\(mountPoint): the daemon has ended")
    }

    private func next(_ lines: inout ControlLineReader) throws(Failure) -> JSON? {
        do throws(Errno) {
            let deadline = MonotonicInstant.now.advanced(bySeconds: Self.linePatienceSeconds)
            return try lines.next(until: deadline).flatMap { JSON($0) }
        } catch {
            throw Failure(
                error == .timedOut ? .timedOut : .mountPoint,
                "\(mountPoint): the daemon does not answer: \(error)")
        }
    }
}
