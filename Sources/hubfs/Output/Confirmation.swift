import Glibc

/// Asks before something is given up that cannot be had back.
enum Confirmation {
    /// - Parameters:
    ///   - question: Without its question mark.
    ///   - isGiven: `--yes` was said: nobody is asked.
    /// - Throws: `Failure` when the answer is not yes, or there is nobody to ask.
    static func ask(_ question: String, isGiven: Bool) throws(Failure) {
        if isGiven { return }
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else {
            throw Failure(.usage, "\(question)? Nobody can be asked here: say --yes")
        }
        writeToStandardError("\(question)? [y/N] ")
        let answer = readLine()?.lowercased() ?? ""
        guard answer == "y" || answer == "yes" else {
            throw Failure(.failure, "nothing was done")
        }
    }
}
