import FuseBridge
import HubClient
import Testing

@testable import RepoFS

@Suite struct PossibleNameTests {
    private static let org = HubAccount(kind: .model, name: "org")
    private static let data = HubAccount(kind: .dataset, name: "org")

    private func name(_ text: String, in place: HubPlace) -> PossibleName {
        PossibleName(FileName(text), in: place)
    }

    private func repo(_ kind: RepoKind, _ id: String, _ revision: String? = nil) -> TreeRepo {
        TreeRepo(RepoID(kind: kind, name: id), revision.map { Revision($0) })
    }

    @Test func theRootHasKindsAndAccounts() {
        #expect(name("models", in: .root) == .kind(.model))
        #expect(name("datasets", in: .root) == .kind(.dataset))
        #expect(name("spaces", in: .root) == .kind(.space))
        #expect(name("org", in: .root) == .account(Self.org))
        for text in ["kernels", "buckets", "model", "dataset", "org@main", ".git"] {
            #expect(name(text, in: .root) == .nothing)
        }
    }

    @Test func aKindHasAccountsAndOldRepos() {
        #expect(
            name("gpt2", in: .kind(.model))
                == .accountOrRepo(HubAccount(kind: .model, name: "gpt2"), repo(.model, "gpt2")))
        #expect(name("gpt2@v1", in: .kind(.model)) == .repo(repo(.model, "gpt2", "v1")))
        #expect(name("squad@main", in: .kind(.dataset)) == .repo(repo(.dataset, "squad")))
        #expect(
            name("org", in: .kind(.space)) == .account(HubAccount(kind: .space, name: "org")))
        #expect(name("org@v1", in: .kind(.space)) == .nothing)
    }

    @Test func anAccountHasReposAtRevisions() {
        #expect(name("name", in: .account(Self.org)) == .repo(repo(.model, "org/name")))
        #expect(name("name@main", in: .account(Self.org)) == .repo(repo(.model, "org/name")))
        #expect(
            name("name@refs%2Fpr%2F3", in: .account(Self.data))
                == .repo(repo(.dataset, "org/name", "refs/pr/3")))
        #expect(name("name@a@b", in: .account(Self.org)) == .repo(repo(.model, "org/name", "a@b")))
    }

    @Test(arguments: [
        ".git", ".Trash-1000", ".hidden", ".DS_Store", "lost+found", "System Volume Information",
        "x--y", "x..y", "repo.git", "-x", "x-", "x.", "@main", "x@", "x@a..b", "größe",
        String(repeating: "x", count: 97),
    ])
    func whatNoRepoCanBeCalledIsNothing(_ text: String) {
        for place in [HubPlace.root, .kind(.model), .kind(.space), .account(Self.org)] {
            #expect(name(text, in: place) == .nothing)
        }
        #expect(
            PossibleName(FileName(bytes: [0x61, 0xff]), in: .account(Self.org)) == .nothing)
    }

    @Test func aRepoIsSpelledInOneWay() {
        #expect(repo(.model, "org/name").fileName == "name")
        #expect(repo(.model, "org/name", "main").description == "models/org/name")
        #expect(repo(.model, "org/name", "refs/pr/3").fileName == "name@refs%2Fpr%2F3")
        #expect(repo(.dataset, "org/name", "a/b").description == "datasets/org/name@a%2Fb")
        #expect(repo(.dataset, "org/name").account == Self.data)
        #expect(repo(.model, "gpt2").account == nil)
        #expect(repo(.model, "gpt2").place == .kind(.model))
        #expect(repo(.dataset, "org/name").place == .account(Self.data))
        #expect(repo(.model, "gpt2", "v1").fileName == "gpt2@v1")
    }

    @Test func inodeNumbersDiffer() {
        let places: [HubPlace] = [
            .root, .kind(.model), .kind(.dataset), .kind(.space), .account(Self.org),
            .account(Self.data), .link(path: "org", target: "models/org"),
        ]
        let repos = ["models/org/name", "models/org/name@v1", "models/org"].map {
            InodeNumbers.root(repo: $0, path: "")
        }
        #expect(Set(places.map(\.inodeNumber) + repos).count == places.count + repos.count)
    }
}
