import ArgumentParser
import Foundation
import LocalHub

struct Stats: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what a running server was asked and has sent.")

    @OptionGroup var server: ServerOption

    @Flag(help: "Begin anew after showing.")
    var reset = false

    @Flag(help: "As JSON.")
    var json = false

    func run() throws {
        let answer = try server.client().send(reset ? "DELETE" : "GET", "stats")
        let stats = try JSONDecoder().decode(Counters.Snapshot.self, from: answer)
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(stats), as: UTF8.self))
            return
        }
        print("class      requests     sent bytes   received bytes")
        for traffic in TrafficClass.allCases {
            let tally = stats[traffic]
            print(
                pad(traffic.rawValue, -8), pad("\(tally.requests)", 10),
                pad("\(tally.bytesSent)", 14), pad("\(tally.bytesReceived)", 16))
        }
        print("\(stats.connections) connections")
    }

    /// Text in a column, to the right, or to the left if the width is negative.
    private func pad(_ text: String, _ width: Int) -> String {
        let space = String(repeating: " ", count: max(0, abs(width) - text.count))
        return width < 0 ? text + space : space + text
    }
}
