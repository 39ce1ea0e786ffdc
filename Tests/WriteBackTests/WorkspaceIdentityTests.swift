import HubClient
import Testing

@testable import WriteBack

@Suite struct WorkspaceIdentityTests {
    @Test func aKeyIsReadBackFromItsText() throws {
        for name in ["", "second \"try\""] {
            for kind in RepoKind.allCases {
                let key = WorkspaceKey(
                    endpoint: "http://127.0.0.1:1", repo: RepoID(kind: kind, name: "a/b"),
                    branch: "refs/pr/3", path: "data/ä", name: name)
                #expect(WorkspaceKey(encoded: try key.encoded()) == key)
            }
        }
        #expect(WorkspaceKey(encoded: "{}") == nil)
        #expect(WorkspaceKey(encoded: "") == nil)
    }

    @Test func aUserIsReadBackFromItsWords() {
        let users = [
            WorkspaceUser(mountPoint: "/mnt/a", pid: 7),
            WorkspaceUser(mountPoint: "/mnt/of by process 12/x", pid: 8),
            WorkspaceUser(mountPoint: nil, pid: 9),
        ]
        for user in users { #expect(WorkspaceUser(text: user.text) == user) }
        #expect(WorkspaceUser(text: "") == nil)
        #expect(WorkspaceUser(text: "mounted at /mnt") == nil)
    }
}
