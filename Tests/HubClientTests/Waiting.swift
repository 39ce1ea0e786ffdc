import HubClient
import Platform

/// Asks and waits for the answer: for commands, which have nothing else to do. Never on a transfer
/// or FUSE thread.
///
/// - Parameter seconds: How long to wait at most; a question may consist of many requests.
/// - Throws: what the question ends with; `.unreachable` when the time is up first.
func waitForResult<Value: Sendable>(
    withinSeconds seconds: Double,
    _ ask: (@escaping @Sendable (Result<Value, HubError>) -> Void) -> Void
) throws(HubError) -> Value {
    let answer = Monitor<Result<Value, HubError>?>(nil)
    ask { result in answer.update { $0 = result } }
    let result = answer.wait(until: .now.advanced(bySeconds: seconds)) { $0 }
    guard let result else {
        throw .unreachable(url: "", reason: "no answer within \(Int(seconds)) s")
    }
    return try result.get()
}
