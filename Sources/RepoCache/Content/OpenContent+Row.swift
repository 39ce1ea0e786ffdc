import HubClient
import Synchronization

/// A small content's row, which is looked for once while the content is open.
extension OpenContent {
    /// The bytes, from memory or the row.
    func rowBytes() -> [UInt8]? {
        if isRowAbsent.load(ordering: .acquiring) {
            return services.small.bytesInMemory(of: location.content)
        }
        let bytes = services.small.bytes(of: location.content)
        if bytes == nil { isRowAbsent.store(true, ordering: .releasing) }
        return bytes
    }

    /// Whether there is a row, or is about to be.
    var holdsRow: Bool {
        if isRowAbsent.load(ordering: .acquiring) { return false }
        let isThere = services.small.holds(location.content)
        if !isThere { isRowAbsent.store(true, ordering: .releasing) }
        return isThere
    }
}
