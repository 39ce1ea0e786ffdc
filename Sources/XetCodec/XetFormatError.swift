/// Why bytes are not what a format of Xet's says they are.
package enum XetFormatError: Error, Hashable, Sendable {
    /// It ends in the middle of something.
    case cut
    /// It does not begin as the format does, or has another version.
    case unknownFormat
    /// A number in it cannot be, or does not fit the others; which, for the log.
    case contradiction(String)
}
