import Logging
package import SystemPackage

/// The volumes that workloads of this node have, and the paths they have them at (docs/decisions/0026).
///
/// A volume is mounted once, at a place of the driver's, and bound to each path: so workloads that share one see
/// each other's writes, and a second one costs nothing.
package actor PublishedVolumes {
    /// Volumes that are made whole again at once when the driver starts.
    private static let recoveryCountMax = 8

    private let registry: VolumeRegistry
    private let tokens: TokenFolder
    private let commands: HubfsCommands
    private let logger: Logger
    /// Volumes that a call is about, by their ids.
    private var busyIDs: Set<String> = []
    /// False until what an earlier run has left works again.
    private(set) var isReady = false

    /// Reads what is known of volumes. `recover` has to follow.
    ///
    /// - Parameters:
    ///   - folder: Of the tokens.
    ///   - endpoint: The Hub of volumes that name none.
    ///   - checkFlags: Judges the values of attributes as the command line would.
    /// - Throws: `VolumeError` when a file cannot be read.
    package init(
        _ surroundings: Volume.Surroundings, tokens folder: FilePath, endpoint: String,
        checkFlags: @escaping VolumeRegistry.FlagsCheck
    ) async throws(VolumeError) {
        let tokens = try TokenFolder(folder)
        self.tokens = tokens
        commands = surroundings.commands
        logger = surroundings.logger
        registry = try await VolumeRegistry(surroundings, checkFlags: checkFlags) {
            name, options, _ throws(VolumeError) in
            try VolumePlan(
                name, attributes: options, endpoint: endpoint,
                tokenFile: tokens.path(of: name).string)
        }
    }

    // MARK: Calls

    /// Gives a workload a volume. The same once more renews the token, and repairs what has died meanwhile.
    func publish(_ request: PublishRequest) async throws(NodeError) {
        guard busyIDs.insert(request.id).inserted else { throw .pending(id: request.id) }
        defer { busyIDs.remove(request.id) }
        let volumes = await volumes(of: request.id)
        for volume in volumes {
            guard let present = await volume.record.publications?[request.target.string] else {
                continue
            }
            return try await publishAgain(request, volume, present)
        }
        try await checkOthers(volumes, request)
        for volume in volumes {
            // Not ended well, and written anew since.
            if await volume.record.options != request.options { await forgetIfFree(volume) }
        }
        try await publishFirst(request)
    }

    /// Takes a volume from a workload. The last one's end brings edits to the Hub, and where that fails the same call
    /// again tries again, unless the Hub has refused them: then they are kept, and the second call goes well.
    func unpublish(id: String, target: FilePath) async throws(NodeError) {
        guard busyIDs.insert(id).inserted else { throw .pending(id: id) }
        defer { busyIDs.remove(id) }
        try TargetMount(target).remove()
        for volume in await volumes(of: id) {
            let record = await volume.record
            if record.mounts[target.string] != nil {
                try await end(volume) { volume throws(VolumeError) in
                    try await volume.unmount(for: target.string)
                }
            } else if record.mounts.isEmpty {
                try await endAgain(volume, record)
            }
        }
    }

    /// The volume that a workload has at a path.
    ///
    /// - Throws: `NodeError.notPublished`.
    func volume(id: String, at path: String) async throws(NodeError) -> Volume {
        for volume in await volumes(of: id) {
            if await volume.record.mounts[path] != nil { return volume }
        }
        throw .notPublished(id: id, path: path)
    }

    /// What is wrong with the mounts of volumes that somebody has: a sentence for each.
    func faults() async throws(VolumeError) -> [String] {
        var ids: [FilePath: String] = [:]
        for volume in await registry.all {
            let record = await volume.record
            if !record.mounts.isEmpty { ids[volume.place] = record.id }
        }
        if ids.isEmpty { return [] }
        let faults = try await faults(of: Array(ids.keys))
        return faults.map { "the volume '\(ids[$0.key] ?? "")': \($0.value)" }.sorted()
    }

    /// What is wrong with the mounts at these places.
    func faults(of places: [FilePath]) async throws(VolumeError) -> [FilePath: String] {
        try await commands.faults(of: places)
    }

    /// Mounts again what died with an earlier run of the driver, and puts it where workloads have it. What fails
    /// here is tried again by the calls that Kubernetes repeats.
    package func recover() async {
        await withTaskGroup(of: Void.self) { [registry] group in
            for (index, volume) in await registry.all.enumerated() {
                if index >= Self.recoveryCountMax { await group.next() }
                group.addTask { await self.recover(volume) }
            }
        }
        isReady = true
    }

    // MARK: Publishing

    private func publishAgain(
        _ request: PublishRequest, _ volume: Volume, _ present: VolumeRecord.Publication
    ) async throws(NodeError) {
        guard present == request.publication else {
            throw .incompatible(
                path: request.target.string, "with another access mode or readonly flag")
        }
        guard await volume.record.options == request.options else {
            throw .incompatible(path: request.target.string, "with other attributes")
        }
        do throws(VolumeError) {
            if let token = request.token { try tokens.write(token, for: volume.name) }
            try await volume.repair()
        } catch {
            throw .volume(error, hasToken: tokens.has(volume.name))
        }
        try TargetMount(request.target).bind(volume.place, isReadOnly: present.isReadOnly)
    }

    private func publishFirst(_ request: PublishRequest) async throws(NodeError) {
        let isWritable = request.options["readOnly"] == "false"
        let group = isWritable ? nil : request.options[VolumePlan.Extra.group]
        let volume: Volume
        do throws(VolumeError) {
            let name = try VolumeName(ofID: request.id, group: group)
            volume = try await registry.volume(name, request.options, id: request.id)
        } catch {
            throw .volume(error, hasToken: request.token != nil)
        }
        do throws(VolumeError) {
            if let token = request.token { try tokens.write(token, for: volume.name) }
            try await volume.mount(for: request.target.string, as: request.publication)
        } catch {
            let hasToken = tokens.has(volume.name)
            switch error {
            // The next call finds what becomes of it.
            case .busy, .goesOn: break
            default: await forgetIfFree(volume)
            }
            throw .volume(error, hasToken: hasToken)
        }
        do throws(NodeError) {
            try TargetMount(request.target).bind(
                volume.place, isReadOnly: request.publication.isReadOnly)
        } catch {
            logger.error("\(error)", metadata: ["volume": "\(volume.name.text)"])
            try await end(volume) { volume throws(VolumeError) in
                try await volume.unmount(for: request.target.string)
            }
            throw error
        }
    }

    /// - Throws: `NodeError.exceeds` when others of the node have the volume, and it cannot be shared.
    private func checkOthers(_ volumes: [Volume], _ request: PublishRequest) async throws(NodeError)
    {
        for volume in volumes {
            let record = await volume.record
            guard let other = record.publications?.first else { continue }
            guard other.value.allowsOthers, request.publication.allowsOthers else {
                throw .exceeds(
                    "the volume '\(request.id)' is published at \(other.key), and an access mode of one of both "
                        + "allows one path on a node")
            }
            var (theirs, ours) = (record.options, request.options)
            if !volume.plan.isWritable {
                // Read-only mounts for two groups are two mounts of the same.
                theirs[VolumePlan.Extra.group] = nil
                ours[VolumePlan.Extra.group] = nil
            }
            if theirs != ours {
                throw .exceeds(
                    "the volume '\(request.id)' is published at \(other.key) with other attributes or another "
                        + "fsGroup")
            }
        }
    }

    // MARK: Ends

    /// Does what ends a volume for a workload, and forgets the volume when nobody has it any more.
    private func end(
        _ volume: Volume, _ step: (Volume) async throws(VolumeError) -> Void
    ) async throws(NodeError) {
        do throws(VolumeError) {
            try await step(volume)
        } catch {
            throw .volume(error, hasToken: tokens.has(volume.name))
        }
        await forgetIfFree(volume)
    }

    private func endAgain(_ volume: Volume, _ record: VolumeRecord) async throws(NodeError) {
        let final = [
            HubfsCommands.Code.accessRefused, HubfsCommands.Code.conflict,
            HubfsCommands.Code.refused,
        ]
        if let end = record.lastEnd, final.contains(end.code) {
            logger.warning(
                "edits are kept in their workspace: \(end.message)",
                metadata: ["volume": "\(volume.name.text)"])
            return await forgetIfFree(volume)
        }
        try await end(volume) { volume throws(VolumeError) in try await volume.endAgain() }
    }

    /// Forgets a volume that nobody has.
    private func forgetIfFree(_ volume: Volume) async {
        guard await volume.record.mounts.isEmpty else { return }
        do throws(VolumeError) {
            try await registry.remove(volume.name)
            tokens.remove(volume.name)
        } catch {
            logger.error("\(error)", metadata: ["volume": "\(volume.name.text)"])
        }
    }

    // MARK: After a restart of the driver

    private func recover(_ volume: Volume) async {
        guard let id = await volume.record.id, busyIDs.insert(id).inserted else { return }
        defer { busyIDs.remove(id) }
        guard let publications = await volume.record.publications, !publications.isEmpty else {
            // Kubernetes asks once more for the end of a writable one.
            if !volume.plan.isWritable { await forgetIfFree(volume) }
            return
        }
        do throws(VolumeError) {
            try await volume.repair()
        } catch {
            return logger.error("\(error)", metadata: ["volume": "\(volume.name.text)"])
        }
        for (path, publication) in publications {
            do throws(NodeError) {
                try TargetMount(FilePath(path)).bind(
                    volume.place, isReadOnly: publication.isReadOnly)
            } catch {
                logger.error("\(error)", metadata: ["volume": "\(volume.name.text)"])
            }
        }
    }

    private func volumes(of id: String) async -> [Volume] {
        var found: [Volume] = []
        for volume in await registry.all where await volume.record.id == id { found.append(volume) }
        return found
    }
}

extension VolumeName {
    /// The name of the volume with this id; another id has another name.
    ///
    /// - Parameter group: Of a read-only volume, which is mounted for each group.
    /// - Throws: `VolumeError.badName` for an id that makes too long a name.
    init(ofID id: String, group: String?) throws(VolumeError) {
        var text = ""
        for byte in id.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
                text.append(Character(UnicodeScalar(byte)))
            default:
                let digits = String(byte, radix: 16)
                text += "_" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        // What follows is no two digits of a byte, so it belongs to no other id.
        if let first = text.first, !first.isLetter, !first.isNumber { text = "v_-" + text }
        if let group { text += "_g" + group }
        try self.init(text)
    }
}
