import HubClient

/// Where the tensors of a safetensors file lie: places where a reader starts, and may well stop.
///
/// A loader that wants one tensor reads it like any stream, and what is read ahead beyond its end is
/// fetched in vain. The file says itself where that is.
///
/// | offset | size | meaning |
/// |---|---|---|
/// | 0 | 8 | bytes of the header, n, little-endian |
/// | 8 | n | JSON: name -> {"data_offsets": [begin, end], …}, counted from the end of the header |
///
/// Source: the safetensors format's own description.
struct TensorLayout: Sendable, Equatable {
    /// Longer headers are not looked at: they would cost more time than they save.
    static let headerBytesMax: UInt64 = 1 << 20
    static let lengthBytes = 8

    /// Where the first tensor begins, from the start of the file.
    let dataStart: UInt64
    /// Ends of the tensors, from the start of the file, ascending.
    let ends: [UInt64]

    /// - Returns: how long the header is, nil when the file does not begin like a safetensors file
    ///   or the header is longer than `headerBytesMax`.
    static func headerBytes(_ length: UnsafeRawBufferPointer) -> UInt64? {
        guard length.count == lengthBytes else { return nil }
        let count = UInt64(littleEndian: length.loadUnaligned(as: UInt64.self))
        return (2...headerBytesMax).contains(count) ? count : nil
    }

    /// - Parameter header: The header's JSON, without its length.
    /// - Returns: nil when it is not what the format describes.
    init?(header: [UInt8]) {
        guard case .object(let tensors) = JSON(header) else { return nil }
        let dataStart = UInt64(Self.lengthBytes + header.count)
        var ends: [UInt64] = []
        for (name, tensor) in tensors where name != "__metadata__" {
            guard let offsets = tensor["data_offsets"]?.array, offsets.count == 2,
                let end = offsets[1].unsigned
            else { return nil }
            ends.append(dataStart + end)
        }
        self.dataStart = dataStart
        self.ends = ends.sorted()
    }

    /// The tensor that `offset` lies in; nil in the header and behind the last. The format has no
    /// gaps between tensors, so each begins where another ends.
    func tensor(at offset: UInt64) -> Range<UInt64>? {
        guard offset >= dataStart else { return nil }
        let index = firstEnd(after: offset)
        guard index < ends.count else { return nil }
        return (index == 0 ? dataStart : ends[index - 1])..<ends[index]
    }

    /// The first end of a tensor beyond `offset`; nil behind the last.
    func end(after offset: UInt64) -> UInt64? {
        let index = firstEnd(after: offset)
        return index < ends.count ? ends[index] : nil
    }

    private func firstEnd(after offset: UInt64) -> Int {
        var low = 0
        var high = ends.count
        while low < high {
            let middle = (low + high) / 2
            if ends[middle] > offset { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
