import Glibc
package import HubClient
import Platform
package import SystemPackage

/// For a kernel that reads the cache's files by itself.
extension OpenContent {
    /// A file that is this content, whole and verified.
    package struct SealedFile {
        /// For reading, until the content's `close`.
        package let descriptor: FileDescriptor
        /// In the cache's own folder, where it is durable, and left alone while the content is open.
        /// One of the official client's can lie on another file system, and is left alone by custom.
        package let isOurs: Bool
    }

    /// The file that is this content; nil while there is none.
    package var sealedFile: SealedFile? {
        switch body {
        case .row, .memory: return nil
        case .file(let file):
            adoptOthersSeal()
            return state == .sealed ? SealedFile(descriptor: file.data, isOurs: true) : nil
        case .lower(let file):
            // Open for somebody else, it may have been written to since it was hashed.
            guard state == .sealed, file.isUnchanged else { return nil }
            return SealedFile(descriptor: file.descriptor, isOurs: false)
        }
    }

    /// Whether the content was found wrong, by this process or another. It is no use to anybody then:
    /// who needs it opens it anew.
    package var isDamaged: Bool {
        adoptOthersDrop()
        return state == .failed
    }

    /// Has the kernel read a part of the file into memory ahead of its reader. Source: man 2
    /// posix_fadvise.
    package func readAhead(offset: UInt64, count: Int) {
        let file: FileDescriptor
        switch body {
        case .row, .memory: return
        case .file(let own): file = own.data
        case .lower(let lower): file = lower.descriptor
        }
        // Advice: if it is not taken, reading is slower.
        _ = posix_fadvise(file.rawValue, off_t(offset), off_t(count), POSIX_FADV_WILLNEED)
    }
}

extension ContentStore {
    /// Whether a content of this size is never a file of its own in the cache.
    package static func isSmall(_ size: UInt64) -> Bool { size < SmallContents.sizeMax }

    /// Notes a use of a content that is not opened here, since the kernel has its bytes.
    package func noteUse(_ location: ContentLocation) { useLog.note(location) }
}
