import HubClient

/// What is said over a control socket: one line of JSON asks, one line of JSON answers.
///
///     -> {"hubfs":1,"ask":"status"}
///     <- {"hubfs":1,"status":{…}}
///
/// `end` is answered by the connection itself: it is closed when the daemon ends. A request of another
/// version, or one that is not understood, is answered by `{"hubfs":1,"error":"…"}`.
enum ControlQuestion: String {
    case status
    case end

    static let version: Int64 = 1

    /// The line that asks this.
    var line: String {
        JSON.object(["hubfs": .integer(Self.version), "ask": .string(rawValue)]).line
    }

    /// - Returns: nil when the line is of another version or not understood.
    init?(line: [UInt8]) {
        guard let json = JSON(line), json["hubfs"]?.integer == Self.version,
            let question = json["ask"]?.string.flatMap({ ControlQuestion(rawValue: $0) })
        else { return nil }
        self = question
    }

    /// The line that answers `status`.
    static func answer(status: MountStatus) -> String {
        JSON.object(["hubfs": .integer(version), "status": status.json]).line
    }

    /// The line that answers a question nobody understands.
    static func answer(error: String) -> String {
        JSON.object(["hubfs": .integer(version), "error": .string(error)]).line
    }
}
