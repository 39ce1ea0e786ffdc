import FuseBridge
import Glibc
package import Logging
import Platform
package import SystemPackage

/// One volume: what it is, who has it, and its mount.
///
/// Containers are counted as they come and go; the mount follows in turn, one step at a time. So a
/// container that is gone is never counted again because a step took too long, and the step that comes next
/// sees how many there are by then.
package actor Volume {
    /// A step that takes a while.
    package enum Work: String, Sendable {
        case mounting = "being mounted"
        case unmounting = "being unmounted"
        case committing = "being committed"
    }

    /// How long somebody waits for a step. The step itself goes on.
    package struct Patience: Sendable {
        /// Docker waits two minutes for a mount.
        package var mounting = Duration.seconds(100)
        /// Docker waits one minute for an unmount.
        package var unmounting = Duration.seconds(50)

        package init() {}
    }

    /// How long a step that nobody waits for stands in line: longer than a commit of this world.
    private static let backgroundLimit = Duration.seconds(86400)
    /// Containers of one volume at most, each counted as often as it has it.
    private static let mountCountMax = 10_000

    nonisolated let name: VolumeName
    nonisolated let plan: VolumePlan
    /// Where it is mounted.
    nonisolated let place: FilePath
    private let commands: HubfsCommands
    private let store: VolumeStore
    private let patience: Patience
    private let logger: Logger
    private let turnstile = Turnstile()
    private(set) var record: VolumeRecord
    private(set) var work: Work?
    /// Set when nothing is left of the volume, also after `remove` was given up.
    private(set) var isRemoved = false
    /// The last mount ended as it should, with its edits at the Hub.
    private var hasEndedWell = false

    init(
        _ record: VolumeRecord, _ name: VolumeName, _ plan: VolumePlan,
        in surroundings: Surroundings
    ) {
        self.record = record
        self.name = name
        self.plan = plan
        place = surroundings.mountRoot.appending(name.text)
        commands = surroundings.commands
        store = surroundings.store
        patience = surroundings.patience
        logger = surroundings.logger
    }

    /// What all volumes of a plugin share.
    package struct Surroundings: Sendable {
        package let commands: HubfsCommands
        package let store: VolumeStore
        /// The folder of the mount points.
        package let mountRoot: FilePath
        package let patience: Patience
        package let logger: Logger

        package init(
            commands: HubfsCommands, store: VolumeStore, mountRoot: FilePath, patience: Patience,
            logger: Logger
        ) {
            self.commands = commands
            self.store = store
            self.mountRoot = mountRoot
            self.patience = patience
            self.logger = logger
        }
    }

    /// True when the kernel shows something of ours at the place.
    nonisolated var isMounted: Bool { MountTable.record(at: place.string)?.isOurs ?? false }

    // MARK: What Docker asks for

    /// Gives the volume to a container: mounts it if it is not.
    ///
    /// - Parameter publication: How a CSI workload is given it, whose path is the id.
    /// - Throws: `VolumeError`; the container does not have it then.
    func mount(
        for id: String, as publication: VolumeRecord.Publication? = nil
    ) async throws(VolumeError) {
        guard record.mounts.values.reduce(0, +) < Self.mountCountMax else {
            throw .tooManyMounts(name: name.text, limit: Self.mountCountMax)
        }
        record.mounts[id, default: 0] += 1
        if let publication {
            record.publications = (record.publications ?? [:]).merging([id: publication]) { $1 }
            // A later call must not take an earlier refusal for the end of this mount.
            record.lastEnd = nil
        }
        do throws(VolumeError) {
            try await inTurn(.mounting, within: patience.mounting) { volume throws(VolumeError) in
                try await volume.mountNow()
                try volume.save()
            }
        } catch {
            drop(id)
            // Somebody else's turn may have written the count down.
            do throws(VolumeError) { try save() } catch {
                logger.error("\(error)", metadata: ["volume": "\(name.text)"])
            }
            // It may come to stand although nobody has it any more.
            Task { try await self.settle(restoring: false) }
            throw error
        }
    }

    /// Takes the volume from a container. The last one's end unmounts it, and returns when the edits are
    /// at the Hub.
    ///
    /// - Throws: `VolumeError`: `.goesOn` when that takes too long, `.refused` when the edits are kept because
    ///   the Hub cannot be reached or refuses them. The container does not have the volume in any case.
    func unmount(for id: String) async throws(VolumeError) {
        // An id we do not know is one that has gone already.
        guard record.mounts[id] != nil else { return }
        drop(id)
        var failure: VolumeError?
        do throws(VolumeError) { try save() } catch { failure = error }
        if record.mounts.isEmpty {
            do throws(VolumeError) { try await end() } catch { throw failure ?? error }
        }
        if let failure { throw failure }
    }

    /// Ends the mount, and waits for that as long as whoever asks does.
    private func end() async throws(VolumeError) {
        let task = Task { () -> Result<Void, VolumeError> in
            do throws(VolumeError) {
                return .success(try await self.settle(restoring: true))
            } catch {
                return .failure(error)
            }
        }
        if let result = await task.value(until: .now + patience.unmounting) {
            return try result.get()
        }
        logger.notice(
            "unmounting takes long, and goes on", metadata: ["volume": "\(name.text)"])
        throw .goesOn(name: name.text, work ?? .unmounting)
    }

    /// Tries again to end what nobody has any more, if the last end did not go well.
    ///
    /// - Throws: as `unmount`.
    func endAgain() async throws(VolumeError) {
        if record.mounts.isEmpty { try await end() }
    }

    /// Mounts a volume that somebody has and whose daemon is gone.
    ///
    /// - Throws: `VolumeError`, `.hangs` when the daemon is there and does not answer: those who have the volume
    ///   would lose it.
    func repair() async throws(VolumeError) {
        try await inTurn(.mounting, within: patience.mounting) { volume throws(VolumeError) in
            guard !volume.record.mounts.isEmpty else { return }
            try await volume.mountNow(cutsOff: false)
        }
    }

    /// Unmounts and forgets. Docker does not ask while a container has the volume: who is still counted
    /// went while the plugin was away.
    func remove() async throws(VolumeError) {
        try await inTurn(.unmounting, within: patience.unmounting) { volume throws(VolumeError) in
            try await volume.unmountNow(restoring: false)
            try volume.store.remove(volume.name)
            volume.isRemoved = true
            rmdir(volume.place.string)
        }
    }

    // MARK: After a restart of the plugin

    /// Takes over what an earlier run of the plugin has left: a mount that works goes on, one whose daemon
    /// died is removed, and one that nobody has is ended.
    func adopt(boot: String) async {
        if record.boot != boot {
            record.boot = boot
            record.mounts = [:]
            record.publications = nil
        }
        do throws(VolumeError) {
            switch try await commands.health(of: place) {
            case .absent, .foreign: break
            case .dead: _ = try await commands.unmount(place, byForce: false)
            case .serving, .hangs:
                logger.info("the volume is mounted", metadata: ["volume": "\(name.text)"])
                if record.mounts.isEmpty { Task { try await self.settle(restoring: false) } }
            }
            try save()
        } catch {
            logger.error("\(error)", metadata: ["volume": "\(name.text)"])
        }
    }

    // MARK: Steps

    /// Ends the mount if nobody has the volume, when its turn comes.
    private func settle(restoring: Bool) async throws(VolumeError) {
        let work: Work = plan.commitsAtEnd ? .committing : .unmounting
        do throws(VolumeError) {
            try await inTurn(work, within: Self.backgroundLimit) { volume throws(VolumeError) in
                guard volume.record.mounts.isEmpty, !volume.isRemoved else { return }
                try await volume.unmountNow(restoring: restoring)
            }
        } catch {
            logger.error("\(error)", metadata: ["volume": "\(name.text)"])
            throw error
        }
    }

    /// - Parameter cutsOff: Replaces a mount that hangs, if only one has it.
    private func mountNow(cutsOff: Bool = true) async throws(VolumeError) {
        guard !isRemoved else { throw .unknown(name: name.text) }
        switch try await commands.health(of: place) {
        case .serving: return
        case .foreign: throw .placeTaken(path: place.string)
        case .hangs:
            // Those who have it besides the one that asks would lose it.
            guard cutsOff, record.mounts.values.reduce(0, +) <= 1 else {
                throw .hangs(name: name.text)
            }
            _ = try await commands.unmount(place, byForce: true)
        case .absent: try makePlace()
        case .dead: break  // hubfs mount replaces it.
        }
        hasEndedWell = false
        let ending = try await commands.mount(plan, at: place)
        guard ending.code == 0 else {
            throw .refused(name: name.text, code: ending.code, words: ending.sentence)
        }
        logger.info("mounted", metadata: ["volume": "\(name.text)", "source": "\(plan.source)"])
    }

    private func makePlace() throws(VolumeError) {
        do throws(Errno) {
            try Folder.create(place)
        } catch {
            throw .state(path: place.string, error)
        }
    }

    /// - Parameter restoring: A mount that is gone is made again, to commit the edits it has left.
    private func unmountNow(restoring: Bool) async throws(VolumeError) {
        var health = try await commands.health(of: place)
        if health == .dead {
            _ = try await commands.unmount(place, byForce: false)
            health = .absent
        }
        if health == .foreign { return }
        if health == .absent {
            guard restoring, plan.commitsAtEnd, !hasEndedWell else { return }
            try await mountNow()
        }
        let ending = try await commands.unmount(place, byForce: health == .hangs)
        record.lastEnd = VolumeRecord.End(
            seconds: Int64(time(nil)), code: ending.code, message: ending.sentence)
        try save()
        guard ending.code == 0 else {
            throw .refused(name: name.text, code: ending.code, words: ending.sentence)
        }
        hasEndedWell = true
        logger.info("unmounted", metadata: ["volume": "\(name.text)"])
    }

    private func drop(_ id: String) {
        guard let count = record.mounts[id] else { return }
        record.mounts[id] = count > 1 ? count - 1 : nil
        if count == 1 { record.publications?[id] = nil }
    }

    private func save() throws(VolumeError) {
        if !isRemoved { try store.save(record) }
    }

    /// Does a step when its turn comes, and passes the turn on when it is done, also if nobody waits any
    /// more.
    ///
    /// - Throws: what the step throws; `.busy` when the turn has not come and `.goesOn` when the step has
    ///   not ended within the limit.
    private func inTurn(
        _ work: Work, within limit: Duration,
        _ step: @escaping @Sendable (isolated Volume) async throws(VolumeError) -> Void
    ) async throws(VolumeError) {
        let deadline = ContinuousClock.now + limit
        guard await turnstile.enter(until: deadline) else {
            throw .busy(name: name.text, with: self.work ?? work)
        }
        self.work = work
        let task = Task { () -> Result<Void, VolumeError> in
            let result: Result<Void, VolumeError>
            do throws(VolumeError) {
                result = .success(try await step(self))
            } catch {
                result = .failure(error)
            }
            self.work = nil
            await turnstile.leave()
            return result
        }
        guard let result = await task.value(until: deadline) else {
            throw .goesOn(name: name.text, work)
        }
        try result.get()
    }
}
