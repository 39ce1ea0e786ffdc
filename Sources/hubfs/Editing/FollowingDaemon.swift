import Platform

/// The daemon of a mount that is read only and follows its branch.
struct FollowingDaemon {
    private let mountPoint: String
    private let folders = ControlFolder.existing(Environment())

    private static let patienceSeconds = 5.0

    /// - Throws: `Failure` when the mount follows nothing, or its daemon does not answer.
    init(at mountPoint: String) throws(Failure) {
        self.mountPoint = mountPoint
        let deadline = MonotonicInstant.now.advanced(bySeconds: Self.patienceSeconds)
        switch MountReport.ask([mountPoint], folders, deadline)[0].state {
        case .answered(let status) where status.follow != nil: break
        case .answered:
            throw Failure(
                .usage,
                "\(mountPoint) is mounted read only, and shows one commit: mount it again, with --follow "
                    + "to have it show later ones")
        case .silent(let silence):
            throw Failure(
                silence == .hangs ? .timedOut : .mountPoint, "\(mountPoint): \(silence.sentence)")
        }
    }

    /// Has the Hub asked now, and waits until the mount shows what the branch has.
    ///
    /// - Returns: the commit that is shown.
    func pull() throws(Failure) -> String {
        let result: CommitResult
        do throws(ControlClient.Silence) {
            let client = try ControlClient(mountPoint: mountPoint, folders: folders)
            defer { client.close() }
            try client.ask(.pull)
            result = try client.commitResult(until: nil) { true }
        } catch {
            throw Failure(.mountPoint, "\(mountPoint): \(error.sentence)")
        }
        if let sentence = result.sentence { throw Failure(result.code, sentence) }
        return result.commit
    }
}
