import Glibc

/// Which files of a repo are meant: by patterns, and by a list of paths.
struct FileSelection {
    /// None stands for all files.
    let includes: [FilePattern]
    let excludes: [FilePattern]
    /// Paths by their bytes, in their order; nil stands for all files.
    private let listed: [String]?

    /// - Parameter list: A file with a path of the repo on each line, "-" for stdin.
    /// - Throws: `Failure` when the list cannot be read.
    init(includes: [String], excludes: [String], list: String?) throws(Failure) {
        self.includes = includes.map { FilePattern($0) }
        self.excludes = excludes.map { FilePattern($0) }
        listed = try list.map { list throws(Failure) in try Self.lines(of: list) }
    }

    var isEverything: Bool { includes.isEmpty && excludes.isEmpty && listed == nil }

    /// The files that are meant, in their order.
    ///
    /// - Parameter source: The repo, for messages.
    /// - Throws: `Failure` with code `notFound` when there is none, or one of the list is missing.
    func select(
        _ files: [RepoBrowser.Item], of source: String
    ) throws(Failure) -> [RepoBrowser.Item] {
        var chosen = files
        if let listed {
            // By bytes: names that Unicode holds equal are different names to git.
            let known = Set(files.map { Array($0.path.utf8) })
            if let absent = listed.first(where: { !known.contains(Array($0.utf8)) }) {
                throw Failure(
                    .notFound, "\(printable(absent)), which the list names, is no file of \(source)"
                )
            }
            let wanted = Set(listed.map { Array($0.utf8) })
            chosen = chosen.filter { wanted.contains(Array($0.path.utf8)) }
        }
        chosen = chosen.filter { file in
            (includes.isEmpty || includes.contains { $0.matches(file.path) })
                && !excludes.contains { $0.matches(file.path) }
        }
        guard chosen.isEmpty, !isEverything else { return chosen }
        let patterns = includes.map { "'\($0.text)'" }.joined(separator: ", ")
        throw Failure(
            .notFound,
            "no file of \(source) is meant"
                + (patterns.isEmpty ? "" : ": none matches \(patterns) and is not excluded")
                + "; patterns stand for whole paths in the repo, such as '*.safetensors' or 'onnx/*'"
        )
    }

    private static func lines(of list: String) throws(Failure) -> [String] {
        guard let file = fopen(list == "-" ? "/dev/stdin" : list, "re") else {
            throw Failure(
                .usage, "the list \(list) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var lines: [String] = []
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, file) >= 0, let line {
            let text = String(cString: line)
            let path = text.hasSuffix("\n") ? String(text.dropLast()) : text
            if !path.isEmpty { lines.append(path) }
        }
        return lines
    }
}
