import ArgumentParser
import HubClient

/// A command that mounts volumes, each with flags of its own: a configuration file may have a section
/// for its repo.
protocol VolumeMounting {
    var flags: MountFlags { get }
    /// What was said with `-o`.
    var lists: [String] { get }
}

extension MountCommand: VolumeMounting {}
extension RunCommand: VolumeMounting {}

extension VolumeMounting {
    /// How a volume is mounted.
    ///
    /// - Throws: `Failure` with code `usage`.
    func flagsOf(_ spec: VolumeSpec) throws(Failure) -> MountFlags {
        do {
            let command = try Invocation.current.command(of: spec.uri.repo)
            let flags = (command as? any VolumeMounting)?.flags ?? flags
            return try flags.merged(with: lists)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.usage, HubfsCommand.message(for: error))
        }
    }
}
