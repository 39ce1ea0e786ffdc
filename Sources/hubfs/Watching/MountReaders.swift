/// What a daemon can tell of its mount, at any time and from any thread, without waiting for the Hub and
/// without touching the mount.
struct MountReaders: Sendable {
    let status: @Sendable () -> MountStatus
    let figures: @Sendable () -> MountFigures
}
