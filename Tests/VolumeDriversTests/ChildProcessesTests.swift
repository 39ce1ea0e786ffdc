import Platform
import SystemPackage
import TestSupport
import Testing

@testable import VolumeDrivers

@Suite struct ChildProcessesTests {
    /// In a process of its own, and all in one test: every child of a process is taken away, those of other
    /// tests too.
    @Test func endingsOutputAndLimits() async {
        await #expect(processExitsWith: .success) { try await lookAtEverything() }
    }
}

private func lookAtEverything() async throws {
    let scratch = ScratchFolder()
    defer { scratch.remove() }
    let children = ChildProcesses(folder: scratch.path)
    func run(
        _ script: String, killedAfter limit: Duration? = nil
    ) async throws -> ChildProcesses.Ending {
        try await children.run(["/bin/sh", "-c", script], killedAfter: limit)
    }

    let done = try await run("echo out; echo ' two words ' >&2; exit 3")
    precondition(done.code == 3 && done.output == "out" && done.words == "two words")
    let ended = try await run("kill -TERM $$")
    precondition(ended.code == 128 + 15)
    let killed = try await run("exec sleep 60", killedAfter: .milliseconds(50))
    precondition(killed.code == 128 + 9)
    do {
        _ = try await children.run([scratch.path.appending("absent").string])
        preconditionFailure("what is not there was run")
    } catch {
        precondition(error == .noSuchFileOrDirectory)
    }

    // Arguments are not a shell's, and a child has three open files and that of its question.
    let echoed = try await children.run(["/bin/echo", "a b", "$HOME;"])
    precondition(echoed.output == "a b $HOME;")
    let files = try await run("ls /proc/self/fd | wc -w; cat")
    precondition(files.output == "4")

    // Of a flood the end is kept.
    let flood = try await run("yes | head -c 200000; echo end")
    precondition(flood.output.utf8.count <= 65536 && flood.output.hasSuffix("y\nend"))

    // Those who lost their parents, and many at once, are told apart.
    let codes = try await withThrowingTaskGroup { group in
        for code in 0..<20 {
            group.addTask { (code, try await run("(sleep 0.01; exit 9) & exit \(code)").code) }
        }
        return try await group.reduce(into: [:]) { $0[$1.0] = Int($1.1) }
    }
    precondition(codes.count == 20 && codes.allSatisfy { $0 == $1 })
    let left = try Folder.names(in: scratch.path)
    precondition(left.isEmpty)
}
