import HTTPTransport
import HubClient
import Platform

extension Check {
    /// Longest wait for the Hub.
    private static let patienceSeconds = 10.0

    /// Token and endpoint, by one question.
    static func hub(_ options: HubOptions, _ environment: Environment) -> [Check] {
        let found = options.hubEnvironment(environment)
        let origin = tokenOrigin(found)
        if found.isOffline {
            let offline = Check.warn(
                "endpoint", "not asked: HF_HUB_OFFLINE is set",
                fix: "unset it to read what is not in the cache")
            return [origin.check, offline]
        }
        let answer = whoAmI(
            found, options.readTimeout?.value ?? patienceSeconds, environment.transportConfiguration
        )
        return [origin.hasToken ? token(origin.text, answer) : origin.check]
            + [endpoint(found.endpoint, answer)]
    }

    private static func tokenOrigin(
        _ found: HubEnvironment
    ) -> (text: String, hasToken: Bool, check: Check) {
        let hasToken = found.token.token != nil
        let advice = "for private and gated repos: set HF_TOKEN, or run 'hf auth login'"
        switch found.tokenOrigin {
        case .none:
            return ("", false, .warn("token", "none found: you are anonymous", fix: advice))
        case .disabled:
            let text = "not used: HF_HUB_DISABLE_IMPLICIT_TOKEN is set"
            return ("", false, .warn("token", text, fix: "give --token-file"))
        case .variable(let name):
            return ("from the variable \(name)", hasToken, .ok("token", "from \(name)"))
        case .file(let path):
            let text = "from the file \(path)"
            return (
                text, hasToken,
                hasToken
                    ? .ok("token", text)
                    : .fail("token", "there is none in the file \(path)", fix: "write it there")
            )
        }
    }

    private static func token(_ origin: String, _ answer: Result<String, HubError>) -> Check {
        switch answer {
        case .success(let name): .ok("token", "\(origin), belongs to \(printable(name))")
        case .failure(.unreachable), .failure(.offline), .failure(.status),
            .failure(.rateLimited), .failure(.malformed), .failure(.cancelled):
            .warn("token", "\(origin), not checked", fix: "look at the line 'endpoint'")
        case .failure(.badToken), .failure(.repoNotFound), .failure(.forbidden),
            .failure(.gated), .failure(.revisionNotFound), .failure(.entryNotFound):
            .fail(
                "token", "\(origin), but the Hub does not accept it",
                fix: "make a new one on your settings page, or run 'hf auth login'")
        }
    }

    private static func endpoint(_ url: String, _ answer: Result<String, HubError>) -> Check {
        switch answer {
        case .failure(let error) where error.isSilence:
            .fail(
                "endpoint", error.sentence,
                fix: "check the network, the proxy (https_proxy), authorities (SSL_CERT_FILE) and "
                    + "HF_ENDPOINT")
        case .success, .failure: .ok("endpoint", "\(url) answers")
        }
    }

    private static func whoAmI(
        _ found: HubEnvironment, _ timeoutSeconds: Double,
        _ transportConfiguration: HTTPTransport.Configuration
    ) -> Result<String, HubError> {
        var configuration = HubConfiguration(endpoint: found.endpoint, token: found.token)
        configuration.timeouts.readSeconds = timeoutSeconds
        let transport = HTTPTransport(configuration: transportConfiguration)
        let timers = TimerQueue()
        let client = HubClient(configuration: configuration, transport: transport, timers: timers)
        defer {
            transport.shutdown()
            timers.close()
        }
        return waitForAnswer { completion in client.whoAmI(completion: completion) }
    }
}

extension HubError {
    /// True when nothing that looks like a Hub has answered, or it was ill.
    fileprivate var isSilence: Bool {
        switch self {
        case .unreachable, .malformed, .offline, .cancelled, .status: true
        case .repoNotFound, .revisionNotFound, .entryNotFound, .gated, .badToken, .forbidden,
            .rateLimited:
            false
        }
    }
}
