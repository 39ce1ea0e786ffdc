import Glibc
import Platform

/// What this process has asked of the Hub, for `hubfs status`.
package final class HubCounters: Sendable {
    /// Which part of the Hub a request went to.
    package enum Class: String, Hashable, Sendable, CaseIterable {
        /// The API, resolve-cache included.
        case api
        /// resolve URLs: where is this file?
        case resolve
        /// The storage behind signed URLs.
        case cdn
        /// The content-addressed store's questions: how are files put together?
        case cas
        /// Parts of xorbs, at signed URLs of that store.
        case xorb
    }

    /// One reading.
    package struct Snapshot: Hashable, Sendable {
        /// Requests sent, repeated ones included.
        package var requests: [Class: UInt64] = [:]
        /// Bytes of bodies received, those that were dropped included.
        package var bytesReceived: [Class: UInt64] = [:]
        /// Bytes of files sent, repeated ones included.
        package var bytesSent: [Class: UInt64] = [:]
        /// Requests that were sent again.
        package var retries: UInt64 = 0
        /// The last error that a caller got.
        package var lastError: HubError?
        /// When, in seconds since 1970.
        package var lastErrorSeconds: Int?

        package init() {}
    }

    private let state = Guarded(Snapshot())

    package init() {}

    package var snapshot: Snapshot { state.withLock { $0 } }

    func countRequest(_ kind: Class) {
        state.withLock { $0.requests[kind, default: 0] += 1 }
    }

    func countBytes(_ count: Int, _ kind: Class) {
        state.withLock { $0.bytesReceived[kind, default: 0] += UInt64(count) }
    }

    func countBytesSent(_ count: UInt64, _ kind: Class) {
        state.withLock { $0.bytesSent[kind, default: 0] += count }
    }

    func countRetry() {
        state.withLock { $0.retries += 1 }
    }

    /// Remembers what a caller was told. Cancelling is no error of the Hub's.
    func note(_ error: HubError) {
        if error == .cancelled { return }
        let now = time(nil)
        state.withLock { state in
            state.lastError = error
            state.lastErrorSeconds = now
        }
    }
}
