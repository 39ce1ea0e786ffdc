import HubClient
import Platform
import XetCodec

/// Xorbs on their way to the store, some at a time.
final class XorbTransfers: Sendable {
    private struct State {
        var runningCount = 0
        var failure: HubError?
        var sentByteCount = 0
    }

    /// Each holds its bytes in memory, as does the one that is packed when there is room for it.
    private static let countMax = 3

    private let uploads: XetUploads
    private let state = Monitor(State())

    init(_ uploads: XetUploads) { self.uploads = uploads }

    /// Bytes of xorbs that were sent and taken.
    var sentByteCount: Int { state.update { $0.sentByteCount } }

    /// Waits while as many are on their way as may be: before the next one is packed.
    ///
    /// - Throws: when an earlier one has failed.
    func waitForRoom() throws(HubError) {
        let turn = state.wait { state -> Result<Void, HubError>? in
            if let failure = state.failure { return .failure(failure) }
            return state.runningCount < Self.countMax ? .success(()) : nil
        }
        try turn!.get()
    }

    /// Sends a xorb.
    ///
    /// - Parameter stored: Runs on a transfer thread when the store has it.
    func start(_ hash: XetHash, _ bytes: [UInt8], stored: @escaping @Sendable () -> Void) {
        state.update { $0.runningCount += 1 }
        uploads.store(hash, bytes) { [state] result in
            if case .success = result { stored() }
            state.update { state in
                state.runningCount -= 1
                switch result {
                case .success(let count): state.sentByteCount += count
                case .failure(let error): state.failure = state.failure ?? error
                }
            }
        }
    }

    /// Waits until none is on its way.
    ///
    /// - Throws: what the first that failed has failed with.
    func finish() throws(HubError) {
        let end = state.wait { state -> Result<Void, HubError>? in
            guard state.runningCount == 0 else { return nil }
            return state.failure.map { .failure($0) } ?? .success(())
        }
        try end!.get()
    }
}
