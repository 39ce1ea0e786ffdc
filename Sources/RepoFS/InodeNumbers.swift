/// Makes the inode numbers (`st_ino`) of what the base snapshot holds.
///
/// A number depends on the repo and the path alone, so it is the same in every mount, after every
/// restart and at every commit: what `datasets`, `make`, `rsync` and `tar` take for identity
/// stays. The top bit is clear; numbers with it set belong to objects created locally.
enum InodeNumbers {
    /// The number of a repo's root directory, or of the mounted directory below it.
    static func root(repo: String, path: String) -> UInt64 {
        var number = usable(finish(fold(offsetBasis, repo.utf8)))
        for name in path.utf8.split(separator: UInt8(ascii: "/")) {
            number = child(of: number, name: name)
        }
        return number
    }

    /// The number of `name` in the directory with number `parent`.
    static func child(of parent: UInt64, name: some Sequence<UInt8>) -> UInt64 {
        usable(finish(fold(parent ^ separator, name)))
    }

    private static let offsetBasis: UInt64 = 0xcbf2_9ce4_8422_2325
    private static let prime: UInt64 = 0x0000_0100_0000_01b3
    private static let separator: UInt64 = 0x9e37_79b9_7f4a_7c15

    /// FNV-1a over the bytes. Source: RFC 9923.
    private static func fold(_ seed: UInt64, _ bytes: some Sequence<UInt8>) -> UInt64 {
        var hash = seed
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* prime }
        return hash
    }

    /// Spreads every bit over the whole number (the finalizer of SplitMix64): FNV alone leaves the
    /// high bits of short names alike.
    private static func finish(_ hash: UInt64) -> UInt64 {
        var mixed = hash
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// Clears the top bit and keeps away from 0 (no inode) and 1.
    private static func usable(_ number: UInt64) -> UInt64 {
        let number = number & (UInt64.max >> 1)
        return number < 2 ? number + 2 : number
    }
}
