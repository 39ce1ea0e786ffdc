import FuseBridge
import HubClient

/// What a daemon tells of its connection to the kernel.
struct KernelStatus: Sendable {
    /// `on`, or why the kernel does not read whole files by itself.
    var passthrough: String
    /// Opens of files that the kernel reads by itself.
    var passthroughOpens: UInt64
    /// How often the kernel has asked for what.
    var requests: [String: UInt64]

    /// `passthrough on, 3 opens; 12 requests to open, 0 to read`, for people.
    var text: String {
        let opens = Self.counted(passthroughOpens, "open")
        let (asked, read) = (requests["open"] ?? 0, requests["read"] ?? 0)
        return "passthrough \(passthrough), \(opens); "
            + "\(Self.counted(asked, "request")) to open, \(read) to read"
    }

    private static func counted(_ count: UInt64, _ noun: String) -> String {
        "\(count) \(noun)\(count == 1 ? "" : "s")"
    }

    var json: JSON {
        .object([
            "passthrough": .string(passthrough), "passthroughOpens": .count(passthroughOpens),
            "requests": .object(requests.mapValues { .count($0) }),
        ])
    }
}

extension KernelStatus {
    /// - Parameters:
    ///   - passthrough: Whether the kernel reads whole files by itself, and how many opens were of that
    ///     kind.
    ///   - requests: What the kernel has asked for since the mount began.
    init(
        _ passthrough: (standing: BackingFiles.Standing, openCount: UInt64),
        requests: [String: UInt64]
    ) {
        let text =
            switch passthrough.standing {
            case .on: "on"
            case .unavailable: "off"
            case .refused(let code): "refused by the kernel: \(code)"
            }
        self.init(
            passthrough: text, passthroughOpens: passthrough.openCount, requests: requests)
    }

    /// - Returns: nil when a member is missing or of another type.
    init?(_ json: JSON) {
        guard let passthrough = json["passthrough"]?.string,
            let opens = json["passthroughOpens"]?.unsigned,
            let requests = json["requests"]?.members
        else { return nil }
        self.init(
            passthrough: passthrough, passthroughOpens: opens,
            requests: requests.compactMapValues(\.unsigned))
    }
}
