/// Whose signature makes a certificate trusted; what libcurl was built with if nothing is said.
package struct CertificateAuthorities: Hashable, Sendable {
    /// Certificates one after the other (PEM), in the place of the system's.
    package var file: String?
    /// A folder of them, named by hashes (`openssl rehash`), in the place of the system's.
    package var folder: String?

    package init() {}

    /// What the environment says, in the variables that OpenSSL and Python's HTTP clients have for it.
    ///
    /// libcurl looks at none of them by itself: the program curl does.
    package init(environment variables: [String: String]) {
        let names = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]
        file = names.lazy.compactMap { variables[$0] }.first { !$0.isEmpty }
        folder = variables["SSL_CERT_DIR"].flatMap { $0.isEmpty ? nil : $0 }
    }
}
