/// What kind of traffic a request is; the counters and the faults tell requests apart by it.
package enum TrafficClass: String, Codable, Sendable, CaseIterable {
    /// Everything below `/api` except `resolve-cache`, and everything not named here.
    case api
    /// `resolve`, `raw` and `resolve-cache`: small contents and the way to large ones.
    case resolve
    /// Large contents, from the CDN listener.
    case cdn
    /// The LFS batch and verify calls and the uploads themselves.
    case lfs
    /// The API of the CAS, uploads to it among them.
    case cas
    /// Parts of xorbs by signed URL, in either direction, from the CDN listener.
    case xorb

    /// Whether what goes wrong before a handler is asked is told in JSON.
    var isAPI: Bool { self == .api || self == .cas }
}
