import Platform
import SystemPackage
import Testing

@testable import FuseBridge

@Suite struct PartNumbersTests {
    /// Keeps what it is sent.
    private final class Recorder: ReplyChannel {
        let nodes = Guarded<[UInt64]>([], rank: .leaf)
        let handles = Guarded<[UInt64]>([], rank: .leaf)

        func send(_ answer: Answer, to request: RequestID) {
            switch answer {
            case .entry(let entry): nodes.withLock { $0.append(entry.node.number) }
            case .opened(let handle, _), .openedBacked(let handle, _),
                .openedDirectory(let handle, _):
                handles.withLock { $0.append(handle.number) }
            case .created(let entry, let handle, _):
                nodes.withLock { $0.append(entry.node.number) }
                handles.withLock { $0.append(handle.number) }
            default: break
            }
        }

        func armInterrupt(of request: RequestID, _ handler: @escaping @Sendable () -> Void) {}
        func disarmInterrupt(of request: RequestID) {}
    }

    private static let entry = Entry(
        node: NodeID(5), generation: 1,
        attributes: Attributes(
            inodeNumber: 77, kind: .file, permissions: 0o644, linkCount: 1, size: 3,
            modifiedNanoseconds: 0, uid: 0, gid: 0, preferredBlockBytes: 4096),
        cacheTime: .forever)

    @Test func everyNumberGoesOutWithItsPartAndComesBackWithoutIt() {
        for part in [1, 2, 0x7ff_ffff, PartNumbers.partMax] {
            let numbers = PartNumbers(part: part)
            for number in [UInt64(1), 2, 0xf_ffff_ffff] {
                let outside = numbers.outside(NodeID(number))
                #expect(PartNumbers(of: outside) == numbers)
                #expect(PartNumbers.inside(outside) == NodeID(number))
            }
        }
        #expect(PartNumbers(of: NodeID.root) == .whole)
        #expect(PartNumbers.whole.outside(.root) == .root)
    }

    @Test func aReplyThatIsHandedOnAnswersInThePartsNumbers() {
        let recorder = Recorder()
        let numbers = PartNumbers(part: 3)
        func reply<Kind>(_: Kind.Type) -> Reply<Kind> {
            Reply(request: RequestID(bits: 1), channel: recorder).handed(to: numbers)
        }
        reply(RequestKind.Lookup.self).entry(Self.entry)
        reply(RequestKind.MakeNode.self).entry(Self.entry)
        reply(RequestKind.Open.self).opened(HandleID(0), keepsCache: true)
        reply(RequestKind.Open.self).opened(HandleID(1), backedBy: BackingFiles.ID(number: 9))
        reply(RequestKind.OpenDirectory.self).opened(HandleID(2), keepsCache: false)
        reply(RequestKind.Create.self).created(Self.entry, HandleID(3), keepsCache: true)
        let part = UInt64(3) << 36
        #expect(recorder.nodes.withLock { $0 } == [UInt64](repeating: part + 5, count: 3))
        #expect(recorder.handles.withLock { $0 } == (0..<4).map { part + $0 })
    }

    @Test func aReplyThatWasParkedKeepsItsPart() {
        let recorder = Recorder()
        let parked = Reply<RequestKind.Lookup>(request: RequestID(bits: 1), channel: recorder)
            .handed(to: PartNumbers(part: 8)).park()
        parked.take()?.entry(Self.entry)
        #expect(recorder.nodes.withLock { $0 } == [UInt64(8) << 36 + 5])
    }

    @Test func entriesOfADirectoryHaveThePartsNodes() {
        var bytes = [UInt8](repeating: 0, count: 512)
        bytes.withUnsafeMutableBytes { storage in
            var buffer = DirectoryBuffer(carriesEntries: true, storage: storage)
                .handed(to: PartNumbers(part: 2))
            let isAdded = buffer.add([97, 0], Self.entry, nextOffset: 1)
            #expect(isAdded)
            // struct fuse_direntplus begins with the node's number. Source: linux/fuse.h.
            let node = buffer.bytes.loadUnaligned(as: UInt64.self)
            #expect(node == UInt64(2) << 36 + 5)
        }
    }
}
