package import SystemPackage

/// Why something cannot be done with a volume. The sentence is what people see in Docker's own message, and in
/// Kubernetes' events.
package enum VolumeError: Error, Hashable, Sendable, CustomStringConvertible {
    case badName(String)
    /// The options make no volume: a sentence.
    case badOptions(String)
    case unknown(name: String)
    case exists(name: String)
    case tooMany(limit: Int)
    case tooManyMounts(name: String, limit: Int)
    /// Somebody else's turn took too long.
    case busy(name: String, with: Volume.Work)
    /// It was begun, takes longer than can be waited for, and goes on.
    case goesOn(name: String, Volume.Work)
    /// hubfs ended with this code and said why.
    case refused(name: String, code: Int32, words: String)
    /// Something that is not hubfs is mounted where the volume has its place.
    case placeTaken(path: String)
    /// The daemon of the mount does not answer, and containers use it.
    case hangs(name: String)
    /// Not even the question whether mounts work is answered.
    case checkHangs
    /// hubfs could not be started.
    case notStarted(Errno)
    /// What is known of the volumes cannot be read or written.
    case state(path: String, Errno)
    /// Another plugin works with the same folder.
    case folderTaken(path: String)
    /// A volume's file is not one that this version has written.
    case unreadable(path: String)

    package var description: String {
        switch self {
        case .badName(let name):
            "'\(name)' is no name for a volume: letters, digits, '_', '.' and '-', beginning with a letter "
                + "or digit, at most \(VolumeName.lengthMax)"
        case .badOptions(let sentence): sentence
        case .unknown(let name): "no volume '\(name)' is known"
        case .exists(let name):
            "the volume '\(name)' exists with other options: remove it first, or take another name"
        case .tooMany(let limit): "there are \(limit) volumes already"
        case .tooManyMounts(let name, let limit):
            "the volume '\(name)' is mounted \(limit) times already"
        case .busy(let name, let work):
            "the volume '\(name)' is \(work.rawValue): try again later"
        case .goesOn(let name, let work):
            "the volume '\(name)' is still \(work.rawValue), which goes on: try again later"
        case .refused(let name, let code, let words):
            "the volume '\(name)': \(words.isEmpty ? "hubfs ended with code \(code)" : words)"
        case .placeTaken(let path): "something else is mounted at \(path)"
        case .hangs(let name):
            "the volume '\(name)' does not answer: stop the containers that use it"
        case .checkHangs: "hubfs status --check does not end: a file system hangs"
        case .notStarted(let code): "hubfs could not be started: \(code)"
        case .state(let path, let code): "\(path) cannot be used: \(code)"
        case .folderTaken(let path): "another plugin works with \(path)"
        case .unreadable(let path):
            "\(path) is not what this version of hubfs writes: repair or remove it"
        }
    }
}
