import HubClient
import Platform
import SystemPackage

/// The names inside of the cache folder.
///
/// ```
/// cache.db       snapshots, listings, content rows            CacheDatabase
/// small.db       contents below 64 KiB                        SmallContents
/// setup.lock     held while a process opens the databases
/// evict.lock     held while a process makes room
/// space.map      what is used, counted by all processes          SharedCount
/// contents/ab/   one folder per first two digits of the name
///   abcd…        bytes of a content, sparse                   ContentFile
///   abcd….map    which of them are present                    Sidecar
/// ```
struct CacheFolder: Sendable {
    let root: FilePath

    /// Makes the folder and checks that locks hold on it.
    init(_ root: FilePath) throws(CacheError) {
        self.root = root
        let network: String?
        do throws(Errno) {
            try Folder.create(root.appending("contents"))
            network = try FileSystemFacts(of: root).networkName
        } catch {
            throw .disk(error, path: root.string)
        }
        if let network { throw .networkFolder(path: root.string, fileSystem: network) }
    }

    var contents: FilePath { root.appending("contents") }
    var database: FilePath { root.appending("cache.db") }
    var smallDatabase: FilePath { root.appending("small.db") }
    var evictionLock: FilePath { root.appending("evict.lock") }
    var spaceCount: FilePath { root.appending("space.map") }
    var setupLock: FilePath { root.appending("setup.lock") }

    /// The folder a content's two files lie in.
    func shard(of hex: String) -> FilePath { contents.appending(String(hex.prefix(2))) }
    func data(of hex: String) -> FilePath { shard(of: hex).appending(hex) }
    func sidecar(of hex: String) -> FilePath { shard(of: hex).appending(hex + ".map") }
}
