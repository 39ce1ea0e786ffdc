import HTTPTransport
import Testing

@Suite struct CertificateAuthoritiesTests {
    @Test(
        arguments: [
            ([:], nil, nil),
            (
                ["SSL_CERT_FILE": "/a", "REQUESTS_CA_BUNDLE": "/b", "CURL_CA_BUNDLE": "/c"], "/a",
                nil
            ),
            (["REQUESTS_CA_BUNDLE": "/b", "CURL_CA_BUNDLE": "/c"], "/b", nil),
            (["SSL_CERT_FILE": "", "CURL_CA_BUNDLE": "/c", "SSL_CERT_DIR": "/d"], "/c", "/d"),
            (["SSL_CERT_DIR": ""], nil, nil),
        ] as [([String: String], String?, String?)])
    func whatTheEnvironmentSays(variables: [String: String], file: String?, folder: String?) {
        let authorities = CertificateAuthorities(environment: variables)
        #expect(authorities.file == file)
        #expect(authorities.folder == folder)
    }
}
