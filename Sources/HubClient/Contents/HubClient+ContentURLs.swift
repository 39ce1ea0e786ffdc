import Glibc
import HTTPTransport
import Platform

extension HubClient {
    /// Where a content's bytes are served: known, or asked from `resolve` once for all who wait.
    func target(
        of location: ContentLocation, priority: FetchPriority,
        completion: @escaping ContentURLs.Waiter
    ) {
        let now = Double(time(nil))
        let answer = locations.withLock {
            $0.find(location.content, nowSeconds: now, waiter: completion)
        }
        switch answer {
        case .known(let target): completion(.success(target))
        case .waiting: break
        case .ask:
            askTarget(of: location, priority: priority) { [locations] result in
                let waiters = locations.withLock { $0.finish(location.content, result) }
                for waiter in waiters { waiter(result) }
            }
        }
    }

    /// Small files are redirected within the Hub, to a place that is addressed by commit and stays
    /// valid; large ones to the CDN, by a signed URL that expires. The redirect itself is the
    /// answer: it is not followed here.
    private func askTarget(
        of location: ContentLocation, priority: FetchPriority,
        completion: @escaping ContentURLs.Waiter
    ) {
        let url = urls.resolve(location)
        let request = HTTPRequest(.head, url: url)
        APICall(self, request, kind: .resolvers, priority: priority) { [self] result in
            completion(
                result.flatMap { response in
                    guard response.head.isRedirect else {
                        return .success(ContentURLs.Target(url: url, expiresSeconds: nil))
                    }
                    guard
                        let next = response.head["location"].flatMap({
                            urls.absolute($0, from: url)
                        })
                    else {
                        return .failure(.malformed(url: url, reason: "a redirect without target"))
                    }
                    let expires = urls.isOurs(next) ? nil : expiry(of: next)
                    return .success(ContentURLs.Target(url: next, expiresSeconds: expires))
                })
        }.start()
    }

    /// When a signed URL must not be used any more: a minute before it expires, or in five minutes
    /// when its query does not tell.
    private func expiry(of url: String) -> Double {
        let now = Double(time(nil))
        var lifetime = 360.0
        for field in url.drop(while: { $0 != "?" }).dropFirst().split(separator: "&") {
            let pair = field.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, let value = Double(pair[1]) else { continue }
            // CloudFront gives an instant, S3 a lifetime in seconds.
            if pair[0] == "Expires" { lifetime = value - now }
            if pair[0] == "X-Amz-Expires" { lifetime = min(lifetime, value) }
        }
        return now + max(lifetime - 60, lifetime / 2)
    }
}
