/// How long the whole Hub's tree remembers, and how much it asks for.
package struct HubTreePolicy: Hashable, Sendable {
    /// Seconds after which a repo that nobody uses is dropped.
    package var idleSeconds = 900.0
    /// Seconds for which the lists of accounts' repos hold, and answers that something is absent.
    package var namesSeconds = 60.0
    /// Longest wait for the budget of unknown names, in seconds: a lookup that would wait longer ends.
    package var patienceSeconds = 30.0

    package init() {}

    /// Seconds for which the token's account holds: the Hub limits that question strictly.
    static let accountSeconds = 600.0
    /// Repos of one account that are listed.
    static let listedCountMax = 10_000
    /// Repos in all lists that are remembered; of more, the oldest lists go.
    static let rememberedCountMax = 100_000
    /// Verdicts that are remembered.
    static let verdictCountMax = 16_384
    /// Accounts that are remembered to exist.
    static let accountCountMax = 4096
    /// Questions to the Hub under way at once, of all that the tree asks.
    static let questionCountMax = 16
    /// Questions that may wait for that.
    static let waitingCountMax = 4096
    /// Unknown names that may be asked for at once, and how many more each second: the Hub allows
    /// somebody without a token 500 questions in five minutes.
    static let unknownBurst = 60.0
    static let unknownPerSecond = 1.0
    /// Repos that stay open although nobody uses them; of more, those not used for longest go.
    static let openCountMax = 512
    /// Repos that can be open.
    static let openCountLimit = 8192
}
