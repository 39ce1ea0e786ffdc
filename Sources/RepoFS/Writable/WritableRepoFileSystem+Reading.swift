package import FuseBridge
import HubClient
import Logging
import Platform
import RepoCache
import SystemPackage
import WriteBack

extension WritableRepoFileSystem {
    package func read(
        _ node: NodeID, _ handle: HandleID, offset: UInt64, count: Int,
        _ reply: consuming Reply<RequestKind.Data>
    ) {
        guard let open = files.withLock({ $0[handle] }) else {
            return reply.fail(.badFileDescriptor)
        }
        let count = min(count, ThreadBuffer.byteCount)
        var reply = Optional(reply)
        let outcome = ThreadBuffer.withBytes(count: count) { buffer in
            let outcome = fill(buffer, open, offset: offset)
            if case .filled(let read) = outcome {
                reply.take()!.bytes(UnsafeRawBufferPointer(rebasing: buffer[..<read]))
            }
            return outcome
        }
        guard let reply = reply.take() else { return }
        wait(reply.park(), outcome, open, offset: offset, count: count, absentLeft: Self.absentMax)
    }

    /// What became of an attempt to read without waiting.
    private enum Outcome {
        case filled(Int)
        /// This part of the base must be fetched first.
        case absent(OpenContent, Range<UInt64>)
        case failed(Errno)
    }

    /// Parts of one read that can be absent one after the other: its segments, and each again if it
    /// is evicted meanwhile.
    private static let absentMax = 512

    /// Times that commits can end, one after the other, during one read.
    private static let moveCountMax = 8

    private func fill(
        _ buffer: UnsafeMutableRawBufferPointer, _ open: OpenFile, offset: UInt64
    ) -> Outcome {
        for _ in 0..<Self.moveCountMax {
            if let outcome = fillOnce(buffer, open, offset: offset) { return outcome }
        }
        logger.error("edited bytes cannot be found in the workspace")
        return .failed(.ioError)
    }

    /// - Returns: nil when a commit ended meanwhile and gave bytes another place.
    private func fillOnce(
        _ buffer: UnsafeMutableRawBufferPointer, _ open: OpenFile, offset: UInt64
    ) -> Outcome? {
        var filled = 0
        for segment in open.file.segments(offset: offset, count: buffer.count) {
            let count = Int(segment.bytes.upperBound - segment.bytes.lowerBound)
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + count])
            do {
                switch segment.source {
                case .zeros: _ = part.initializeMemory(as: UInt8.self, repeating: 0)
                case .staged(let file):
                    let read = try file.read(into: part, at: segment.bytes.lowerBound)
                    guard read == count else { return nil }
                case .base(let file):
                    let content = try open.content(of: file, in: base)
                    guard let read = content.readPresent(into: part, at: segment.bytes.lowerBound)
                    else { return .absent(content, segment.bytes) }
                    guard read == count else { return .failed(.ioError) }
                }
            } catch let error as WriteBackError {
                logger.error("edited bytes cannot be read: \(error)")
                return .failed(error.errno)
            } catch let error as CacheError {
                logger.error("the base's bytes cannot be read: \(error)")
                return .failed(error.errno)
            } catch {
                return .failed(.ioError)
            }
            filled += count
        }
        return .filled(filled)
    }

    private func wait(
        _ parked: ParkedReply<RequestKind.Data>, _ outcome: Outcome, _ open: OpenFile,
        offset: UInt64, count: Int, absentLeft: Int
    ) {
        switch outcome {
        case .filled: break
        case .failed(let code): parked.fail(code)
        case .absent(_, _) where absentLeft == 0: parked.fail(.ioError)
        case .absent(let content, let bytes):
            let ticket = content.read(offset: bytes.lowerBound, count: bytes.count) {
                [self] result in
                if case .failure(let error) = result {
                    logger.error(
                        "\(content.location.path) at offset \(offset) cannot be read: \(error)")
                    return parked.fail(error.errno)
                }
                let next = ThreadBuffer.withBytes(count: count) { buffer in
                    let next = fill(buffer, open, offset: offset)
                    if case .filled(let read) = next, let reply = parked.take() {
                        reply.bytes(UnsafeRawBufferPointer(rebasing: buffer[..<read]))
                    }
                    return next
                }
                wait(
                    parked, next, open, offset: offset, count: count, absentLeft: absentLeft - 1)
            }
            if let ticket, absentLeft == Self.absentMax {
                parked.onInterrupt { ticket.cancel() }
            }
        }
    }
}
