import Platform

/// What came by way of the content-addressed store so far, and why other things did not.
package struct XetFigures: Hashable, Sendable {
    /// Why something was fetched the plain way that was meant to come by the store.
    package enum Reason: String, Hashable, Sendable, CaseIterable {
        /// No token, or none that the store takes.
        case token
        /// The store does not say how the file is put together, or says it wrongly.
        case plan
        /// A part of a xorb did not come.
        case transfer
        /// What came are not the chunks that were asked for.
        case chunks
        /// The range lies in too many parts of xorbs.
        case scattered
        /// The file that was put together is not the one that the Hub names.
        case content
    }

    /// Files of which the store has said how they are put together.
    package var plannedCount: UInt64 = 0
    /// Bytes of contents that were unpacked from xorbs.
    package var unpackedBytes: UInt64 = 0
    /// Bytes of contents that other contents of the cache had.
    package var sharedBytes: UInt64 = 0
    /// How often the plain way was taken, by reason.
    package var fallbacks: [Reason: UInt64] = [:]
    /// The last of these in words.
    package var lastFallback: String?

    package init() {}
}
