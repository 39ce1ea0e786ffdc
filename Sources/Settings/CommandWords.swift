/// The words of a command line behind the command's name, taken apart.
///
/// Here it is decided what repeated options and flags mean, before the parser sees them: an option that
/// is said again takes the place of the one before, unless it repeats; `--flag=false` and `--no-flag`
/// take a flag back, `--option=` an option, wherever it was said.
package struct CommandWords: Hashable, Sendable {
    /// A part of the command line that stands or goes as one.
    private struct Piece: Hashable {
        var words: [String]
        /// The options that it says.
        var names: Set<String> = []
    }

    /// The names of all options that are said or taken back.
    package private(set) var said: Set<String> = []
    /// The flags that are taken back and not said after that.
    package private(set) var deniedFlags: Set<String> = []
    /// What is no option and no value of one, as far as `--`.
    package private(set) var arguments: [String] = []
    private var pieces: [Piece] = []
    private var rest: ArraySlice<String>
    private let options: [String: OptionShape]

    /// - Parameters:
    ///   - words: Behind the name of the command.
    ///   - options: Those of the command.
    package init(_ words: [String], options: [OptionShape]) {
        var bySpelling: [String: OptionShape] = [:]
        for option in options {
            for spelling in option.spellings { bySpelling[spelling] = option }
        }
        self.options = bySpelling
        rest = words[...]
        while let word = rest.first, word != "--" {
            rest.removeFirst()
            if word.hasPrefix("--") {
                takeLong(word)
            } else if word.hasPrefix("-"), word != "-" {
                takeLetters(word)
            } else {
                arguments.append(word)
                pieces.append(Piece(words: [word]))
            }
        }
    }

    /// The words, without what is taken back.
    package var words: [String] { pieces.flatMap(\.words) + rest }

    /// The same with other options before them.
    package func filled(with settings: [Setting]) -> [String] {
        settings.flatMap(\.words) + words
    }

    private mutating func takeLong(_ word: String) {
        let body = word.dropFirst(2)
        let equals = body.firstIndex(of: "=")
        let name = String(body[..<(equals ?? body.endIndex)])
        let value = equals.map { String(body[body.index(after: $0)...]) }
        guard let option = options[name] else {
            let denied = name.hasPrefix("no-") ? options[String(name.dropFirst(3))] : nil
            if let denied, denied.isFlag, value == nil { return takeBack(denied) }
            pieces.append(Piece(words: [word]))
            return
        }
        switch (option.isFlag, value) {
        case (true, "true"): say(option, ["--" + name])
        case (true, "false"), (false, ""): takeBack(option)
        case (false, nil): say(option, [word] + nextValue())
        default: say(option, [word])
        }
    }

    /// `-w`, `-fw`, `-m text`, `-o=text`.
    private mutating func takeLetters(_ word: String) {
        var piece = Piece(words: [word])
        for letter in word.dropFirst().prefix(while: { $0 != "=" }) {
            guard let option = options[String(letter)] else { continue }
            note(option)
            piece.names.insert(option.name)
            if !option.isFlag, letter == word.last { piece.words += nextValue() }
        }
        pieces.append(piece)
    }

    /// The value of the option before it, if one is there. A value never begins with a dash.
    private mutating func nextValue() -> [String] {
        guard let next = rest.first, !next.hasPrefix("-") else { return [] }
        rest.removeFirst()
        return [next]
    }

    private mutating func say(_ option: OptionShape, _ words: [String]) {
        note(option)
        pieces.append(Piece(words: words, names: [option.name]))
    }

    private mutating func note(_ option: OptionShape) {
        said.insert(option.name)
        deniedFlags.remove(option.name)
    }

    private mutating func takeBack(_ option: OptionShape) {
        said.insert(option.name)
        if option.isFlag { deniedFlags.insert(option.name) }
        for index in pieces.indices.reversed() where pieces[index].names.contains(option.name) {
            if pieces[index].names.count == 1 {
                pieces.remove(at: index)
                continue
            }
            // One letter of several: -fw without w.
            pieces[index].names.remove(option.name)
            pieces[index].words[0].removeAll { option.spellings.contains(String($0)) }
            if !option.isFlag { pieces[index].words.removeLast(pieces[index].words.count - 1) }
        }
    }
}
