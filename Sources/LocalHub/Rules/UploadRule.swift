/// How a file gets into a repo: as a git blob or through LFS.
package enum UploadMode: String, Codable, Sendable {
    case regular
    case lfs

    /// The largest file git itself keeps, and the largest inline content of a commit.
    package static let regularSizeMax = 10 << 20

    /// The Hub's rule: LFS if larger than 10 MiB, if `.gitattributes` says so, or if binary.
    ///
    /// - Parameter sample: the first 512 bytes, or all if there are fewer.
    package static func of(
        path: String, size: Int, sample: some Sequence<UInt8>, attributes: GitAttributes
    ) -> UploadMode {
        guard size > 0 else { return .regular }
        if size > regularSizeMax || attributes.isLFS(path) { return .lfs }
        return isText(Array(sample)) ? .regular : .lfs
    }

    /// Text is UTF-8 without NUL; the sample may end within a character.
    private static func isText(_ sample: [UInt8]) -> Bool {
        if sample.contains(0) { return false }
        return (0...min(3, sample.count)).contains { cut in
            String(validating: sample.dropLast(cut), as: UTF8.self) != nil
        }
    }
}
