import HubClient
import Platform
import Synchronization

extension OpenContent {
    /// Looks for the file's layout.
    struct LayoutSearch: ~Copyable {
        /// False once it is known, or known not to be had: most reads need to see no more.
        let isOn: Atomic<Bool>
        /// Who reads it; nil while a thread does.
        let reader: Guarded<(any LayoutReader)?>

        init(path: String) {
            let reader = layoutReader(forPath: path)
            isOn = Atomic(reader != nil)
            self.reader = Guarded(reader, rank: .leaf)
        }
    }

    /// Tells readahead where the parts of the file end, as soon as what says so is here. Readers read
    /// that first.
    func learnLayout() {
        guard layoutSearch.isOn.load(ordering: .relaxed),
            var reader = layoutSearch.reader.withLock({ $0.take() })
        else { return }
        do throws(LayoutFault) {
            let bytes = PresentBytes(size: geometry.size) { self.presentBytes($0) }
            let layout = try reader.read(bytes)
            layoutSearch.isOn.store(false, ordering: .relaxed)
            streams.withLock { $0.layout = layout }
        } catch {
            switch error {
            case .absent: layoutSearch.reader.withLock { $0 = reader }
            case .malformed: layoutSearch.isOn.store(false, ordering: .relaxed)
            }
        }
    }

    private func presentBytes(_ range: Range<UInt64>) -> [UInt8]? {
        guard geometry.blocks(touching: range).allSatisfy({ isPresent($0) }) else { return nil }
        var isWhole = false
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            isWhole = copyPresent(range, into: UnsafeMutableRawBufferPointer(buffer))
            count = isWhole ? range.count : 0
        }
        return isWhole ? bytes : nil
    }
}
