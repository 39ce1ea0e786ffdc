/// A fault in the admin API's JSON; docs/LOCALHUB.md explains the keys.
package struct FaultBody: Codable, Sendable {
    package var kind: String
    package var path: String?
    package var method: String?
    package var `class`: TrafficClass?
    package var endpoint: String?
    package var skip: Int?
    package var count: Int?
    package var percent: Double?
    package var seed: UInt64?
    package var milliseconds: Double?
    package var rttMilliseconds: Double?
    package var windowBytes: Int?
    package var seconds: Int?
    package var status: Int?
    package var retryAfter: Int?
    package var message: String?
    package var atByte: Int?
    package var byteCount: Int?
    /// Only in answers.
    package var id: Int?
    package var matched: Int?
    package var fired: Int?

    package init(kind: String) {
        self.kind = kind
    }

    package init(_ fault: Fault) {
        self.init(kind: "")
        path = fault.path
        method = fault.method
        self.class = fault.traffic
        endpoint = fault.endpoint
        skip = fault.skip
        count = fault.count
        percent = fault.percent
        seed = fault.seed
        describe(fault.kind)
    }

    package init(_ entry: FaultBoard.Entry) {
        self.init(entry.fault)
        id = entry.id
        matched = entry.matched
        fired = entry.fired
    }

    private mutating func describe(_ fault: Fault.Kind) {
        switch fault {
        case .delay(let time):
            kind = "delay"
            milliseconds = time
        case .link(let link):
            kind = "link"
            rttMilliseconds = link.rttMilliseconds
            windowBytes = link.windowBytes
        case .rateLimited(let time):
            kind = "rate-limit"
            seconds = time
        case .status(let code, let pause, let words):
            kind = "status"
            status = code
            retryAfter = pause
            message = words
        case .lateStatus(let code):
            kind = "late-status"
            status = code
        case .resetUpload(let byte):
            kind = "reset-upload"
            atByte = byte
        case .expired: kind = "expired"
        case .cut(let byte):
            kind = "cut"
            atByte = byte
        case .reset(let byte):
            kind = "reset"
            atByte = byte
        case .stall(let byte):
            kind = "stall"
            atByte = byte
        case .ignoreRange: kind = "ignore-range"
        case .corrupt(let byte, let length):
            kind = "corrupt"
            atByte = byte
            byteCount = length
        case .gzip: kind = "gzip"
        case .loseAnswer: kind = "lose-answer"
        case .stallAnswer: kind = "stall-answer"
        }
    }

    package enum Failure: Error, Equatable {
        case unknownKind(String)
        /// A key the kind needs is not there, or its value cannot be.
        case badValue(key: String)
    }

    /// The fault the body describes.
    package func fault() throws(Failure) -> Fault {
        if let count, count < 1 { throw .badValue(key: "count") }
        if let skip, skip < 0 { throw .badValue(key: "skip") }
        if let atByte, atByte < 0 { throw .badValue(key: "atByte") }
        if let percent, !(0...100).contains(percent) { throw .badValue(key: "percent") }
        if let endpoint, !Endpoint.names.contains(endpoint) { throw .badValue(key: "endpoint") }
        return Fault(
            try faultKind(), path: path ?? "*", method: method?.uppercased(),
            traffic: self.class, endpoint: endpoint, skip: skip ?? 0, count: count,
            percent: percent ?? 100,
            seed: seed ?? 0)
    }

    private func faultKind() throws(Failure) -> Fault.Kind {
        switch kind {
        case "delay":
            return .delay(milliseconds: try required(milliseconds, "milliseconds"))
        case "link":
            let rtt = try required(rttMilliseconds, "rttMilliseconds")
            if let windowBytes, windowBytes < 1 { throw .badValue(key: "windowBytes") }
            return .link(Link(rttMilliseconds: rtt, windowBytes: windowBytes))
        case "rate-limit": return .rateLimited(seconds: seconds ?? 1)
        case "status":
            return .status(try errorStatus(), retryAfter: retryAfter, message: message)
        case "late-status": return .lateStatus(try errorStatus())
        case "reset-upload": return .resetUpload(atByte: atByte ?? 0)
        case "expired": return .expired
        case "cut": return .cut(atByte: atByte ?? 0)
        case "reset": return .reset(atByte: atByte)
        case "stall": return .stall(atByte: atByte)
        case "ignore-range": return .ignoreRange
        case "corrupt": return .corrupt(atByte: atByte ?? 0, count: byteCount)
        case "gzip": return .gzip
        case "lose-answer": return .loseAnswer
        case "stall-answer": return .stallAnswer
        default: throw .unknownKind(kind)
        }
    }

    private func errorStatus() throws(Failure) -> Int {
        let code = try required(status, "status")
        guard (400...599).contains(code) else { throw .badValue(key: "status") }
        return code
    }

    private func required<Value: Comparable & Numeric>(
        _ value: Value?, _ key: String
    ) throws(Failure) -> Value {
        guard let value, value >= .zero else { throw .badValue(key: key) }
        return value
    }
}
