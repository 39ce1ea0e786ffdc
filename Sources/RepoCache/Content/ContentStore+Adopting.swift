package import HubClient
import Logging
import Platform
package import SystemPackage

extension ContentStore {
    /// Takes the bytes of a content from a local file, so that they need not be fetched: what was
    /// just committed, for example.
    ///
    /// Never fails: what cannot be kept is fetched when it is read. Does local file calls on the
    /// calling thread.
    ///
    /// - Parameters:
    ///   - location: Where the Hub has it. The digest must have been compared with the bytes.
    ///   - path: A file that does not change any more and holds the content from its start on.
    package func adopt(_ location: ContentLocation, from path: FilePath) {
        let (content, size) = (location.content, location.size)
        guard size > 0, registry.find(content) == nil else { return }
        do throws(Errno) {
            if size < SmallContents.sizeMax {
                let file = try openForUpdate(path, creates: false)
                defer { try? file.close() }
                var bytes = [UInt8](repeating: 0, count: Int(size))
                let read = bytes.withUnsafeMutableBytes { buffer in
                    Result { () throws(Errno) in try file.readWhole(into: buffer, at: 0) }
                }
                guard try read.get() == bytes.count else { throw .ioError }
                services.small.adopt(bytes, for: content)
            } else {
                guard services.ledger.reserve(size) else { return }
                defer { services.ledger.settle(size) }
                let isTaken = try ContentFile.adopt(
                    content, size: size, from: path, in: services.folder,
                    bootID: services.configuration.bootID)
                guard isTaken else { return }
            }
            useLog.note(location)
        } catch {
            services.logger.info("\(location.path) is not kept in the cache: \(error)")
        }
    }
}
