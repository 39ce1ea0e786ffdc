import RepoFS
import WriteBack

extension MountFlags {
    /// Refuses what makes no sense of the whole Hub, or of a single repo.
    ///
    /// - Throws: `Failure` with code `usage`.
    func check(showsWholeHub: Bool) throws(Failure) {
        if !showsWholeHub {
            guard repoIdle == nil, namesTtl == nil else {
                throw Failure(
                    .usage,
                    "--repo-idle and --names-ttl are for the whole Hub: hubfs mount hf:// DIR")
            }
            return
        }
        let ofOneRepo: [(String, Bool)] = [
            ("--follow", follow != nil), ("--record", record != nil), ("--replay", replay != nil),
            ("--branch", branch != nil), ("--create-branch", createBranch),
        ]
        if let option = ofOneRepo.first(where: \.1)?.0 {
            throw Failure(
                .usage, "\(option) is for the mount of one repo: it does not go with hf://")
        }
    }

    /// How the whole Hub's tree remembers.
    var treePolicy: HubTreePolicy {
        var policy = HubTreePolicy()
        if let repoIdle { policy.idleSeconds = repoIdle.value }
        if let namesTtl { policy.namesSeconds = namesTtl.value }
        if let timeout = hub.readTimeout { policy.patienceSeconds = timeout.value }
        return policy
    }
}
