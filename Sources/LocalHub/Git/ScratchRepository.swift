import Foundation

/// A folder git takes for a repository, for `fast-import` to set refs in: its objects are another
/// repository's, so that what is written there is here to be named, and nothing names it yet.
///
/// Removed with the value that holds it.
final class ScratchRepository: Sendable {
    let path: String
    /// What git must be told to read and write that repository's objects.
    let environment: [String]
    /// What git must be told to read that repository's objects and leave what it writes here.
    let readingEnvironment: [String]

    /// - Parameters:
    ///   - incoming: where the folder goes.
    ///   - repository: whose objects they are.
    init(incoming: String, objects repository: String) throws {
        path = "\(incoming)/\(UUID().uuidString)"
        environment = ["GIT_OBJECT_DIRECTORY=\(repository)/objects"]
        readingEnvironment = [
            "GIT_OBJECT_DIRECTORY=\(path)/objects",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES=\(repository)/objects",
        ]
        for folder in ["refs", "objects"] {
            try FileManager.default.createDirectory(
                atPath: "\(path)/\(folder)", withIntermediateDirectories: true)
        }
        try Data("ref: refs/heads/new\n".utf8).write(to: URL(filePath: path + "/HEAD"))
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }
}
