/// Who has a workspace open, in the words of its lock file.
package struct WorkspaceUser: Hashable, Sendable {
    /// Where it is mounted; nil for a command that works without a mount.
    package let mountPoint: String?
    package let pid: Int32

    private static let mountWords = "mounted at "
    private static let commandWords = "in the hands of hubfs recover"
    private static let processWords = " by process "

    package init(mountPoint: String?, pid: Int32) {
        self.mountPoint = mountPoint
        self.pid = pid
    }

    /// For people, and for `init(text:)`.
    package var text: String {
        (mountPoint.map { Self.mountWords + $0 } ?? Self.commandWords) + Self.processWords
            + String(pid)
    }

    /// - Returns: nil when the words are not of this version.
    package init?(text: String) {
        guard let words = text.ranges(of: Self.processWords).last,
            let pid = Int32(text[words.upperBound...])
        else { return nil }
        let who = text[..<words.lowerBound]
        self.pid = pid
        mountPoint =
            who.hasPrefix(Self.mountWords) ? String(who.dropFirst(Self.mountWords.count)) : nil
    }
}
