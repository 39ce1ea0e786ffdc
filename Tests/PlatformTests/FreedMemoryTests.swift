import FoundationEssentials
import Platform
import Testing

@Suite struct FreedMemoryTests {
    /// The process goes on with the code that it uses, and holds less of the rest.
    @Test func theProgramsPagesAreGivenBack() throws {
        let before = try fileBytes()
        returnProgramPages()
        #expect(try fileBytes() < before)
    }

    /// What the process holds of files. Source: man 5 proc.
    private func fileBytes() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssFile:") })
        return try #require(Int(line.split(separator: " ")[1]))
    }
}
