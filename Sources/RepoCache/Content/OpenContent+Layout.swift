import HubClient
import Platform
import Synchronization

extension OpenContent {
    /// Whether the file's layout has been looked for.
    enum LayoutSearch: UInt8 {
        /// The header was not here yet.
        case open
        /// Found, or not to be had.
        case done
    }

    /// Tells readahead where the tensors of a safetensors file end, as soon as its header is here.
    /// Readers read that first.
    func learnLayout() {
        guard layoutSearch.load(ordering: .relaxed) == LayoutSearch.open.rawValue else { return }
        guard location.path.utf8.suffix(12).elementsEqual(".safetensors".utf8) else {
            return layoutSearch.store(LayoutSearch.done.rawValue, ordering: .relaxed)
        }
        guard let length = presentBytes(0..<UInt64(TensorLayout.lengthBytes)) else { return }
        guard let count = length.withUnsafeBytes({ TensorLayout.headerBytes($0) }) else {
            return layoutSearch.store(LayoutSearch.done.rawValue, ordering: .relaxed)
        }
        let start = UInt64(TensorLayout.lengthBytes)
        guard let header = presentBytes(start..<start + count) else { return }
        layoutSearch.store(LayoutSearch.done.rawValue, ordering: .relaxed)
        let layout = TensorLayout(header: header)
        streams.withLock { $0.layout = layout }
    }

    private func presentBytes(_ range: Range<UInt64>) -> [UInt8]? {
        guard range.upperBound <= geometry.size else { return nil }
        var isPresent = false
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            isPresent = copyPresent(range, into: UnsafeMutableRawBufferPointer(buffer))
            count = isPresent ? range.count : 0
        }
        return isPresent ? bytes : nil
    }
}
