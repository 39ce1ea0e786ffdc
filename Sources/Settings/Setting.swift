/// What the environment or a file says of one option.
package struct Setting: Hashable, Sendable {
    package enum Meaning: Hashable, Sendable {
        /// A flag.
        case flag(Bool)
        /// The values of an option, in their order; none take back what weaker places say.
        case values([String])
        /// A variable that is not hubfs's own says it, and is read where it is used.
        case elsewhere
    }

    package let option: OptionShape
    package let meaning: Meaning
    package let origin: SettingOrigin

    package init(option: OptionShape, meaning: Meaning, origin: SettingOrigin) {
        self.option = option
        self.meaning = meaning
        self.origin = origin
    }

    /// The setting as words of a command line; none if it says no more than what is so without it.
    package var words: [String] {
        switch meaning {
        case .flag(true): option.words()
        case .flag(false), .elsewhere: []
        case .values(let values): values.flatMap { option.words($0) }
        }
    }
}
