import FuseBridge
import Glibc
import HubClient
import Platform

/// What can be said of one mount: its daemon's answer, or why there is none.
struct MountReport {
    enum State {
        case answered(MountStatus)
        case silent(ControlClient.Silence)
    }

    let mountPoint: String
    let state: State

    /// All hubfs mounts this process sees. Sockets of daemons that died are removed.
    static func all(_ deadline: MonotonicInstant) -> [MountReport] {
        let folders = ControlFolder.existing(Environment())
        let paths = MountTable.records().filter(\.isOurs).map(\.mountPoint)
        let reports = ask(paths, folders, deadline)
        let current = Set(folders.flatMap { folder in paths.map { folder.socket(of: $0) } })
        for socket in folders.flatMap({ $0.sockets() }) where !current.contains(socket) {
            // Connecting removes it if nobody listens.
            (try? ControlClient(socketPath: socket))?.close()
        }
        return reports
    }

    /// Asks all daemons, then waits for the answers: one that hangs costs the others nothing.
    static func ask(
        _ mountPoints: [String], _ folders: [ControlFolder], _ deadline: MonotonicInstant
    ) -> [MountReport] {
        let asked = mountPoints.map { path in
            Result { () throws(ControlClient.Silence) in
                let client = try ControlClient(mountPoint: path, folders: folders)
                try client.ask(.status)
                return client
            }
        }
        return zip(mountPoints, asked).map { path, asked in
            do throws(ControlClient.Silence) {
                let client = try asked.get()
                defer { client.close() }
                return MountReport(
                    mountPoint: path, state: .answered(try client.status(until: deadline)))
            } catch {
                return MountReport(mountPoint: path, state: .silent(error))
            }
        }
    }

    var json: JSON { json(nil) }

    /// - Parameter report: The edits, where they were asked for.
    func json(_ report: EditReport?) -> JSON {
        switch state {
        case .answered(let status):
            guard case .object(var members) = status.json else { return .null }
            members["state"] = .string("serving")
            if let report, case .object(var edits)? = members["edits"] {
                edits.merge(report.members) { $1 }
                members["edits"] = .object(edits)
            }
            return .object(members)
        case .silent(let silence):
            return .object([
                "mountPoint": .string(mountPoint), "state": .string("\(silence)"),
                "message": .string(silence.sentence),
            ])
        }
    }

    /// The report for people.
    var lines: [String] {
        guard case .answered(let status) = state else {
            guard case .silent(let silence) = state else { return [] }
            return [mountPoint, "  \(silence.sentence)"]
        }
        let age = Int64(time(nil)) - status.startedSeconds
        let shown =
            status.tree.map { [["source", status.source]] + $0.lines } ?? [
                ["source", status.sourceText], [status.commitName, status.commit],
            ]
        var facts = shown
        facts += [
            ["daemon", "pid \(status.pid), for \(readableSpan(seconds: age))"],
            ["endpoint", status.endpoint],
            [
                "cache",
                "\(readableSize(status.cacheBytes)) of \(readableSize(status.cacheLimitBytes)) in "
                    + status.cachePath,
            ],
            ["requests", counts(status) + ", \(status.retryCount) sent again"],
        ]
        if let text = status.chunks?.text { facts.append(["xet", text]) }
        if let kernel = status.kernel { facts.append(["kernel", kernel.text]) }
        if let follow = status.follow {
            facts.append([
                "follows", follow.text(of: status.showsBucket ? "the bucket" : status.revision),
            ])
            if let error = follow.error {
                facts.append(["", "now it cannot: \(printable(error))"])
            }
        }
        if let edits = status.edits {
            facts.append(["workspace", edits.workspacePath])
            if !edits.ref.isEmpty, edits.ref != status.revision {
                facts.append([
                    "commits go to",
                    "\(edits.ref); hubfs commit --branch \(status.revision) goes back",
                ])
            }
            facts.append([
                status.showsBucket ? "last flush" : "last commit", Self.text(of: edits.last),
            ])
            if edits.isCommitting { facts.append(["now", edits.progressText]) }
        }
        if let log = status.logPath { facts.append(["log", log]) }
        if let error = status.lastError {
            let seconds = Int64(time(nil)) - (status.lastErrorSeconds ?? 0)
            facts.append(["last error", "\(readableSpan(seconds: seconds)) ago: \(error)"])
        }
        return [mountPoint] + columns(facts.map { ["  " + $0[0], $0[1]] })
    }

    private static func text(of last: CommitResult?) -> String {
        guard let last else { return "none since the mount began" }
        if let sentence = last.sentence { return "failed: \(printable(sentence))" }
        if last.changeCount == 0 { return "nothing was to be committed" }
        let changed = last.repos.filter { $0.changeCount > 0 }
        if let first = changed.first {
            let more = changed.count > 1 ? ", and \(changed.count - 1) more" : ""
            return "\(first.commit) in \(first.path)\(more), \(last.changeCount) changes"
        }
        return "\(last.commit), \(last.changeCount) change\(last.changeCount == 1 ? "" : "s")"
    }

    /// `api 3 (1.2 KiB), resolve 1 (0 B), cdn 2 (8.0 MiB)`
    private func counts(_ status: MountStatus) -> String {
        HubCounters.Class.allCases.map { kind in
            let bytes = status.bytesReceived[kind.rawValue] ?? 0
            return
                "\(kind.rawValue) \(status.requests[kind.rawValue] ?? 0) (\(readableSize(bytes)))"
        }.joined(separator: ", ")
    }
}
