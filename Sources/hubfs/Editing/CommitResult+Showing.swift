extension CommitResult {
    /// Says on stdout what was committed, and on stderr what was not.
    ///
    /// - Throws: `Failure` when the edits are not all at the Hub.
    func show() throws(Failure) {
        for line in localOnly {
            writeToStandardError("hubfs: stays in the workspace: \(printable(line))\n")
        }
        let more = localOnlyCount - localOnly.count
        if more > 0 { writeToStandardError("hubfs: and \(more) more\n") }
        if changeCount > 0 {
            do {
                try writeLine(
                    "committed \(changeCount) change\(changeCount == 1 ? "" : "s") as \(commit)"
                        + (ref.isEmpty ? "" : " on \(ref)"))
            } catch {
                throw Failure(.failure, "the commit is at the Hub: \(commit)")
            }
        }
        if let sentence { throw Failure(code, sentence) }
    }
}
