/// Which LFS objects are uploaded in parts, and how large the parts are.
package struct PartRule: Sendable {
    /// Objects of more bytes come in parts, if the client knows how.
    package var threshold: Int
    /// Bytes of each part but the last.
    package var partSize: Int

    /// Parts of one upload, as object stores limit them; larger objects have larger parts.
    static let countMax = 10_000
    /// The largest object that is uploaded in one piece, as object stores limit it.
    static let basicSizeMax = 5_000_000_000
    /// The largest object. Without Xet the official client downloads none that is larger.
    static let sizeMax = 50_000_000_000

    package init(threshold: Int = 20_000_000, partSize: Int = 20_000_000) {
        self.threshold = threshold
        self.partSize = partSize
    }

    func applies(to size: Int) -> Bool {
        size > min(threshold, Self.basicSizeMax)
    }

    /// Bytes of the parts of an object of `size` bytes.
    func partSize(of size: Int) -> Int {
        max(partSize, (size + Self.countMax - 1) / Self.countMax)
    }
}
