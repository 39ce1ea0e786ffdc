import ArgumentParser
import FuseBridge
import Glibc
import Logging
import Platform
import SystemPackage

/// A mount whose power can be cut: what was not synced is lost, or not, as chance has it.
@main
struct PowerCutCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "powercut",
        abstract: "Mounts a disk in memory that loses what was not synced when its power is cut.",
        discussion: """
            The disk begins with what is in BEFORE. SIGUSR1 cuts its power; SIGTERM ends it \
            as a machine ends that is shut down. What is left is then in AFTER.

            With a number in the attribute user.powercut.changes of MOUNT-POINT, the power goes in \
            place of the change or sync that comes after so many; what is no number ends that.
            """)

    @Argument(help: "A folder with what the disk begins with.")
    var before: String

    @Argument(help: "An empty folder for what is left in the end.")
    var after: String

    @Argument(help: "Where to mount it.")
    var mountPoint: String

    @Option(help: "Decides what a cut leaves.")
    var seed: UInt64

    func run() throws {
        let signals = Self.blockSignals()
        let disk = DiskFileSystem(try DiskImage.load(FilePath(before)), seed: seed)
        var options = SessionOptions()
        options.isWritable = true
        let session = try FuseSession(
            fileSystem: disk, options: options, logger: Logger(label: "powercut"))
        try session.mount(at: mountPoint)
        // Both threads live to the end of the process.
        _ = Thread(name: "powercut-signal") {
            var signals = signals
            var number: Int32 = 0
            sigwait(&signals, &number)
            if number == SIGUSR1 { disk.cut() } else { session.stop() }
        }
        _ = Thread(name: "powercut-end") {
            disk.waitForCut()
            session.stop()
        }
        session.run {}
        try DiskImage.store(disk.remains, in: FilePath(after))
    }

    /// Every thread that is started later inherits this.
    private static func blockSignals() -> sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGUSR1, SIGTERM] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        return signals
    }
}
