import Glibc

/// What became of the entries of a directory between two of its listings.
///
/// Both are sorted by the bytes of the names, so that one walk along the two finds it.
package struct ListingComparison: Sendable {
    package enum Difference: Hashable, Sendable {
        /// The place in the old listing.
        case removed(Int)
        /// The place in the new listing.
        case added(Int)
        /// The places of a name that stands for another content, tree or kind, or has another date.
        case changed(old: Int, new: Int)
    }

    /// In the order of names.
    package private(set) var differences: [Difference] = []
    /// For each place in the old listing that of the same name in the new one; `noPlace` for none.
    private var newPlaces: [UInt32] = []

    private static let noPlace = UInt32.max

    package init(from old: DirectoryListing, to new: DirectoryListing) {
        newPlaces = Array(repeating: Self.noPlace, count: old.count)
        var (oldPlace, newPlace) = (0, 0)
        while oldPlace < old.count || newPlace < new.count {
            let order =
                if oldPlace == old.count {
                    1
                } else if newPlace == new.count {
                    -1
                } else {
                    old.order(ofNameAt: oldPlace, before: new, at: newPlace)
                }
            if order < 0 {
                differences.append(.removed(oldPlace))
                oldPlace += 1
            } else if order > 0 {
                differences.append(.added(newPlace))
                newPlace += 1
            } else {
                newPlaces[oldPlace] = UInt32(newPlace)
                if !old.isSame(at: oldPlace, as: new, at: newPlace) {
                    differences.append(.changed(old: oldPlace, new: newPlace))
                }
                oldPlace += 1
                newPlace += 1
            }
        }
    }

    /// Where a name stands in the new listing, nil when it is gone.
    package func newPlace(of oldPlace: Int) -> Int? {
        let place = newPlaces[oldPlace]
        return place == Self.noPlace ? nil : Int(place)
    }
}

extension DirectoryListing {
    /// Negative when the name comes before that in another listing, 0 when they are the same.
    fileprivate func order(
        ofNameAt index: Int, before other: DirectoryListing, at otherIndex: Int
    ) -> Int {
        withName(at: index) { name in
            other.withName(at: otherIndex) { otherName in
                let common = min(name.count, otherName.count)
                // Names are never empty.
                let order = memcmp(name.baseAddress!, otherName.baseAddress!, common)
                return order == 0 ? name.count - otherName.count : Int(order)
            }
        }
    }

    /// Whether an entry is the same as one of another listing, names aside.
    fileprivate func isSame(
        at index: Int, as other: DirectoryListing, at otherIndex: Int
    ) -> Bool {
        hasKind(at: index, of: other, at: otherIndex)
            && modifiedNanoseconds(at: index) == other.modifiedNanoseconds(at: otherIndex)
    }

    /// Compares the records behind the two fields that say where the name is.
    private func hasKind(
        at index: Int, of other: DirectoryListing, at otherIndex: Int
    ) -> Bool {
        let nameFieldsBytes = 6
        func record(_ index: Int) -> Range<Int> {
            let start = Self.headerBytes + Self.recordBytes * index
            return start + nameFieldsBytes..<start + Self.recordBytes
        }
        return bytes.withUnsafeBytes { bytes in
            other.bytes.withUnsafeBytes { otherBytes in
                let mine = UnsafeRawBufferPointer(rebasing: bytes[record(index)])
                let others = UnsafeRawBufferPointer(rebasing: otherBytes[record(otherIndex)])
                return memcmp(mine.baseAddress!, others.baseAddress!, mine.count) == 0
            }
        }
    }
}
