import ArgumentParser
import Glibc
import Platform
import SystemPackage
import WriteBack

/// When `hubfs run` commits what was edited.
enum CommitOn: String, CaseIterable, ExpressibleByArgument {
    case always, success, never
}

/// What comes after the program: commits or keeps the edits of the volumes, and takes them away.
struct RunEnd {
    let volumes: [MountedVolume]
    let commitOn: CommitOn
    /// Where workspaces are.
    let stateFolder: FilePath
    /// Of writable volumes, by mount point.
    private let workspaces: [String: String]

    private static let answerPatienceSeconds = 5.0

    /// Call when the volumes are mounted: later a daemon may have died, and its workspace is asked for.
    init(of volumes: [MountedVolume], commitOn: CommitOn, environment: Environment) {
        self.volumes = volumes
        self.commitOn = commitOn
        stateFolder = FilePath(environment.stateFolder)
        let writable = volumes.filter(\.spec.isWritable).map(\.mountPoint)
        let deadline = MonotonicInstant.now.advanced(bySeconds: Self.answerPatienceSeconds)
        let reports = MountReport.ask(writable, ControlFolder.existing(environment), deadline)
        var workspaces: [String: String] = [:]
        for report in reports {
            guard case .answered(let status) = report.state else { continue }
            workspaces[report.mountPoint] = status.edits?.workspacePath
        }
        self.workspaces = workspaces
    }

    /// Ends all volumes, the innermost first.
    ///
    /// - Parameter status: How the program ended.
    /// - Returns: how `hubfs run` ends.
    func run(after status: Int32) -> Int32 {
        let commits = commitOn == .always || (commitOn == .success && status == 0)
        var isUnsent = false
        for volume in volumes.reversed() {
            do throws(Failure) {
                let outcome = try volume.end(
                    commits ? .commit : .keep, isInterrupted: ChildCommand.isInterrupted)
                guard case .committed(let result) = outcome else {
                    tellWhatIsKept(of: volume, keptReason(status))
                    continue
                }
                try tell(result, of: volume)
            } catch {
                let isKept = tellWhatIsKept(of: volume, error.sentence)
                isUnsent = isUnsent || isKept
            }
        }
        if status == 0, commits, isUnsent { return ExitCode.unsent.rawValue }
        return status
    }

    private func keptReason(_ status: Int32) -> String {
        commitOn == .never ? "nothing is committed by itself" : "the command ended with \(status)"
    }

    /// stdout belongs to the program.
    private func tell(_ result: CommitResult, of volume: MountedVolume) throws(Failure) {
        if result.changeCount > 0 {
            tell(volume, CommitResult.line(result.changeCount, result.commit, result.ref))
        }
        for line in result.localOnly { tell(volume, "stays in the workspace: \(line)") }
        if let sentence = result.sentence { throw Failure(result.code, sentence) }
    }

    /// Says how to get at edits that are in the workspace only.
    ///
    /// - Returns: false when there are none.
    @discardableResult
    private func tellWhatIsKept(of volume: MountedVolume, _ reason: String) -> Bool {
        guard let path = workspaces[volume.mountPoint] else { return false }
        let found = (try? FoundWorkspace.all(in: stateFolder))?.found
            .first { $0.folder.string == path }
        guard let found, found.summary.editCount > 0 || found.summary.hasOpenCommit else {
            return false
        }
        let count = found.summary.editCount
        tell(
            volume,
            "\(count == 1 ? "1 edit is" : "\(count) edits are") kept, and not at the Hub: \(reason); "
                + "'hubfs recover --commit \(found.name)' commits them, 'hubfs recover' lists them, and the "
                + "next writable mount goes on with them")
        return true
    }

    private func tell(_ volume: MountedVolume, _ text: String) {
        writeToStandardError("hubfs: \(volume.mountPoint): \(printable(text))\n")
    }
}
