import SystemPackage
import Synchronization

/// Looks at the answer to a lookup of a virtual folder's name: where the file system below has no such
/// name, or cannot tell, the folder is found.
final class FolderLookupChannel: ReplyChannel {
    private let channel: any ReplyChannel
    private let state: VirtualFolderState
    /// Whether the name meant the folder when it was last looked up, which the kernel does before it
    /// changes a name.
    private let showsFolder = Atomic(false)

    init(_ channel: any ReplyChannel, _ state: VirtualFolderState) {
        self.channel = channel
        self.state = state
    }

    var isFolderShown: Bool { showsFolder.load(ordering: .relaxed) }

    func send(_ answer: Answer, to request: RequestID) {
        if case .failure(.interrupted) = answer { return channel.send(answer, to: request) }
        if case .entry = answer {
            showsFolder.store(false, ordering: .relaxed)
            return channel.send(answer, to: request)
        }
        showsFolder.store(true, ordering: .relaxed)
        channel.send(.entry(state.entry(.folder)), to: request)
    }

    func armInterrupt(of request: RequestID, _ handler: @escaping @Sendable () -> Void) {
        channel.armInterrupt(of: request, handler)
    }

    func disarmInterrupt(of request: RequestID) { channel.disarmInterrupt(of: request) }
}
