import Platform
import SystemPackage
import Testing

@testable import FuseBridge

/// Takes answers instead of the kernel.
private final class RecordingChannel: ReplyChannel {
    let answers = Guarded<[String]>([])
    let handlers = Guarded<[RequestID: @Sendable () -> Void]>([:])

    func send(_ answer: Answer, to request: RequestID) {
        let text: String
        switch answer {
        case .failure(let error): text = "error \(error.rawValue)"
        case .bytes(let bytes): text = "bytes \(Array(bytes))"
        case .entries(let bytes): text = "entries \(Array(bytes))"
        case .value(let bytes): text = "value \(Array(bytes))"
        case .size(let size): text = "size \(size)"
        default: text = "\(answer)"
        }
        answers.withLock { $0.append("\(request.bits): \(text)") }
    }

    func armInterrupt(of request: RequestID, _ handler: @escaping @Sendable () -> Void) {
        handlers.withLock { $0[request] = handler }
    }

    func disarmInterrupt(of request: RequestID) {
        handlers.withLock { _ = $0.removeValue(forKey: request) }
    }

    func interrupt(_ number: UInt) {
        handlers.withLock { $0[RequestID(bits: number)] }?()
    }

    var sent: [String] { answers.withLock { $0 } }
}

@Suite struct ReplyTests {
    private let channel = RecordingChannel()

    private func reply<Kind>(_ number: UInt, _: Kind.Type) -> Reply<Kind> {
        Reply(request: RequestID(bits: number), channel: channel)
    }

    /// True when there is nothing left to take.
    private func isTaken<Kind>(_ parked: ParkedReply<Kind>) -> Bool {
        guard let reply = parked.take() else { return true }
        reply.fail(.ioError)
        return false
    }

    private func drop<Kind>(_ reply: consuming Reply<Kind>) {}

    @Test func anAnswerIsSentOnce() {
        reply(1, RequestKind.Status.self).succeed()
        #expect(channel.sent == ["1: success"])
    }

    @Test func aDroppedReplyIsAnsweredWithEIO() {
        drop(reply(2, RequestKind.Lookup.self))
        #expect(channel.sent == ["2: error \(Errno.ioError.rawValue)"])
    }

    @Test func extendedAttributesFollowTheirSizeRule() {
        reply(1, RequestKind.ExtendedAttribute.self).value([1, 2, 3], capacity: 0)
        reply(2, RequestKind.ExtendedAttribute.self).value([1, 2, 3], capacity: 2)
        reply(3, RequestKind.ExtendedAttribute.self).value([1, 2, 3], capacity: 3)
        #expect(
            channel.sent == [
                "1: size 3", "2: error \(Errno.outOfRange.rawValue)", "3: value [1, 2, 3]",
            ])
    }

    @Test func whatWritesIsAnsweredInItsOwnWords() {
        reply(1, RequestKind.Write.self).written(4096)
        drop(reply(2, RequestKind.Create.self))
        reply(3, RequestKind.MakeNode.self).fail(.fileExists)
        #expect(
            channel.sent == [
                "1: written(4096)", "2: error \(Errno.ioError.rawValue)",
                "3: error \(Errno.fileExists.rawValue)",
            ])
    }

    @Test func onlyTheFirstWhoTakesAnswers() {
        let parked = reply(4, RequestKind.Data.self).park()
        #expect(channel.sent.isEmpty)
        parked.fail(.noSpace)
        parked.fail(.ioError)
        #expect(isTaken(parked))
        #expect(channel.sent == ["4: error \(Errno.noSpace.rawValue)"])
    }

    @Test func aParkedReplyNobodyAnswersEndsWithEIO() {
        do {
            let parked = reply(5, RequestKind.Data.self).park()
            #expect(channel.sent.isEmpty)
            withExtendedLifetime(parked) {}
        }
        #expect(channel.sent == ["5: error \(Errno.ioError.rawValue)"])
    }

    @Test func anInterruptEndsWithEINTRAndCancels() {
        let cancelled = Guarded(0)
        let parked = reply(6, RequestKind.Lookup.self).park()
        parked.onInterrupt { cancelled.withLock { $0 += 1 } }
        channel.interrupt(6)
        #expect(channel.sent == ["6: error \(Errno.interrupted.rawValue)"])
        #expect(cancelled.withLock { $0 } == 1)
        parked.fail(.ioError)
        #expect(channel.sent.count == 1)
    }

    @Test func anInterruptBeforeTheCancelIsKnownStillCancels() {
        let cancelled = Guarded(0)
        let parked = reply(7, RequestKind.Lookup.self).park()
        channel.interrupt(7)
        parked.onInterrupt { cancelled.withLock { $0 += 1 } }
        #expect(cancelled.withLock { $0 } == 1)
    }

    @Test func afterTheAnswerAnInterruptIsNotHeard() {
        let parked = reply(8, RequestKind.Data.self).park()
        parked.fail(.noSpace)
        channel.interrupt(8)
        #expect(channel.sent == ["8: error \(Errno.noSpace.rawValue)"])
    }
}
