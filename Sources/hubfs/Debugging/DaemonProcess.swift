import Platform
import SystemPackage

/// A daemon as the kernel shows it, whether it answers or not. Source: man 5 proc.
struct DaemonProcess: Sendable {
    let pid: Int32

    private static let threadCountMax = 200

    /// Its command line, in which no token ever stands.
    var words: [String] { file("cmdline").split(separator: "\0").map(String.init) }

    var environment: [String: String] {
        file("environ").split(separator: "\0").reduce(into: [:]) { variables, entry in
            let pair = entry.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { variables[String(pair[0])] = String(pair[1]) }
        }
    }

    /// The file of `--token-file`.
    var tokenFile: String? {
        for (index, word) in words.enumerated() {
            if word == "--token-file", index + 1 < words.count { return words[index + 1] }
            for list in word.split(separator: ",") {
                let pair = list.split(separator: "=", maxSplits: 1)
                guard pair.count == 2, pair[0].hasSuffix("token-file") else { continue }
                return String(pair[1])
            }
        }
        return nil
    }

    /// Options, state, limits, and where each thread is.
    var text: String {
        var text = "command line:\n" + words.map { "  \($0)\n" }.joined()
        for name in ["status", "limits", "io"] { text += "\(name):\n" + file(name) }
        text += "threads (name, state and what it waits for):\n"
        let threads = ((try? Folder.names(in: FilePath("/proc/\(pid)/task"))) ?? []).sorted()
        for thread in threads.prefix(Self.threadCountMax) {
            let name = file("task/\(thread)/comm").filter { $0 != "\n" }
            let state = file("task/\(thread)/stat").split(separator: ")").last?.prefix(2) ?? ""
            text += "  \(thread) \(name)\(state) \(file("task/\(thread)/wchan"))\n"
        }
        return text
    }

    /// The variables hubfs and curl look at.
    func environmentText(_ redaction: Redaction) -> String {
        let names = environment.keys.sorted().filter { name in
            ["HF_", "HUBFS_", "XDG_", "HUGGING", "CURL_", "SSL_"].contains { name.hasPrefix($0) }
                || name.lowercased().hasSuffix("_proxy")
        }
        return names.map { "\($0)=\(redaction.value(environment[$0] ?? "", of: $0))\n" }.joined()
    }

    private func file(_ name: String) -> String {
        (try? readSmallFile("/proc/\(pid)/\(name)")) ?? ""
    }
}
