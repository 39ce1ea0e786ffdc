import ArgumentParser
import HubClient

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check what mounting needs, and name the fix for what is missing.",
        discussion: """
            Each line is ok, warn or fail. Ends with code 0 unless a line says fail. Tells where the \
            token was found, never what it is.
            """)

    @OptionGroup(title: "Hub options")
    var hub: HubOptions

    @OptionGroup(title: "Cache options")
    var cache: CacheOptions

    @Flag(help: "As one JSON object with the members 'ok' and 'checks'.")
    var json = false

    func run() throws {
        let environment = Environment()
        let checks =
            Check.fuse(.current) + Check.hub(hub, environment)
            + Check.storage(cache, environment)
        let failureCount = checks.count { $0.outcome == .fail }
        if json {
            let report: [String: JSON] = [
                "ok": .bool(failureCount == 0), "checks": .array(checks.map(\.json)),
            ]
            try writeLine(JSON.object(report).text)
        } else {
            for line in columns(checks.map { [$0.outcome.rawValue, $0.name, text(of: $0)] }) {
                try writeLine(line)
            }
        }
        if failureCount > 0 {
            throw Failure(.failure, "\(failureCount) of \(checks.count) checks failed")
        }
    }

    private func text(of check: Check) -> String {
        check.finding + (check.fix.map { "; to fix it: \($0)" } ?? "")
    }
}
