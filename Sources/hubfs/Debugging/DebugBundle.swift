import FuseBridge
import Glibc
import HubClient
import Platform

/// What can be known of a mount for a report, also while its daemon hangs: nothing here asks the mount
/// itself, and each part is given up when it takes too long.
struct DebugBundle {
    struct Part: Sendable {
        let name: String
        let text: String
    }

    let parts: [Part]

    private static let patienceSeconds = 3.0
    private static let logBytesMax = 512 << 10
    private static let procBytesMax = 256 << 10

    /// - Parameter mount: Of this user, or any for root.
    init(of mount: MountedFolder) {
        let path = mount.path
        let folders = ControlFolder.existing(Environment())
        let report = MountReport.ask(
            [path], folders, .now.advanced(bySeconds: Self.patienceSeconds))[0]
        var status: MountStatus?
        if case .answered(let answered) = report.state { status = answered }
        let pid = status?.pid ?? Self.daemon(of: path, folders)
        let process = pid.map { DaemonProcess(pid: $0) }
        let logPath =
            status?.logPath ?? MountRequest.defaultLogPath(of: path, Environment())
        let makers: [(String, @Sendable () throws -> String)] = [
            ("about.txt", { Self.about(pid) }),
            ("status.json", { [json = report.json] in json.text + "\n" }),
            ("stats.json", { try StatsCommand.figures(of: mount).jsonWithRatios.text + "\n" }),
            ("log.txt", { try Self.log(logPath) }),
            ("mount.txt", { try Self.mountLines(path, pid) }),
            ("daemon.txt", { process?.text ?? "no daemon was found\n" }),
            ("environment.txt", { process?.environmentText(Redaction()) ?? "" }),
        ]
        let made = makers.map { name, make in Part(name: name, text: Self.bounded(make)) }
        let redaction = Redaction(
            secrets: [Environment().variables, process?.environment ?? [:]].flatMap {
                Self.secrets($0, tokenFile: process?.tokenFile)
            })
        parts = made.map { Part(name: $0.name, text: redaction.apply($0.text)) }
    }

    /// The bundle in one file.
    ///
    /// - Parameter folder: In which the parts are.
    func archive(in folder: String) -> [UInt8] {
        var archive = TarArchive()
        let now = Int64(time(nil))
        for part in parts {
            archive.add("\(folder)/\(part.name)", Array(part.text.utf8), seconds: now)
        }
        return archive.gzipped
    }

    /// Runs `make` on a thread of its own, which is left behind when it does not come back.
    private static func bounded(_ make: @escaping @Sendable () throws -> String) -> String {
        let answer = Monitor<String?>(nil)
        _ = Thread(name: "hubfs-debug") {
            let text: String
            do {
                text = try make()
            } catch let failure as Failure {
                text = "not known: \(failure.sentence)\n"
            } catch {
                text = "not known: \(error)\n"
            }
            answer.update { $0 = text }
        }
        let deadline = MonotonicInstant.now.advanced(bySeconds: patienceSeconds)
        return answer.wait(until: deadline) { $0 } ?? "not known: it took too long\n"
    }

    private static func about(_ pid: Int32?) -> String {
        var name = utsname()
        uname(&name)
        func text(_ field: some Any) -> String {
            withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        return """
            hubfs \(hubfsVersion)
            time \(utcTime(seconds: Int64(time(nil))))
            kernel \(text(name.sysname)) \(text(name.release)) \(text(name.machine))
            user \(geteuid()), daemon \(pid.map { "\($0)" } ?? "not found")
            libfuse \(FuseSession.libraryVersion)
            FUSE \(FuseFacts.current.obstacle ?? "can be used")

            """
    }

    private static func log(_ path: String) throws -> String {
        // A log in a mount is asked for through its daemon, which may be the one that hangs.
        if MountPath.split(path) != nil { return "not read: \(path) is in a mount\n" }
        return try readSmallFile(path, bytesMax: logBytesMax)
    }

    /// The mount's lines as this process and its daemon see them. Source: man 5 proc_pid_mountinfo.
    private static func mountLines(_ path: String, _ pid: Int32?) throws -> String {
        var text = ""
        for process in ["self"] + (pid.map { ["\($0)"] } ?? []) {
            let all = try readSmallFile("/proc/\(process)/mountinfo", bytesMax: procBytesMax)
            let lines = all.split(separator: "\n").filter {
                MountRecord(line: $0)?.mountPoint == path
            }
            text += "seen by \(process):\n" + lines.map { $0 + "\n" }.joined()
        }
        return text
    }

    /// The daemon, also one that does not answer.
    private static func daemon(of path: String, _ folders: [ControlFolder]) -> Int32? {
        guard let client = try? ControlClient(mountPoint: path, folders: folders) else {
            return nil
        }
        defer { client.close() }
        return client.daemon
    }

    private static func secrets(_ variables: [String: String], tokenFile: String?) -> [String] {
        let names = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUBFS_TOKEN"]
        let found = HubEnvironment(variables: variables, tokenFile: tokenFile).token.token?.secret
        let stored = HubEnvironment(variables: variables).token.token?.secret
        return names.compactMap { variables[$0] } + [found, stored].compactMap(\.self)
    }
}
