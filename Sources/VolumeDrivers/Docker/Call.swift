import Glibc
import SystemPackage

/// The calls of the plugin protocol, by their paths.
enum Call: String {
    case activate = "/Plugin.Activate"
    case create = "/VolumeDriver.Create"
    case get = "/VolumeDriver.Get"
    case list = "/VolumeDriver.List"
    case remove = "/VolumeDriver.Remove"
    case path = "/VolumeDriver.Path"
    case mount = "/VolumeDriver.Mount"
    case unmount = "/VolumeDriver.Unmount"
    case capabilities = "/VolumeDriver.Capabilities"

    /// In bytes; Docker's have 64 digits.
    private static let idBytesMax = 256

    /// - Returns: the body of the answer.
    func perform(
        _ request: DockerMessage.Request, on volumes: VolumeRegistry
    ) async throws(VolumeError) -> [UInt8] {
        switch self {
        case .activate: return DockerResponder.json(DockerMessage.Activation())
        case .capabilities: return DockerResponder.json(DockerMessage.Capabilities())
        case .list:
            var descriptions: [DockerMessage.Description] = []
            for volume in await volumes.all { descriptions.append(await volume.description) }
            return DockerResponder.json(DockerMessage.Several(volumes: descriptions))
        case .create:
            try await volumes.create(try VolumeName(request.name ?? ""), request.options ?? [:])
        case .get:
            let volume = try await Self.volume(request, volumes)
            return DockerResponder.json(DockerMessage.One(volume: await volume.description))
        case .remove: try await volumes.remove(try VolumeName(request.name ?? ""))
        case .path:
            let volume = try await Self.volume(request, volumes)
            return DockerResponder.json(DockerMessage.Place(mountPoint: volume.place.string))
        case .mount:
            let volume = try await Self.volume(request, volumes)
            try await volume.mount(for: try Self.id(request))
            return DockerResponder.json(DockerMessage.Place(mountPoint: volume.place.string))
        case .unmount:
            let volume = try await Self.volume(request, volumes)
            do throws(VolumeError) {
                try await volume.unmount(for: try Self.id(request))
            } catch .goesOn {
                // Docker would take it for failed; `docker volume inspect` shows how it goes on.
            }
        }
        return DockerResponder.json(DockerMessage.Done())
    }

    private static func volume(
        _ request: DockerMessage.Request, _ volumes: VolumeRegistry
    ) async throws(VolumeError) -> Volume {
        try await volumes.volume(try VolumeName(request.name ?? ""))
    }

    private static func id(_ request: DockerMessage.Request) throws(VolumeError) -> String {
        guard let id = request.id, !id.isEmpty, id.utf8.count <= idBytesMax else {
            throw .badOptions("the call needs an ID of at most \(idBytesMax) bytes")
        }
        return id
    }
}

extension Volume {
    var description: DockerMessage.Description {
        let end = record.lastEnd.map {
            DockerMessage.Status.End(
                time: utcText(seconds: $0.seconds), code: $0.code, message: $0.message)
        }
        return DockerMessage.Description(
            name: name.text, mountPoint: place.string,
            created: utcText(seconds: record.createdSeconds),
            status: DockerMessage.Status(
                source: plan.source, writable: plan.isWritable,
                state: work?.rawValue ?? (isMounted ? "mounted" : "not mounted"),
                containers: record.mounts.count, lastEnd: end))
    }
}

/// A point in time as `2026-01-02T03:04:05Z`. Source: RFC 3339.
private func utcText(seconds: Int64) -> String {
    var time = time_t(seconds)
    var fields = tm()
    gmtime_r(&time, &fields)
    var text = [CChar](repeating: 0, count: 32)
    let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &fields)
    return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
