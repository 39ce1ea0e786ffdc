import HTTPTypes
import HummingbirdCore

/// The admin API: faults and counters, for clients on this machine only. Not counted, not harmed.
extension HubResponder {
    private struct FaultID: Codable {
        let id: Int
    }

    func administer(
        _ words: [String], _ request: Request, _ writer: consuming ResponseWriter,
        _ connection: Connection
    ) async throws {
        let admin = HubRequest(
            request, traffic: .api, plan: FaultPlan(), connection: connection,
            counters: Counters())
        let answer: Answer
        do {
            guard connection.isFromLoopback else { throw Refusal.unknownPath }
            answer = try await self.answer(words, admin)
        } catch let refusal as Refusal {
            answer = try refusal.answer(isText: false)
        }
        let delivery = Delivery(
            connection: connection, plan: FaultPlan(), traffic: .api, counters: Counters())
        try await delivery.send(answer, isHead: request.method == .head, by: writer)
    }

    private func answer(_ words: [String], _ request: HubRequest) async throws -> Answer {
        switch (request.method, words.first, words.count) {
        case (.get, "faults", 1):
            return try .json(service.faults.entries.map { FaultBody($0) })
        case (.post, "faults", 1):
            return try await addFault(request)
        case (.delete, "faults", 1):
            service.faults.clear()
            return try .json([String: String]())
        case (.delete, "faults", 2):
            guard let id = Int(words[1]), service.faults.remove(id) else {
                throw Refusal.entryNotFound(commit: nil)
            }
            return try .json([String: String]())
        case (.get, "stats", 1):
            return try .json(service.counters.snapshot)
        case (.delete, "stats", 1):
            return try .json(service.counters.reset())
        default:
            throw Refusal.unknownPath
        }
    }

    private func addFault(_ request: HubRequest) async throws -> Answer {
        let body = try await request.json(FaultBody.self)
        let fault: Fault
        do {
            fault = try body.fault()
        } catch {
            throw Refusal.unprocessable("\(error)")
        }
        guard let id = service.faults.add(fault) else {
            throw Refusal.conflict("At most \(FaultBoard.entriesMax) faults", url: nil)
        }
        return try .json(FaultID(id: id))
    }
}
