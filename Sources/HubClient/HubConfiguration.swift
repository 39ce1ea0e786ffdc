package import Logging

/// How the Hub is asked.
package struct HubConfiguration: Sendable {
    /// Base URL, with or without trailing slash.
    package var endpoint: String
    /// Asked for each request, since a token file may change.
    package var token: any TokenSource
    /// No request leaves the machine; every question ends with `.offline`.
    package var isOffline = false
    /// Whether large files may go to the content-addressed store.
    package var uploadsByXet = true
    package var userAgent = "hubfs/\(hubfsVersion)"
    package var timeouts = HubTimeouts()
    /// What the retries may do; `secondsWithoutProgressMax` is taken from `timeouts`.
    package var retries = RetryPolicy.Limits()
    /// Multiplies the waits between tries, and how long a connection that writes may be silent. Only
    /// tests of faults have another than 1.
    package var waitFactor = 1.0
    package var logger = Logger(label: "hubfs.hub")

    package init(endpoint: String, token: any TokenSource) {
        self.endpoint = endpoint
        self.token = token
    }

    var retryLimits: RetryPolicy.Limits {
        var limits = scaledRetries
        limits.secondsWithoutProgressMax = timeouts.readSeconds
        return limits
    }

    /// For everything that belongs to writing.
    var writeRetryLimits: RetryPolicy.Limits {
        var limits = scaledRetries
        limits.secondsWithoutProgressMax = timeouts.writeSeconds
        return limits
    }

    private var scaledRetries: RetryPolicy.Limits {
        var limits = retries
        limits.waits = limits.waits.map { $0 * waitFactor }
        return limits
    }
}

/// How long the parts of a question to the Hub may take, in seconds.
package struct HubTimeouts: Hashable, Sendable {
    /// Without a byte of progress, retries and waits included; then the question ends with an error.
    package var readSeconds = 30.0
    /// Name look-up, TCP and TLS of one try.
    package var connectSeconds = 5.0
    /// Without a byte on one connection; then it is given up and another one tried. A healthy
    /// connection's longest silence is a slow first byte, seconds at worst; three such tries still
    /// fit into `readSeconds`.
    package var stallSeconds = 8.0
    /// One answer of the API from beginning to end: a page of 1000 entries at 20 KB/s.
    package var answerSeconds = 20.0
    /// Without progress of something that is written, retries and waits included. Nobody waits in a
    /// read for it, so it outlasts a whole window of the Hub's rate limit (300 s).
    package var writeSeconds = 330.0
    /// Without a byte in either direction on one connection that writes. The Hub gives a commit up
    /// after 60 s and says so; whoever hangs up before that never learns what became of it.
    package var writeStallSeconds = 90.0

    package init() {}
}

/// The version `hubfs --version` shows and servers see.
package let hubfsVersion = "0.1.0"
