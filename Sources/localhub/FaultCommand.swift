import ArgumentParser
import Foundation
import LocalHub

struct FaultCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fault",
        abstract: "Make a running server fail on demand.",
        subcommands: [Add.self, List.self, Clear.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a fault; prints its number.",
            discussion: """
                Exactly one of the kinds below, and which requests it strikes. Faults are tried in \
                the order they were added; delays, links, flipped bytes, gzip and ignored ranges \
                add up, of all others the first one ends the request.

                The second commit from now fails:  fault add --status 412 \
                --path '/api/*/commit/*' --skip 1 --count 1
                """)

        @OptionGroup var server: ServerOption
        @OptionGroup(title: "Kinds") var kind: FaultKindOptions
        @OptionGroup(title: "Which requests") var scope: FaultScopeOptions

        func run() throws {
            var body = try kind.body()
            scope.fill(&body)
            // Said here what the server would say, before anything is sent.
            do {
                _ = try body.fault()
            } catch {
                throw ValidationError("\(error)")
            }
            let answer = try server.client().send(
                "POST", "faults", body: try JSONEncoder().encode(body))
            let added = try JSONDecoder().decode([String: Int].self, from: answer)
            print(added["id"] ?? 0)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the faults as JSON, with how often each matched and fired.")

        @OptionGroup var server: ServerOption

        func run() throws {
            let answer = try server.client().send("GET", "faults")
            for fault in try JSONDecoder().decode([FaultBody].self, from: answer) {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                print(String(decoding: try encoder.encode(fault), as: UTF8.self))
            }
        }
    }

    struct Clear: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove all faults, or those of the numbers given.")

        @OptionGroup var server: ServerOption

        @Argument(help: "Numbers that 'fault add' printed.")
        var ids: [Int] = []

        func run() throws {
            let client = try server.client()
            if ids.isEmpty { _ = try client.send("DELETE", "faults") }
            for id in ids { _ = try client.send("DELETE", "faults/\(id)") }
        }
    }
}

/// Which requests a fault strikes.
struct FaultScopeOptions: ParsableArguments {
    @Option(help: "Glob over the URL's path; * also passes slashes.")
    var path: String?

    @Option(help: "Only this method.")
    var method: String?

    @Option(
        name: .customLong("class"), help: "Only this class: api, resolve, cdn, lfs, cas or xorb.")
    var traffic: TrafficClass?

    @Option(
        name: .customLong("to"),
        help: ArgumentHelp(
            "Only requests to this endpoint, as 'localhub stats' calls it: commit, lfs-part…",
            valueName: "endpoint"))
    var endpoint: String?

    @Option(help: "Matching requests that pass first.")
    var skip: Int?

    @Option(help: "How many requests it strikes; without it all.")
    var count: Int?

    @Option(help: "How likely it strikes, 0 to 100.")
    var percent: Double?

    @Option(help: "Where the generator behind --percent begins.")
    var seed: UInt64?

    func fill(_ body: inout FaultBody) {
        body.path = path
        body.method = method
        body.class = traffic
        body.endpoint = endpoint
        body.skip = skip
        body.count = count
        body.percent = percent
        body.seed = seed
    }
}
