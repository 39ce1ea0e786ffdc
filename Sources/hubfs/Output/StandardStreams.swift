import Glibc
import SystemPackage

/// Writes text to stderr; there is nobody to tell when that fails.
func writeToStandardError(_ text: String) {
    _ = try? FileDescriptor.standardError.writeAll(text.utf8)
}

/// Writes bytes to stdout.
///
/// - Throws: `Failure` when stdout takes no more. When its reader has gone, as `head` does, the
///   process ends the way other programs do: by SIGPIPE.
func writeToStandardOutput(_ bytes: some Sequence<UInt8>) throws(Failure) {
    do {
        _ = try FileDescriptor.standardOutput.writeAll(bytes)
    } catch Errno.brokenPipe {
        signal(SIGPIPE, SIG_DFL)
        raise(SIGPIPE)
    } catch {
        throw Failure(.localStorage, "stdout cannot be written: \(error)")
    }
}

/// Writes one line to stdout.
func writeLine(_ line: String) throws(Failure) {
    try writeToStandardOutput((line + "\n").utf8)
}
