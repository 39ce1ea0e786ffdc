import Glibc
import Testing

@testable import HubClient

/// A folder that is gone after the test.
private final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/hubfs-test-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "no temporary folder")
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    /// Files and folders, in order of creation.
    private var created: [String] = []

    deinit {
        for name in created.reversed() { remove(name) }
        rmdir(path)
    }

    func write(_ text: String, to name: String) {
        var folder = path
        for part in name.split(separator: "/").dropLast() {
            folder += "/" + part
            if mkdir(folder, 0o700) == 0 { created.append(folder) }
        }
        let file = open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        precondition(file >= 0, "no file")
        _ = text.withCString { Glibc.write(file, $0, strlen($0)) }
        close(file)
        created.append(path + "/" + name)
    }
}

struct HubEnvironmentTests {
    @Test func anEmptyEnvironmentMeansThePublicHub() {
        let folder = TemporaryFolder()
        let environment = HubEnvironment(variables: ["HOME": folder.path])
        #expect(environment.endpoint == "https://huggingface.co")
        #expect(environment.token.token == nil)
        #expect(environment.tokenOrigin == .none)
        #expect(!environment.isOffline)
        #expect(environment.officialCachePath == folder.path + "/.cache/huggingface/hub")
    }

    @Test func slashesAtTheEndpointsEndAreDropped() {
        let environment = HubEnvironment(variables: ["HF_ENDPOINT": "http://127.0.0.1:1//"])
        #expect(environment.endpoint == "http://127.0.0.1:1")
    }

    @Test func theTokenFileIsFoundInEachPlace() {
        let folder = TemporaryFolder()
        folder.write("hf_a\n", to: ".cache/huggingface/token")
        folder.write("hf_b\r\n", to: "xdg/huggingface/token")
        folder.write("  hf_c", to: "home/token")
        folder.write("hf_d", to: "elsewhere")
        var variables = ["HOME": folder.path]
        #expect(HubEnvironment(variables: variables).token.token?.secret == "hf_a")
        variables["XDG_CACHE_HOME"] = "~/xdg"
        #expect(HubEnvironment(variables: variables).token.token?.secret == "hf_b")
        variables["HF_HOME"] = "~/home"
        #expect(HubEnvironment(variables: variables).token.token?.secret == "hf_c")
        variables["HF_TOKEN_PATH"] = folder.path + "/elsewhere"
        #expect(HubEnvironment(variables: variables).token.token?.secret == "hf_d")
    }

    @Test func variablesGoBeforeTheFile() {
        let folder = TemporaryFolder()
        folder.write("hf_file", to: ".cache/huggingface/token")
        folder.write("hf_named", to: "named")
        var variables = ["HOME": folder.path, "HUGGING_FACE_HUB_TOKEN": "hf_old"]
        #expect(HubEnvironment(variables: variables).token.token?.secret == "hf_old")
        variables["HF_TOKEN"] = " hf_new\n"
        #expect(HubEnvironment(variables: variables).token.token?.secret == "hf_new")
        #expect(HubEnvironment(variables: variables).tokenOrigin == .variable("HF_TOKEN"))
        let named = folder.path + "/named"
        let environment = HubEnvironment(variables: variables, tokenFile: named)
        #expect(environment.token.token?.secret == "hf_named")
        #expect(environment.tokenOrigin == .file(named))
    }

    @Test(arguments: ["1", "on", "YES", "True"])
    func switchesAreRead(value: String) {
        let variables = [
            "HF_HUB_DISABLE_IMPLICIT_TOKEN": value, "HF_TOKEN": "hf_x", "HF_HUB_OFFLINE": value,
        ]
        let environment = HubEnvironment(variables: variables)
        #expect(environment.token.token == nil)
        #expect(environment.tokenOrigin == .disabled)
        #expect(environment.isOffline)
        #expect(!HubEnvironment(variables: ["HF_HUB_OFFLINE": "0"]).isOffline)
    }

    @Test func aTokenFileIsReadAgainWhenItChanges() {
        let folder = TemporaryFolder()
        let source = TokenFile(path: folder.path + "/t")
        #expect(source.token == nil)
        folder.write("hf_one", to: "t")
        #expect(source.token?.secret == "hf_one")
        // Another length, so that the change is seen even within one tick of the file's clock.
        folder.write("hf_second", to: "t")
        #expect(source.token?.secret == "hf_second")
        unlink(folder.path + "/t")
        #expect(source.token == nil)
    }

    @Test func aTokenIsNeverShown() throws {
        let token = try #require(Token("hf_secret"))
        var dumped = ""
        dump(token, to: &dumped)
        for text in ["\(token)", String(reflecting: token), dumped] {
            #expect(!text.contains("secret"))
        }
    }

    @Test(arguments: ["", " \n", "a b", "hf_é", "hf\u{0}x"])
    func whatCannotStandInAHeaderIsNoToken(text: String) {
        #expect(Token(text) == nil)
    }
}
