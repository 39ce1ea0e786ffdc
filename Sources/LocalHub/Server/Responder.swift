import Foundation
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import Synchronization

/// Answers each request of one listener: counts it, lets the faults at it, runs its handler.
struct HubResponder: Sendable {
    enum Listener: Sendable {
        case hub
        case cdn
    }

    let listener: Listener
    let service: HubService
    let limits: RateLimits
    let logger: Logger

    func respond(
        _ request: Request, _ writer: consuming ResponseWriter, _ connection: Connection
    ) async throws {
        let path = HubRequest.split(request.head.path ?? "/").path
        let endpoint = listener == .hub ? Endpoint.hub(path) : .unknown
        if case .admin(let words) = endpoint {
            return try await administer(words, request, writer, connection)
        }
        let traffic = traffic(endpoint, request.method, path)
        let name = name(endpoint, traffic, path, request.method)
        service.counters.countRequest(traffic, endpoint: name)
        let plan = service.faults.plan(
            method: request.method.rawValue, path: path, traffic: traffic, endpoint: name)
        let delivery = Delivery(
            connection: connection, plan: plan, traffic: traffic, counters: service.counters)
        let hubRequest = HubRequest(
            request, traffic: traffic, plan: plan, connection: connection,
            counters: service.counters)

        for delay in plan.delays { try await Task.sleep(for: .milliseconds(delay)) }
        if let link = plan.link { try await connection.waitForFirstByte(link) }
        let limit = limit(endpoint, plan)
        var answer: Answer
        if let early = try await early(plan, traffic, connection) {
            answer = early
        } else if let limit, limit.isExceeded {
            let refusal = Refusal.rateLimited(seconds: limit.seconds)
            answer = try refusal.answer(isText: traffic != .api && traffic != .cas)
        } else {
            if request.headers[.expect]?.lowercased() == "100-continue" {
                try await writer.writeInformationalHead(HTTPResponse(status: .continue))
            }
            answer = try await handle(hubRequest, endpoint)
        }
        switch plan.ending {
        case .loseAnswer: try await connection.reset()
        case .stallAnswer: try await connection.stall()
        case .lateStatus(let code): answer = try Self.failure(code)
        default: break
        }
        answer.headers[.date] = HTTPDate.now
        answer.headers[.requestID] = RequestID.next()
        answer.headers[.rateLimit] = limit?.limit
        answer.headers[.rateLimitPolicy] = limit?.policy
        try await delivery.send(answer, isHead: request.method == .head, by: writer)
    }

    // MARK: Faults before the handler

    /// - Returns: the answer a fault gives in place of the handler's.
    private func early(
        _ plan: FaultPlan, _ traffic: TrafficClass, _ connection: Connection
    ) async throws -> Answer? {
        switch plan.ending {
        case .reset(nil): try await connection.reset()
        case .stall(nil): try await connection.stall()
        case .rateLimited(let seconds):
            return try Refusal.rateLimited(seconds: seconds).answer(
                isText: traffic != .api && traffic != .cas)
        case .expired: return try Refusal.urlExpired.answer(isText: true)
        case .status(let code, let retryAfter, let message):
            var answer = try Self.failure(code, message)
            answer.headers[.retryAfter] = retryAfter.map { String($0) }
            return answer
        default: break
        }
        return nil
    }

    private static func failure(_ status: Int, _ message: String? = nil) throws -> Answer {
        let message = message ?? words(status)
        return try .json(
            ["error": message], HTTPResponse.Status(code: status),
            headers: [.errorMessage: Refusal.headerText(message)])
    }

    /// The Hub's own words, where it has some for the status.
    private static func words(_ status: Int) -> String {
        switch status {
        case 409: Refusal.repositoryIsBusy.message
        case 412: Refusal.branchMoved.message
        default: HTTPResponse.Status(code: status).reasonPhrase
        }
    }

    // MARK: The handler

    private func handle(_ request: HubRequest, _ endpoint: Endpoint) async throws -> Answer {
        let isText = [.resolve, .cdn, .xorb].contains(request.traffic)
        do {
            switch listener {
            case .hub: return try await service.handle(request, endpoint)
            case .cdn: return try await service.cdn(request)
            }
        } catch let refusal as Refusal {
            return try refusal.answer(isText: isText)
        } catch is CancellationError {
            throw CancellationError()
        } catch let failure as HubRequest.Failure {
            throw failure
        } catch let failure as Connection.Failure {
            throw failure
        } catch {
            logger.error("\(request.method) \(request.path): \(error)")
            return try .json(["error": "Internal error"], .internalServerError)
        }
    }

    private func traffic(
        _ endpoint: Endpoint, _ method: HTTPRequest.Method, _ path: String
    ) -> TrafficClass {
        switch listener {
        case .hub: endpoint.traffic
        case .cdn where path.hasPrefix("/xorbs/"): .xorb
        case .cdn: method == .put ? .lfs : .cdn
        }
    }

    private func name(
        _ endpoint: Endpoint, _ traffic: TrafficClass, _ path: String,
        _ method: HTTPRequest.Method
    ) -> String {
        switch (listener, traffic) {
        case (.hub, _): endpoint.name
        case (.cdn, .xorb): method == .put ? "xorb-upload" : "xorb"
        case (.cdn, .lfs): path.hasPrefix("/multipart/") ? "lfs-part" : "lfs-upload"
        case (.cdn, _): "cdn"
        }
    }

    // MARK: Rate limits

    /// The window this request counts in; the CDN and the CAS have none.
    private func limit(_ endpoint: Endpoint, _ plan: FaultPlan) -> RateLimits.Headers? {
        guard listener == .hub, endpoint.traffic != .cas else { return nil }
        let bucket: RateLimits.Bucket
        switch endpoint.name {
        case "resolve", "raw": bucket = .resolvers
        case "unknown": bucket = .pages
        default: bucket = .api
        }
        if case .rateLimited(let seconds) = plan.ending {
            return RateLimits.headers(bucket, remaining: 0, seconds: seconds)
        }
        return limits.count(bucket, now: Date())
    }
}

/// The Date header, made once a second.
private enum HTTPDate {
    private static let cached = Mutex((second: 0, text: ""))

    static var now: String {
        let seconds = Int(Date().timeIntervalSince1970)
        return cached.withLock { cached in
            if cached.second != seconds { cached = (seconds, text(seconds)) }
            return cached.text
        }
    }

    private static func text(_ seconds: Int) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
    }
}

/// Numbers answers, so that a log line and a client's error meet.
private enum RequestID {
    private static let count = Atomic<Int>(0)

    static func next() -> String {
        let number = count.wrappingAdd(1, ordering: .relaxed).newValue
        return "localhub-\(number)"
    }
}
