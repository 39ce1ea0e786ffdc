import Foundation
import NIOCore
import Synchronization
import XetCodec

/// Goes through the bytes of a range of a file that is there in Xet's form.
struct XetContents {
    /// Chunks of a xorb that are unpacked together.
    private static let lotCount = 16

    enum Failure: Error {
        /// The xorb on disk has other chunks than its index says.
        case broken(XetHash)
    }

    private let store: XetStore
    private var terms: ArraySlice<Reconstruction.Term>
    /// Bytes of the next lot that come before the range.
    private var skip: Int
    /// Bytes that are still to come.
    private var rest: Int

    /// - Parameter range: Bytes of the file, not behind its end.
    init(of file: XetFile, _ range: Range<Int>, in store: XetStore) throws {
        let plan = try Reconstruction(of: file, range) { try store.index(of: $0) }
        self.store = store
        terms = plan.terms[...]
        skip = plan.offset
        rest = range.count
    }

    /// The next bytes, up to two MiB; nil at the end of the range.
    mutating func next() throws -> ByteBuffer? {
        guard rest > 0, let term = terms.popFirst() else { return nil }
        let lot = term.split(at: Self.lotCount)
        if let behind = lot.behind { terms = [behind] + terms }
        var bytes = try unpack(lot.term)
        bytes.moveReaderIndex(forwardBy: skip)
        skip = 0
        let count = min(rest, bytes.readableBytes)
        rest -= count
        return bytes.readSlice(length: count)
    }

    private func unpack(_ term: Reconstruction.Term) throws -> ByteBuffer {
        guard let index = try store.index(of: term.xorb) else { throw Failure.broken(term.xorb) }
        let place = index.bytes(of: term.chunks)
        var buffer = ByteBuffer()
        try FileIntake.withContents(of: store.path(term.xorb)) { xorb in
            guard xorb.count > place.last else { throw Failure.broken(term.xorb) }
            var reader = XorbReader(
                UnsafeRawBufferPointer(rebasing: xorb[place.first...place.last]))
            for byteCount in term.byteCounts {
                guard let chunk = try reader.next(), chunk.byteCount == byteCount else {
                    throw Failure.broken(term.xorb)
                }
                try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: byteCount) { raw in
                    try reader.unpack(
                        chunk, into: UnsafeMutableRawBufferPointer(rebasing: raw[..<byteCount]))
                    return byteCount
                }
            }
        }
        return buffer
    }
}

extension Reconstruction.Term {
    /// The first chunks, and the others if there are any.
    fileprivate func split(
        at count: Int
    ) -> (term: Reconstruction.Term, behind: Reconstruction.Term?) {
        guard count < byteCounts.count else { return (self, nil) }
        let middle = chunks.lowerBound + count
        let before = Reconstruction.Term(
            xorb: xorb, chunks: chunks.lowerBound..<middle, byteCounts: Array(byteCounts[..<count]))
        let behind = Reconstruction.Term(
            xorb: xorb, chunks: middle..<chunks.upperBound, byteCounts: Array(byteCounts[count...]))
        return (before, behind)
    }
}

/// A part of such a file, put together while it is sent.
final class XetBody: BodyPieces {
    private struct State {
        var contents: XetContents
        var lot = ByteBuffer()
    }

    private let state: Mutex<State>
    private let blocking: Blocking

    init(_ contents: sending XetContents, blocking: Blocking) {
        state = Mutex(State(contents: contents))
        self.blocking = blocking
    }

    func next(max: Int) async throws -> ByteBuffer {
        try await blocking.run { [self] in
            try state.withLock { state in
                if state.lot.readableBytes == 0 {
                    state.lot = try state.contents.next() ?? ByteBuffer()
                }
                let count = min(max, state.lot.readableBytes)
                return state.lot.readSlice(length: count) ?? ByteBuffer()
            }
        }
    }
}
