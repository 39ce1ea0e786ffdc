package import SystemPackage

/// How a mount is edited.
package struct EditingOptions: Sendable {
    /// The folder of hubfs's state, below which the workspace lies.
    package var stateFolder: FilePath
    /// The Hub the repo is at: part of the workspace's identity.
    package var endpoint: String
    /// Names one of several workspaces of the same branch; "" as a rule.
    package var workspaceName = ""
    /// Bytes that stay free on the disk of the workspace.
    package var floorBytes: UInt64?

    package init(stateFolder: FilePath, endpoint: String) {
        self.stateFolder = stateFolder
        self.endpoint = endpoint
    }
}
