import Synchronization

/// How much was asked and sent, by class of traffic and by endpoint.
package final class Counters: Sendable {
    /// Requests and bytes of bodies; heads are not counted.
    package struct Tally: Codable, Equatable, Sendable {
        package var requests = 0
        package var bytesSent = 0
        package var bytesReceived = 0
    }

    package struct Snapshot: Codable, Equatable, Sendable {
        /// Keys are the names of `TrafficClass`; each is present.
        package var classes: [String: Tally]
        /// Requests by endpoint (`tree`, `info`, `resolve`…); only those that were asked.
        package var endpoints: [String: Int]
        /// Answers by status code; none for connections broken before a head.
        package var statuses: [String: Int]
        /// Connections accepted by either listener.
        package var connections: Int

        package subscript(_ traffic: TrafficClass) -> Tally {
            classes[traffic.rawValue] ?? Tally()
        }

        static var empty: Snapshot {
            Snapshot(
                classes: Dictionary(
                    uniqueKeysWithValues: TrafficClass.allCases.map { ($0.rawValue, Tally()) }),
                endpoints: [:], statuses: [:], connections: 0)
        }
    }

    private let state = Mutex(Snapshot.empty)

    package init() {}

    package var snapshot: Snapshot {
        state.withLock { $0 }
    }

    /// - Returns: what was counted until now.
    @discardableResult
    package func reset() -> Snapshot {
        state.withLock { state in
            defer { state = .empty }
            return state
        }
    }

    func countRequest(_ traffic: TrafficClass, endpoint: String) {
        state.withLock {
            $0.classes[traffic.rawValue]?.requests += 1
            $0.endpoints[endpoint, default: 0] += 1
        }
    }

    func countSent(_ bytes: Int, _ traffic: TrafficClass) {
        state.withLock { $0.classes[traffic.rawValue]?.bytesSent += bytes }
    }

    func countReceived(_ bytes: Int, _ traffic: TrafficClass) {
        state.withLock { $0.classes[traffic.rawValue]?.bytesReceived += bytes }
    }

    func countStatus(_ status: Int) {
        state.withLock { $0.statuses[String(status), default: 0] += 1 }
    }

    func countConnection() {
        state.withLock { $0.connections += 1 }
    }
}
