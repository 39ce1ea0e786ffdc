import Logging
package import SystemPackage

/// Where answers go: the kernel, or a test that stands in for it.
package protocol ReplyChannel: AnyObject, Sendable {
    /// Sends the one answer to `request`; the request is gone afterwards.
    func send(_ answer: Answer, to request: RequestID)

    /// Arranges that `handler` runs, on any thread, if the caller of `request` is interrupted.
    /// `handler` may run at once. It is forgotten when `disarm` is called.
    func armInterrupt(of request: RequestID, _ handler: @escaping @Sendable () -> Void)

    /// Forgets the handler. Must be called before the request is answered.
    func disarmInterrupt(of request: RequestID)
}

/// Names a request until it is answered: libfuse's `fuse_req_t`, or a test's own number.
package struct RequestID: Hashable, Sendable {
    package let bits: UInt

    package init(bits: UInt) { self.bits = bits }
}

/// The right and the duty to answer one request.
///
/// Not copyable, and every answering method consumes it, so a request is answered exactly once.
/// One that is dropped answers EIO, so that no caller waits for ever.
///
/// `Kind` is the request's operation; extensions give each kind the answers that fit it.
package struct Reply<Kind>: ~Copyable, Sendable {
    let request: RequestID
    // Not counted, so that a reply costs nothing to make: the session keeps its channel alive until
    // every request is answered.
    unowned(unsafe) let channel: any ReplyChannel
    /// Whose numbers the answer will have.
    let numbers: PartNumbers

    package init(
        request: RequestID, channel: any ReplyChannel, numbers: PartNumbers = .whole
    ) {
        self.request = request
        self.channel = channel
        self.numbers = numbers
    }

    /// The same right for a part of the file system, which answers in numbers of its own.
    package consuming func handed(to part: PartNumbers) -> Reply<Kind> {
        let handed = Reply(request: request, channel: channel, numbers: part)
        discard self
        return handed
    }

    /// The same right, with the answer going elsewhere.
    consuming func redirected(to channel: any ReplyChannel) -> Reply<Kind> {
        let redirected = Reply(request: request, channel: channel, numbers: numbers)
        discard self
        return redirected
    }

    deinit {
        Logger(label: "hubfs.fuse").error("a request was dropped without an answer: EIO")
        channel.send(.failure(.ioError), to: request)
    }

    /// Ends the call with an error.
    package consuming func fail(_ error: Errno) {
        answer(.failure(error))
    }

    consuming func answer(_ answer: Answer) {
        channel.send(numbers.outside(answer), to: request)
        discard self
    }

    /// Keeps the request for later, to be answered from another thread.
    package consuming func park() -> ParkedReply<Kind> {
        let parked = ParkedReply<Kind>(request: request, channel: channel, numbers: numbers)
        discard self
        return parked
    }
}

/// The kinds of request, as types for `Reply`.
package enum RequestKind {
    package enum Lookup {}
    package enum Attributes {}
    package enum Open {}
    package enum OpenDirectory {}
    package enum Data {}
    package enum Status {}
    package enum Link {}
    package enum Statistics {}
    package enum ExtendedAttribute {}
    package enum Seek {}
    package enum Create {}
    package enum MakeNode {}
    package enum Write {}
}

extension Reply where Kind == RequestKind.Lookup {
    package consuming func entry(_ entry: Entry) { answer(.entry(entry)) }
    package consuming func absent(_ cacheTime: CacheTime) { answer(.absent(cacheTime)) }
}

extension Reply where Kind == RequestKind.Attributes {
    package consuming func attributes(_ attributes: Attributes, _ cacheTime: CacheTime) {
        answer(.attributes(attributes, cacheTime))
    }
}

extension Reply where Kind == RequestKind.Open {
    package consuming func opened(_ handle: HandleID, keepsCache: Bool) {
        answer(.opened(handle, keepsCache: keepsCache))
    }

    package consuming func openedDirectly(_ handle: HandleID) { answer(.openedDirectly(handle)) }

    /// - Parameter file: The same for all opens of the node that overlap, and none of them may be
    ///   answered otherwise: the kernel ends the second open with EIO.
    package consuming func opened(_ handle: HandleID, backedBy file: BackingFiles.ID) {
        answer(.openedBacked(handle, file))
    }
}

extension Reply where Kind == RequestKind.OpenDirectory {
    package consuming func opened(_ handle: HandleID, keepsCache: Bool) {
        answer(.openedDirectory(handle, keepsCache: keepsCache))
    }
}

extension Reply where Kind == RequestKind.Data {
    /// Answers a read; an empty buffer is the end.
    package consuming func bytes(_ bytes: UnsafeRawBufferPointer) { answer(.bytes(bytes)) }
    /// Answers a readdir; an empty buffer is the end.
    package consuming func entries(_ bytes: UnsafeRawBufferPointer) { answer(.entries(bytes)) }
}

extension Reply where Kind == RequestKind.Status {
    package consuming func succeed() { answer(.success) }
}

extension Reply where Kind == RequestKind.Link {
    package consuming func link(_ target: FileName) { answer(.link(target)) }
}

extension Reply where Kind == RequestKind.Statistics {
    package consuming func statistics(_ statistics: FileSystemStatistics) {
        answer(.statistics(statistics))
    }
}

extension Reply where Kind == RequestKind.ExtendedAttribute {
    /// Answers getxattr and listxattr by their common rule: a size of 0 asks how much there is,
    /// too small a buffer is ERANGE. Source: man 2 getxattr.
    package consuming func value(_ value: [UInt8], capacity: Int) {
        if capacity == 0 {
            answer(.size(value.count))
        } else if capacity < value.count {
            fail(.outOfRange)
        } else {
            // The answer is sent within the call, while the array is pinned.
            let (request, channel) = (request, channel)
            discard self
            value.withUnsafeBytes { channel.send(.value($0), to: request) }
        }
    }
}

extension Reply where Kind == RequestKind.Seek {
    package consuming func offset(_ offset: UInt64) { answer(.offset(offset)) }
}

extension Reply where Kind == RequestKind.Create {
    package consuming func created(_ entry: Entry, _ handle: HandleID, keepsCache: Bool) {
        answer(.created(entry, handle, keepsCache: keepsCache))
    }
}

extension Reply where Kind == RequestKind.MakeNode {
    package consuming func entry(_ entry: Entry) { answer(.entry(entry)) }
}

extension Reply where Kind == RequestKind.Write {
    /// - Parameter count: Bytes. Fewer than asked is an error to the caller of a write, not to
    ///   that of a copy.
    package consuming func written(_ count: Int) { answer(.written(count)) }
}
