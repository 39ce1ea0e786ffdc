/// Takes what must not leave the machine out of a text: tokens, Authorization headers, the queries of web
/// addresses (a signed address is as good as a token), and names and passwords in them.
struct Redaction {
    static let mark = "REMOVED"

    /// Secrets that are known by themselves, such as the token in force.
    private let secrets: [String]

    /// Shorter texts would be found everywhere.
    private static let secretCountMin = 4

    init(secrets: [String] = []) {
        self.secrets = secrets.filter { $0.count >= Self.secretCountMin }
    }

    func apply(_ text: String) -> String {
        var text = text
        for secret in secrets { text = text.replacing(secret, with: Self.mark) }
        text = text.replacing(#/(?i)(authorization["']?\s*[:=]\s*)[^\r\n]*/#) {
            "\($0.1)\(Self.mark)"
        }
        text = text.replacing(#/(?i)(bearer\s+)[^\s"',;]+/#) { "\($0.1)\(Self.mark)" }
        text = text.replacing(#/\bhf_[A-Za-z0-9]{6,}/#, with: Self.mark)
        text = text.replacing(#/(?i)\b((?:https?|socks\w*):/\/)[^\s/"'<>?#@]*@/#) {
            "\($0.1)\(Self.mark)@"
        }
        return text.replacing(#/(?i)(\bhttps?:/\/[^\s"'<>?]*)\?[^\s"'<>]*/#) {
            "\($0.1)?\(Self.mark)"
        }
    }

    /// The value of a variable of the environment, as far as it may be shown.
    func value(_ value: String, of name: String) -> String {
        let name = name.uppercased()
        let isSecret = ["TOKEN", "SECRET", "PASS", "KEY", "CREDENTIAL"].contains {
            name.contains($0) && !name.hasSuffix("_PATH")
        }
        if isSecret { return Self.mark }
        // A proxy can be written without a scheme: user:password@host.
        if name.hasSuffix("_PROXY"), let at = value.lastIndex(of: "@") {
            return Self.mark + apply(String(value[at...]))
        }
        return apply(value)
    }
}
