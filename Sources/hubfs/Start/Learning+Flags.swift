import Glibc
import RepoCache
import SystemPackage

extension Learning {
    /// What `--record`, `--replay` and `--no-replay` ask for. Without the Hub nothing is fetched ahead.
    ///
    /// - Throws: `Failure` with code `usage` for a file that is no recording, with `localStorage` for
    ///   one that cannot be read, or written to.
    init(_ flags: MountFlags, isOffline: Bool) throws(Failure) {
        if flags.noReplay, flags.replay != nil {
            throw Failure(.usage, "--replay and --no-replay contradict each other")
        }
        self.init(replay: flags.noReplay || isOffline ? .none : .learned)
        if let path = flags.replay {
            let order = try Self.recording(path)
            if !isOffline { replay = .given(order) }
        }
        guard let path = flags.record.map(absolutePath) else { return }
        let folder = FilePath(path).removingLastComponent().string
        guard access(folder, W_OK | X_OK) == 0 else {
            throw Failure(
                .localStorage, "--record \(path): \(Errno(rawValue: errno)): name another folder")
        }
        recordPath = FilePath(path)
    }

    private static func recording(_ path: String) throws(Failure) -> ReadOrder {
        let bytes: [UInt8]
        do {
            bytes = try readFile(path, bytesMax: ReadOrder.fileBytesMax)
        } catch {
            throw Failure(.localStorage, "--replay \(path): \(error)")
        }
        do throws(ReadOrder.Damage) {
            return try ReadOrder(text: bytes)
        } catch {
            let reason =
                switch error {
                case .foreign: "this is no file of hubfs mount --record"
                case .version(let version):
                    "recorded by another version of hubfs, in format \(version)"
                case .line(let number):
                    "line \(number) is damaged or missing: record it again"
                }
            throw Failure(.usage, "--replay \(path): \(reason)")
        }
    }
}
