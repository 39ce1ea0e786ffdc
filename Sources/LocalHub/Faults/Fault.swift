/// Something that goes wrong on demand, and for which requests.
package struct Fault: Sendable, Equatable {
    /// What goes wrong.
    package enum Kind: Sendable, Equatable {
        /// The request waits this long before anything else.
        case delay(milliseconds: Double)
        /// The connection behaves like this link.
        case link(Link)
        /// 429 with `RateLimit: "…";r=0;t=seconds`.
        case rateLimited(seconds: Int)
        /// An error answer; the request has no effect. `retryAfter` in seconds; `message` in place
        /// of the Hub's usual words.
        case status(Int, retryAfter: Int?, message: String? = nil)
        /// An error answer though the request takes effect, as of a gateway that waited too long.
        case lateStatus(Int)
        /// The connection ends with RST once so many bytes of the request's body are here.
        case resetUpload(atByte: Int)
        /// 403 as the CDN says it of a URL past its time.
        case expired
        /// The connection ends in order after so many bytes of the body.
        case cut(atByte: Int)
        /// The connection ends with RST: before the head, or after so many bytes of the body.
        case reset(atByte: Int?)
        /// Nothing more comes: not even a head, or no byte of the body after this one.
        case stall(atByte: Int?)
        /// The whole content with status 200, whatever range was asked.
        case ignoreRange
        /// Bits of the body are flipped: `count` bytes from an offset on, or to its end.
        case corrupt(atByte: Int, count: Int?)
        /// The body comes gzip-encoded though nobody asked.
        case gzip
        /// The request takes effect, and the connection ends with RST instead of an answer.
        case loseAnswer
        /// The request takes effect, and nothing comes back until the client goes.
        case stallAnswer
    }

    package var kind: Kind
    /// A glob over the URL's path as sent, without its query; `*` also passes `/`.
    package var path: String
    package var method: String?
    package var traffic: TrafficClass?
    /// An endpoint as the counters call it.
    package var endpoint: String?
    /// How many matching requests pass unharmed first.
    package var skip: Int
    /// How many times it happens; nil is for ever.
    package var count: Int?
    /// How likely it is for each request that matches, drawn from a generator begun with `seed`.
    package var percent: Double
    package var seed: UInt64

    package init(
        _ kind: Kind, path: String = "*", method: String? = nil, traffic: TrafficClass? = nil,
        endpoint: String? = nil, skip: Int = 0, count: Int? = nil, percent: Double = 100,
        seed: UInt64 = 0
    ) {
        self.kind = kind
        self.path = path
        self.method = method
        self.traffic = traffic
        self.endpoint = endpoint
        self.skip = skip
        self.count = count
        self.percent = percent
        self.seed = seed
    }
}
