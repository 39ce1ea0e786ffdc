/// A file on a disk with a volatile cache: what programs see, what is on the disk for certain, and
/// the changes in between.
struct CachedFile {
    fileprivate enum Change {
        case write(offset: Int, bytes: [UInt8])
        case resize(Int)
    }

    /// The file as programs see it.
    private(set) var bytes: [UInt8]
    /// The file as it is on the disk for certain.
    private var durable: [UInt8]
    /// What happened since, in its order.
    private var changes: [Change] = []

    private static let pageBytes = 4096

    /// - Parameter durable: What is on the disk; programs see the same.
    init(durable: [UInt8] = []) {
        self.durable = durable
        bytes = durable
    }

    mutating func write(_ new: [UInt8], at offset: Int) {
        changes.append(.write(offset: offset, bytes: new))
        bytes.put(new, at: offset)
    }

    mutating func resize(to size: Int) {
        changes.append(.resize(size))
        bytes.resize(to: size)
    }

    /// fsync and fdatasync: all bytes and the size are on the disk.
    mutating func sync() {
        durable = bytes
        changes = []
    }

    /// A file that a power cut can leave.
    ///
    /// As on ext4 with delayed allocation, and no kinder where its documentation promises less:
    /// - The size is metadata, which reaches the disk in the order of the changes: it is the size
    ///   after some of them.
    /// - Each page is written back by itself, at any time or never: it shows the state after any of
    ///   the writes that touched it, whatever other pages show. A page that the size covers and
    ///   that was never written back reads as zeros.
    /// - What was written after a change of the size can only be there if that change is: it lies
    ///   in blocks that the change took or gave.
    func survivor(using chance: inout some RandomNumberGenerator) -> [UInt8] {
        let sizesKept = Self.share(of: changes.count, using: &chance)
        let reach = changes[sizesKept...].firstIndex(where: \.isResize) ?? changes.count
        let pagesKept = Fate.allCases.randomElement(using: &chance)!
        var lastOfPage: [Int: Int] = [:]
        var image = durable
        var size = durable.count
        for (index, change) in changes[..<reach].enumerated() {
            switch change {
            case .resize(let new):
                image.resize(to: new)
                size = new
            case .write(let offset, let new):
                for (page, piece) in Self.pages(of: new, at: offset) {
                    let last =
                        lastOfPage[page]
                        ?? Self.share(of: reach, fate: pagesKept, using: &chance)
                    lastOfPage[page] = last
                    if index < last {
                        image.put(new[piece], at: offset + piece.lowerBound)
                    }
                }
                if index < sizesKept { size = max(size, offset + new.count) }
            }
        }
        image.resize(to: size)
        return image
    }

    private enum Fate: CaseIterable { case none, all, mixed, mixedAgain }

    /// How many of `count` changes reach the disk: often none or all of them.
    private static func share(
        of count: Int, fate: Fate = .mixed, using chance: inout some RandomNumberGenerator
    ) -> Int {
        switch fate {
        case .none: 0
        case .all: count
        case .mixed, .mixedAgain:
            switch Int.random(in: 0..<4, using: &chance) {
            case 0: 0
            case 1: count
            default: Int.random(in: 0...count, using: &chance)
            }
        }
    }

    /// The pages that `bytes` at `offset` touch, and which of the bytes belong to each.
    private static func pages(
        of bytes: [UInt8], at offset: Int
    ) -> [(page: Int, piece: Range<Int>)] {
        var pieces: [(Int, Range<Int>)] = []
        var start = 0
        while start < bytes.count {
            let page = (offset + start) / pageBytes
            let end = min(bytes.count, (page + 1) * pageBytes - offset)
            pieces.append((page, start..<end))
            start = end
        }
        return pieces
    }
}

extension CachedFile.Change {
    fileprivate var isResize: Bool {
        if case .resize = self { true } else { false }
    }
}

extension [UInt8] {
    /// Cuts, or grows by zeros.
    mutating func resize(to size: Int) {
        if size < count {
            removeLast(count - size)
        } else {
            append(contentsOf: repeatElement(0, count: size - count))
        }
    }

    /// Overwrites, and grows if it must.
    mutating func put(_ new: some Collection<UInt8>, at offset: Int) {
        if count < offset + new.count { resize(to: offset + new.count) }
        replaceSubrange(offset..<offset + new.count, with: new)
    }
}
