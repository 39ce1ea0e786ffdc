import FuseBridge
import Glibc
import Platform
import SystemPackage

/// A volume that is mounted, by a daemon that this process has started.
struct MountedVolume {
    let spec: VolumeSpec
    /// Free of links, as the mount table shows it.
    let mountPoint: String
    let daemon: pid_t

    /// The daemon waits two seconds for parked requests and closes its cache.
    private static let endPatienceSeconds = 15.0
    /// Two signals of one kind that come together are one.
    private static let betweenSignalsSeconds = 0.05
    /// A daemon in a hurry ends within `StopSignals`' two seconds.
    private static let hurryPatienceSeconds = 4.0

    /// Mounts all volumes, or none.
    ///
    /// - Parameters:
    ///   - specs: In the order of `VolumeSpec.ordered`.
    ///   - flags: How a volume is mounted.
    ///   - owner: A pipe whose other end this process alone has: the mounts end with it; nil for mounts
    ///     that stay.
    /// - Throws: `Failure` that names the volume, when those before it are unmounted again.
    static func mountAll(
        _ specs: [VolumeSpec], _ flags: (VolumeSpec) throws(Failure) -> MountFlags,
        owner: FileDescriptor? = nil
    ) throws(Failure) -> [MountedVolume] {
        var mounted: [MountedVolume] = []
        for spec in specs {
            do throws(Failure) {
                mounted.append(try mount(spec, try flags(spec), owner: owner))
            } catch {
                for volume in mounted.reversed() { volume.undo() }
                let count = mounted.count
                let rest =
                    count == 0
                    ? ""
                    : "; the \(count == 1 ? "volume" : "\(count) volumes") before it "
                        + "\(count == 1 ? "is" : "are") unmounted again"
                throw Failure(error.code, "\(spec.description): \(error.sentence)\(rest)")
            }
        }
        return mounted
    }

    private static func mount(
        _ spec: VolumeSpec, _ flags: MountFlags, owner: FileDescriptor?
    ) throws(Failure) -> MountedVolume {
        var flags = flags
        flags.writable = spec.isWritable
        if !spec.isWritable { flags.branch = nil }
        let request = try MountRequest(
            source: SourceName(spec.uri), directory: spec.mountPath.string, flags: flags)
        switch try BackgroundStart(request, owner: owner).run() {
        case .works(let daemon):
            return MountedVolume(spec: spec, mountPoint: request.mountPoint, daemon: daemon)
        case .failed(let status):
            throw Failure(
                ExitCode(rawValue: status) ?? .failure, "it is not mounted, for the reason above")
        }
    }

    /// What became of the volume's edits.
    enum Outcome {
        /// Nothing was asked of the Hub: the edits, if there are any, are in the workspace.
        case kept
        case committed(CommitResult)
    }

    /// Takes the mount away, also from those who use it, when its edits are where they belong.
    ///
    /// - Parameters:
    ///   - ending: What becomes of them.
    ///   - isInterrupted: Asked about twice a second: whether to wait no longer; the edits are kept
    ///     then.
    /// - Throws: `Failure` when the daemon cannot be asked, or was not waited for. The mount is gone
    ///   then as well, and the edits are kept.
    func end(
        _ ending: CommitDesk.Ending, isInterrupted: () -> Bool = { false }
    ) throws(Failure) -> Outcome {
        var isInOrder = false
        defer { stop(isInOrder: isInOrder) }
        guard spec.isWritable else {
            detach()
            isInOrder = true
            return .kept
        }
        guard let editing = try EditingDaemon(at: mountPoint) else {
            detach()
            throw Failure(.unsent, "its daemon has ended before")
        }
        try editing.setEnding(ending)
        let outcome = try editing.outcome()
        // Who still has it mapped keeps it from being written back by the unmounting.
        (try? MountedFolder(mountPoint))?.writeBackMappings()
        detach()
        let result = try editing.finish(
            outcome, showsProgress: isatty(STDERR_FILENO) == 1, patience: nil,
            isInterrupted: isInterrupted)
        isInOrder = true
        return ending == .keep ? .kept : .committed(result)
    }

    /// A mount that nobody has used yet: what an earlier one has left in the workspace stays there.
    private func undo() {
        do throws(Failure) {
            _ = try end(.keep)
        } catch {
            writeToStandardError("hubfs: \(spec.description): \(error.sentence)\n")
        }
    }

    private func detach() { try? MountPoint.unmount(mountPoint, lazily: true) }

    /// Ends the daemon, whoever still has the mount open: those get errors.
    ///
    /// - Parameter isInOrder: Whether nothing is left to do for it; else it is told not to wait for a
    ///   commit.
    private func stop(isInOrder: Bool) {
        // Its number may be another's by now.
        if hasEnded(within: 0) { return }
        kill(daemon, SIGTERM)
        if hasEnded(within: isInOrder ? Self.endPatienceSeconds : Self.betweenSignalsSeconds) {
            return
        }
        kill(daemon, SIGTERM)
        if !hasEnded(within: Self.hurryPatienceSeconds) { kill(daemon, SIGKILL) }
    }

    private func hasEnded(within seconds: Double) -> Bool {
        let deadline = MonotonicInstant.now.advanced(bySeconds: seconds)
        repeat {
            var status: Int32 = 0
            let found = waitpid(daemon, &status, WNOHANG)
            if found == daemon || (found == -1 && errno == ECHILD) { return true }
            usleep(5000)
        } while .now < deadline
        return false
    }
}
