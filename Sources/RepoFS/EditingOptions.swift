package import HubClient
package import SystemPackage

/// How a mount is edited.
package struct EditingOptions: Sendable {
    /// The folder of hubfs's state, below which the workspace lies.
    package var stateFolder: FilePath
    /// The Hub that commits are sent to; its endpoint is part of the workspace's identity.
    package var client: HubClient
    /// Names one of several workspaces of the same branch; "" as a rule.
    package var workspaceName = ""
    /// Where commits go; nil: where they went before, at first to the mounted branch.
    package var branch: String?
    /// Makes that branch when there is none.
    package var createsBranch = false
    /// Bytes that stay free on the disk of the workspace.
    package var floorBytes: UInt64?

    package init(stateFolder: FilePath, client: HubClient) {
        self.stateFolder = stateFolder
        self.client = client
    }
}
