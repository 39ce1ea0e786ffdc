import FuseBridge
import Glibc
import Logging
import Platform
import SystemPackage
import TestSupport
import Testing

/// False where the kernel offers no FUSE to us.
let canMount = access("/dev/fuse", R_OK | W_OK) == 0 && getuid() == 0

/// Mounts `fileSystem`, runs `body` and unmounts.
func withMount(
    of fileSystem: MemoryFileSystem, isWritable: Bool = true, _ body: (TestMount) throws -> Void
) throws {
    let mount = try TestMount(fileSystem, isWritable: isWritable)
    defer { mount.end() }
    try body(mount)
}

/// A mount of a file system in memory, used by Python programs: the process that serves a mount
/// must not touch it.
final class TestMount {
    let session: FuseSession
    private let folder = ScratchFolder()
    private let mountPoint: FilePath
    private let server: Thread

    init(_ fileSystem: MemoryFileSystem, isWritable: Bool) throws {
        mountPoint = folder.path.appending("mount")
        try #require(mkdir(mountPoint.string, 0o755) == 0)
        var options = SessionOptions()
        options.isWritable = isWritable
        options.allowsOthers = true
        let session = try FuseSession(
            fileSystem: fileSystem, options: options, logger: Logger(label: "test"))
        try session.mount(at: mountPoint.string)
        self.session = session
        server = Thread(name: "test-mount") { session.run {} }
    }

    func end() {
        session.stop()
        server.join()
        folder.remove()
    }

    /// Runs a program in the root of the mount.
    ///
    /// - Returns: The lines it printed.
    /// - Throws: `ProgramFailed` if it failed or took longer than 20 s.
    @discardableResult
    func python(_ program: String) throws -> [String] {
        let output = folder.path.appending("output")
        let words = ["python3", "-IS", "-c", prelude + program, mountPoint.string]
        let child = try spawn(words, output: output)
        let status = wait(for: child)
        let text = try readAll(output)
        guard status == 0 else { throw ProgramFailed(status: status, output: text) }
        return text.split(separator: "\n").map(String.init)
    }

    struct ProgramFailed: Error {
        /// As wait(2) gives it; nil when the watchdog ended it.
        let status: Int32?
        let output: String
    }

    private func spawn(_ words: [String], output: FilePath) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.string, flags, 0o600)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        var argv = words.map { strdup($0) } + [nil]
        defer { for word in argv { free(word) } }
        var child = pid_t()
        let code = posix_spawnp(&child, words[0], &actions, nil, &argv, environ)
        guard code == 0 else { throw Errno(rawValue: code) }
        return child
    }

    /// The watchdog: a program that hangs in the mount is freed by the session's end.
    private func wait(for child: pid_t) -> Int32? {
        let deadline = MonotonicInstant.now.advanced(bySeconds: 20)
        var status: Int32 = 0
        while waitpid(child, &status, WNOHANG) == 0 {
            if MonotonicInstant.now > deadline {
                session.stop()
                kill(child, SIGKILL)
                waitpid(child, &status, 0)
                return nil
            }
            usleep(2000)
        }
        return status
    }

    private func readAll(_ path: FilePath) throws -> String {
        let file = try FileDescriptor.open(path, .readOnly)
        defer { try? file.close() }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}

/// What every program begins with.
private let prelude = """
    import ctypes, errno, mmap, os, stat, sys

    os.chdir(sys.argv[1])
    os.umask(0o022)
    libc = ctypes.CDLL(None, use_errno=True)

    def error(call, *arguments):
        "The name of the error a call ends with, or ok."
        try:
            call(*arguments)
        except OSError as failure:
            return errno.errorcode[failure.errno]
        return "ok"

    def c(name, *arguments):
        "Calls what Python has no function for."
        if getattr(libc, name)(*arguments) == -1:
            raise OSError(ctypes.get_errno(), name)

    def renameat2(old, new, flags):
        here = -100  # AT_FDCWD
        c("renameat2", here, old.encode(), here, new.encode(), flags)

    def fallocate(fd, mode, offset, length):
        c("fallocate", fd, mode, ctypes.c_long(offset), ctypes.c_long(length))

    def put(name, content=b""):
        with open(name, "wb") as file:
            file.write(content)

    def get(name):
        with open(name, "rb") as file:
            return file.read()


    """
