/// What is known of a volume across restarts of the plugin: the contents of its file.
struct VolumeRecord: Codable, Hashable, Sendable {
    /// How the last mount of the volume ended.
    struct End: Codable, Hashable, Sendable {
        /// Seconds since 1970.
        var seconds: Int64
        /// The exit code of `hubfs umount`; 0 when everything is where it belongs.
        var code: Int32
        var message: String
    }

    /// How a workload was given a CSI volume.
    struct Publication: Codable, Hashable, Sendable {
        /// The number of the CSI access mode.
        var accessMode: Int
        var isReadOnly: Bool
    }

    static let formatVersion = 1

    var version = VolumeRecord.formatVersion
    var name: String
    /// As they were given, which is what a second Create is compared with.
    var options: [String: String]
    /// Seconds since 1970.
    var createdSeconds: Int64
    /// The run of the machine in which the mounts were made; those of an earlier one are gone.
    var boot: String
    /// How often each container has the volume, by the id that Docker gives it, or the path that a CSI
    /// workload has it at. Never 0.
    var mounts: [String: Int] = [:]
    /// The id by which the caller of a CSI volume knows it; nil of Docker's.
    var id: String?
    /// The paths of a CSI volume, which are those of `mounts`; nil of Docker's.
    var publications: [String: Publication]?
    var lastEnd: End?
}
