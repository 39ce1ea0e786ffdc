import NIOPosix

/// Threads for calls that block on git, SQLite or a disk, so that no event loop and no task of the
/// small cooperative pool waits for them.
struct Blocking: Sendable {
    private let threads: NIOThreadPool

    /// More threads than cores: most of them wait.
    static let threadCount = 12

    init() {
        threads = NIOThreadPool(numberOfThreads: Self.threadCount)
        threads.start()
    }

    func run<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await threads.runIfActive(body)
    }

    func stop() {
        threads.shutdownGracefully { _ in }
    }
}
