import SystemPackage

/// The daemon's end of the pipe on which it reports that the mount works.
struct Readiness {
    private let pipe: FileDescriptor

    /// Takes the descriptor given on the command line.
    init(_ rawDescriptor: CInt) throws(Failure) {
        pipe = FileDescriptor(rawValue: rawDescriptor)
        do throws(Errno) {
            // fusermount3, which mounting may start, must not keep the pipe open.
            try pipe.closeOnExec()
        } catch {
            throw Failure(.usage, "--ready-fd is no open descriptor: \(error)")
        }
    }

    /// Tells the process that started the daemon.
    ///
    /// - Returns: false when that process has gone: it was interrupted, and nobody wants the mount.
    func report() -> Bool {
        let isHeard = (try? pipe.writeAll([1])) != nil
        try? pipe.close()
        return isHeard
    }
}
