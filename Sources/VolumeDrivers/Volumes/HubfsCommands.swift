import FoundationEssentials
import FuseBridge
import SystemPackage

/// The commands of hubfs that work on mounts, each a process of its own (docs/decisions/0025).
package struct HubfsCommands: Sendable {
    /// What stands at a mount point.
    enum Health: Hashable, Sendable {
        case absent
        /// A mount that is not hubfs's.
        case foreign
        case serving
        /// A mount whose daemon has died.
        case dead
        /// A mount whose daemon does not answer, or cannot be found.
        case hangs
    }

    /// How `hubfs` ends; docs/ERRORS.md has the table.
    enum Code {
        static let usage: Int32 = 2
        static let notFound: Int32 = 3
        static let accessRefused: Int32 = 4
        static let unsent: Int32 = 5
        static let hubUnavailable: Int32 = 6
        static let mountPoint: Int32 = 7
        static let timedOut: Int32 = 12
        static let conflict: Int32 = 13
        static let refused: Int32 = 14
    }

    /// `hubfs status` waits two seconds for a daemon.
    private static let statusLimit = Duration.seconds(15)
    /// A question to the Hub that is worth less than an answer in time.
    private static let checkLimit = Duration.seconds(20)

    private let executable: String
    private let children: ChildProcesses
    /// More words for every `hubfs mount`.
    private let mountFlags: [String]

    /// - Parameters:
    ///   - executable: Path of hubfs.
    ///   - mountFlags: More words for every `hubfs mount`.
    package init(executable: String, children: ChildProcesses, mountFlags: [String]) {
        self.executable = executable
        self.children = children
        self.mountFlags = mountFlags
    }

    /// Mounts and returns when the mount works.
    func mount(
        _ plan: VolumePlan, at place: FilePath
    ) async throws(VolumeError) -> ChildProcesses.Ending {
        try await run(
            ["mount"] + mountFlags + plan.flags + [plan.source, place.string],
            environment: plan.environment)
    }

    /// Unmounts and returns when the edits are at the Hub, if the mount was to commit them.
    ///
    /// - Parameter byForce: Cuts off whoever uses the mount.
    func unmount(
        _ place: FilePath, byForce: Bool
    ) async throws(VolumeError) -> ChildProcesses.Ending {
        try await run(["umount"] + (byForce ? ["--force"] : []) + [place.string])
    }

    /// Asks the mount table, and then the daemon, never the mount itself: that could wait for ever.
    func health(of place: FilePath) async throws(VolumeError) -> Health {
        guard let record = MountTable.record(at: place.string) else { return .absent }
        guard record.isOurs else { return .foreign }
        let ending = try await run(
            ["status", "--json", place.string], killedAfter: Self.statusLimit)
        let report = try? JSONDecoder().decode(StatusReport.self, from: Data(ending.output.utf8))
        switch report?.mounts.first?.state {
        case "serving": return .serving
        case "dead": return .dead
        case "noSocket":
            // Whoever asked first after a daemon's end has removed it: the mount itself tells.
            let check = try await run(
                ["status", "--check", place.string], killedAfter: Self.statusLimit)
            if check.code == 0 { return .serving }
            if check.code == Code.mountPoint, MountTable.record(at: place.string) != nil {
                return .dead
            }
        default: break
        }
        return MountTable.record(at: place.string) == nil ? .absent : .hangs
    }

    /// What is read of the output of `hubfs status --json`.
    private struct StatusReport: Decodable {
        struct Mount: Decodable {
            let state: String
        }

        let mounts: [Mount]
    }

    /// Asks the Hub for what is to be mounted.
    ///
    /// - Throws: `VolumeError.badOptions` when the Hub says that it is not there, or refuses. A Hub that
    ///   cannot be asked now is no reason against a volume.
    func check(_ plan: VolumePlan) async throws(VolumeError) {
        let ending = try await run(
            ["stat"] + plan.hubFlags + [plan.source], killedAfter: Self.checkLimit)
        switch ending.code {
        case Code.usage, Code.notFound, Code.accessRefused:
            throw .badOptions(ending.sentence)
        default: break
        }
    }

    /// What does not work of these mounts: their daemons, or the file systems themselves.
    ///
    /// - Returns: a sentence for each that has died or does not answer, by its place.
    func faults(of places: [FilePath]) async throws(VolumeError) -> [FilePath: String] {
        let check = Task { () -> Result<ChildProcesses.Ending, VolumeError> in
            do throws(VolumeError) {
                return .success(
                    try await run(["status", "--check"], killedAfter: Self.statusLimit))
            } catch {
                return .failure(error)
            }
        }
        // A process that waits for a file system in the kernel cannot always be killed.
        guard let result = await check.value(until: .now + Self.statusLimit * 2) else {
            throw .checkHangs
        }
        let lines = try result.get().words.split(separator: "\n")
        var faults: [FilePath: String] = [:]
        for place in places {
            let prefix = "hubfs: \(place.string): "
            guard let line = lines.first(where: { $0.hasPrefix(prefix) }) else { continue }
            faults[place] = String(line.dropFirst(prefix.count))
        }
        return faults
    }

    private func run(
        _ words: [String], environment: [String: String] = [:], killedAfter limit: Duration? = nil
    ) async throws(VolumeError) -> ChildProcesses.Ending {
        do throws(Errno) {
            return try await children.run(
                [executable] + words, environment: environment, killedAfter: limit)
        } catch {
            throw .notStarted(error)
        }
    }
}

extension ChildProcesses.Ending {
    /// What hubfs said, without its name before it.
    var sentence: String {
        let prefix = "hubfs: "
        return words.hasPrefix(prefix) ? String(words.dropFirst(prefix.count)) : words
    }
}
