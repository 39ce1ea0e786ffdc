import ArgumentParser
import LocalHub

/// What goes wrong; exactly one of them.
struct FaultKindOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Wait first: 200ms, 1.5s.", valueName: "time"))
    var delay: Milliseconds?

    @Option(help: ArgumentHelp("Be such a link: rtt=20ms,window=2900KB.", valueName: "link"))
    var link: Link?

    @Option(
        name: .customLong("429"),
        help: ArgumentHelp("Answer 429 with r=0 and so many seconds to wait.", valueName: "seconds")
    )
    var rateLimit: Int?

    @Option(help: ArgumentHelp("Answer this status, 400 to 599.", valueName: "code"))
    var status: Int?

    @Option(help: ArgumentHelp("With --status: a Retry-After header.", valueName: "seconds"))
    var retryAfter: Int?

    @Option(help: ArgumentHelp("With --status: what the error says.", valueName: "text"))
    var message: String?

    @Option(
        help: ArgumentHelp("Do what was asked, then answer this status.", valueName: "code"))
    var lateStatus: Int?

    @Option(
        help: ArgumentHelp(
            "End the connection with RST after so many bytes of the request's body.",
            valueName: "byte"))
    var resetUpload: Bytes?

    @Flag(help: "Answer 403 as the CDN does for a URL past its time.")
    var expired = false

    @Option(
        help: ArgumentHelp("End the connection after so many bytes of the body.", valueName: "byte")
    )
    var cut: Bytes?

    @Flag(help: "End the connection with RST before the head, or at --at.")
    var reset = false

    @Flag(help: "Send nothing more before the head, or at --at.")
    var stall = false

    @Flag(help: "Answer 200 and the whole content whatever range was asked.")
    var ignoreRange = false

    @Flag(help: "Flip the bits of the body from --at on, --length bytes or all.")
    var corrupt = false

    @Flag(help: "Send the body gzip-encoded.")
    var gzip = false

    @Flag(help: "Do what was asked, then end the connection with RST.")
    var loseAnswer = false

    @Flag(help: "Do what was asked, then send nothing until the client goes.")
    var stallAnswer = false

    @Option(
        help: ArgumentHelp(
            "For --reset, --stall and --corrupt: a byte of the body.", valueName: "byte"))
    var at: Bytes?

    @Option(help: ArgumentHelp("For --corrupt: how many bytes.", valueName: "count"))
    var length: Bytes?

    func body() throws -> FaultBody {
        let kinds: [(isGiven: Bool, name: String)] = [
            (delay != nil, "delay"), (link != nil, "link"), (rateLimit != nil, "rate-limit"),
            (status != nil, "status"), (expired, "expired"), (cut != nil, "cut"),
            (lateStatus != nil, "late-status"), (resetUpload != nil, "reset-upload"),
            (reset, "reset"), (stall, "stall"), (ignoreRange, "ignore-range"),
            (corrupt, "corrupt"), (gzip, "gzip"), (loseAnswer, "lose-answer"),
            (stallAnswer, "stall-answer"),
        ]
        let given = kinds.filter(\.isGiven)
        guard given.count == 1, let kind = given.first else {
            throw ValidationError("Say exactly one kind of fault; see 'localhub fault add --help'.")
        }
        var body = FaultBody(kind: kind.name)
        body.milliseconds = delay?.value
        body.rttMilliseconds = link?.rttMilliseconds
        body.windowBytes = link?.windowBytes
        body.seconds = rateLimit
        body.status = status ?? lateStatus
        body.message = message
        body.retryAfter = retryAfter
        body.atByte = cut?.value ?? resetUpload?.value ?? at?.value
        body.byteCount = length?.value
        return body
    }
}

/// `200ms`
struct Milliseconds: ExpressibleByArgument {
    let value: Double

    init?(argument: String) {
        guard let value = Quantity.milliseconds(argument) else { return nil }
        self.value = value
    }
}

/// `64KiB`
struct Bytes: ExpressibleByArgument {
    let value: Int

    init(value: Int) {
        self.value = value
    }

    var defaultValueDescription: String { String(value) }

    init?(argument: String) {
        guard let value = Quantity.bytes(argument) else { return nil }
        self.value = value
    }
}
