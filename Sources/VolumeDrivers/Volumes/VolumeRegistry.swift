import Glibc
import Logging
import Platform
import SystemPackage

/// All volumes of a plugin.
package actor VolumeRegistry {
    /// Each has a file, and a folder below the mount root.
    static let volumeCountMax = 1000

    /// Volumes that are looked after at once when the plugin starts: each may start processes.
    private static let adoptionCountMax = 8

    /// Says what is wrong with a plan's flags; nil when `hubfs mount` would take them.
    package typealias FlagsCheck = @Sendable (_ flags: [String]) -> String?

    /// Makes a plan of a volume's options. Those of a new volume are looked at more closely.
    package typealias Planner =
        @Sendable (VolumeName, _ options: [String: String], _ isNew: Bool) throws(VolumeError) ->
        VolumePlan

    private let surroundings: Volume.Surroundings
    private let makePlan: Planner
    private let checkFlags: FlagsCheck
    private let boot: String
    private var volumes: [String: Volume] = [:]

    /// The volumes of Docker's plugin.
    ///
    /// - Parameters:
    ///   - endpoint: The Hub in use, whose web addresses are understood in options.
    ///   - checkFlags: Judges the values of options as the command line would.
    /// - Throws: `VolumeError` when a file cannot be read.
    package init(
        _ surroundings: Volume.Surroundings, endpoint: String, checkFlags: @escaping FlagsCheck
    ) async throws(VolumeError) {
        try await self.init(surroundings, checkFlags: checkFlags) {
            name, options, isNew throws(VolumeError) in
            try VolumePlan(name, options, endpoint: endpoint, checksFiles: isNew)
        }
    }

    /// Reads what is known of volumes, and takes over their mounts.
    ///
    /// - Parameters:
    ///   - checkFlags: Judges the values of options as the command line would.
    ///   - makePlan: Throws `VolumeError.badOptions` for options that make no volume.
    /// - Throws: `VolumeError` when a file cannot be read.
    init(
        _ surroundings: Volume.Surroundings, checkFlags: @escaping FlagsCheck,
        makePlan: @escaping Planner
    ) async throws(VolumeError) {
        self.surroundings = surroundings
        self.checkFlags = checkFlags
        self.makePlan = makePlan
        boot = BootID.current.bytes.map { String($0, radix: 16) }.joined(separator: ".")
        for record in try surroundings.store.load() {
            let name = try VolumeName(record.name)
            let plan: VolumePlan
            do throws(VolumeError) {
                plan = try makePlan(name, record.options, false)
            } catch {
                // Written by us, and no volume of ours.
                throw .unreadable(path: surroundings.store.path(of: name).string)
            }
            volumes[record.name] = Volume(record, name, plan, in: surroundings)
        }
        await adoptAll()
    }

    private func adoptAll() async {
        await withTaskGroup(of: Void.self) { [boot, volumes] group in
            for (index, volume) in volumes.values.enumerated() {
                if index >= Self.adoptionCountMax { await group.next() }
                group.addTask { await volume.adopt(boot: boot) }
            }
        }
    }

    /// Makes a volume. The same once more is no error.
    ///
    /// - Throws: `VolumeError.badOptions` with a sentence that says what to write instead.
    func create(_ name: VolumeName, _ options: [String: String]) async throws(VolumeError) {
        if try await isThere(name, options) { return }
        let plan = try checkedPlan(name, options)
        try await surroundings.commands.check(plan)
        // Somebody may have been quicker meanwhile.
        if try await isThere(name, options) { return }
        _ = try make(name, options, plan, id: nil)
    }

    /// The volume of that name, made if there is none. The Hub is not asked for it.
    ///
    /// - Throws: `VolumeError.exists` when there is one with other options, and `.badOptions`.
    func volume(
        _ name: VolumeName, _ options: [String: String], id: String
    ) async throws(VolumeError) -> Volume {
        if let volume = await find(name) {
            guard await volume.record.options == options, await volume.record.id == id else {
                throw .exists(name: name.text)
            }
            return volume
        }
        return try make(name, options, try checkedPlan(name, options), id: id)
    }

    private func checkedPlan(
        _ name: VolumeName, _ options: [String: String]
    ) throws(VolumeError) -> VolumePlan {
        let plan = try makePlan(name, options, true)
        if let complaint = checkFlags(plan.flags) { throw .badOptions(complaint) }
        return plan
    }

    private func make(
        _ name: VolumeName, _ options: [String: String], _ plan: VolumePlan, id: String?
    ) throws(VolumeError) -> Volume {
        guard volumes.count < Self.volumeCountMax else {
            throw .tooMany(limit: Self.volumeCountMax)
        }
        let record = VolumeRecord(
            name: name.text, options: options, createdSeconds: Int64(time(nil)), boot: boot, id: id)
        try surroundings.store.save(record)
        let volume = Volume(record, name, plan, in: surroundings)
        volumes[name.text] = volume
        surroundings.logger.info(
            "created", metadata: ["volume": "\(name.text)", "source": "\(plan.source)"])
        return volume
    }

    /// - Throws: `VolumeError.unknown`.
    func volume(_ name: VolumeName) async throws(VolumeError) -> Volume {
        guard let volume = await find(name) else { throw .unknown(name: name.text) }
        return volume
    }

    /// In the order of their names.
    var all: [Volume] {
        get async {
            var found: [Volume] = []
            for volume in volumes.values.sorted(by: { $0.name.text < $1.name.text }) {
                if let volume = await find(volume.name) { found.append(volume) }
            }
            return found
        }
    }

    func remove(_ name: VolumeName) async throws(VolumeError) {
        let volume = try await volume(name)
        try await volume.remove()
        _ = await find(name)
        surroundings.logger.info("removed", metadata: ["volume": "\(name.text)"])
    }

    /// The volume of that name. One that went when nobody waited for it any more is forgotten here.
    private func find(_ name: VolumeName) async -> Volume? {
        guard let volume = volumes[name.text], await volume.isRemoved else {
            return volumes[name.text]
        }
        if volumes[name.text] === volume { volumes[name.text] = nil }
        return volumes[name.text]
    }

    /// - Throws: `VolumeError.exists` when there is another one of that name.
    private func isThere(
        _ name: VolumeName, _ options: [String: String]
    ) async throws(VolumeError) -> Bool {
        guard let volume = await find(name) else { return false }
        // Docker asks without options for a volume that a command line only names.
        if options.isEmpty { return true }
        guard await volume.record.options == options else { throw .exists(name: name.text) }
        return true
    }
}
