import CSIMessages
import HubClient
import SystemPackage

/// What NodePublishVolume asks for, looked through.
struct PublishRequest: Sendable {
    /// A volume's id; longer ones have no name in a folder.
    static let idBytesMax = 1024
    /// Kubernetes tells with these about the pod (`podInfoOnMount`), and whether the volume is inline.
    private static let podPrefix = "csi.storage.k8s.io/"
    private static let defaultTokenKey = "token"

    let id: String
    let target: FilePath
    let publication: VolumeRecord.Publication
    /// The attributes, and what `VolumePlan.Extra` names.
    let options: [String: String]
    /// nil when the volume comes without a secret.
    let token: Token?

    init(_ message: Csi_V1_NodePublishVolumeRequest) throws(NodeError) {
        id = try Self.id(message.volumeID)
        target = try Self.path(message.targetPath, named: "target_path")
        guard message.hasVolumeCapability else {
            throw .invalid("the call needs volume_capability")
        }
        let capability = message.volumeCapability
        guard case .mount(let mount) = capability.accessType else {
            throw .invalid(
                "hubfs mounts folders and has no block devices: volumeMode is Filesystem")
        }
        let mode = capability.accessMode.mode
        guard capability.hasAccessMode, let reads = mode.onlyReads else {
            throw .invalid("the call needs an access mode")
        }
        publication = VolumeRecord.Publication(
            accessMode: mode.rawValue, isReadOnly: message.readonly || reads)
        options = try Self.options(message.volumeContext, mount)
        token = try Self.token(message.secrets, key: options["tokenKey"] ?? Self.defaultTokenKey)
    }

    static func id(_ text: String) throws(NodeError) -> String {
        guard !text.isEmpty else { throw .invalid("the call needs volume_id") }
        guard text.utf8.count <= idBytesMax else {
            throw .invalid("volume_id has more than \(idBytesMax) bytes")
        }
        return text
    }

    static func path(_ text: String, named name: String) throws(NodeError) -> FilePath {
        guard !text.isEmpty else { throw .invalid("the call needs \(name)") }
        let path = FilePath(text)
        guard path.isAbsolute, !path.components.isEmpty,
            !path.components.contains(where: { $0.kind != .regular })
        else { throw .invalid("\(name) is a path from the root without '..', not '\(text)'") }
        return path
    }

    private static func options(
        _ context: [String: String], _ mount: Csi_V1_VolumeCapability.MountVolume
    ) throws(NodeError) -> [String: String] {
        var options = context.filter { !$0.key.hasPrefix(podPrefix) }
        for name in [VolumePlan.Extra.mountOptions, VolumePlan.Extra.group]
        where options[name] != nil {
            throw .invalid("unknown attribute '\(name)'")
        }
        if !mount.mountFlags.isEmpty {
            options[VolumePlan.Extra.mountOptions] = mount.mountFlags.joined(separator: ",")
        }
        let group = mount.volumeMountGroup
        if !group.isEmpty {
            guard let number = UInt32(group) else {
                throw .invalid("volume_mount_group is a group's number, not '\(group)'")
            }
            options[VolumePlan.Extra.group] = String(number)
        }
        return options
    }

    private static func token(_ secrets: [String: String], key: String) throws(NodeError) -> Token?
    {
        guard !secrets.isEmpty else { return nil }
        guard let text = secrets[key] else {
            throw .invalid("the secret has no key '\(key)': the attribute tokenKey names it")
        }
        guard let token = Token(text) else {
            throw .invalid("what the secret has under '\(key)' is no token")
        }
        return token
    }
}

extension Csi_V1_VolumeCapability.AccessMode.Mode {
    /// Whether nobody writes in this mode; nil for none that we know.
    var onlyReads: Bool? {
        switch self {
        case .singleNodeReaderOnly, .multiNodeReaderOnly: true
        case .singleNodeWriter, .multiNodeSingleWriter, .multiNodeMultiWriter,
            .singleNodeSingleWriter, .singleNodeMultiWriter:
            false
        case .unknown, .UNRECOGNIZED: nil
        }
    }
}

extension VolumeRecord.Publication {
    /// Whether another path of the same node may have the volume too.
    ///
    /// Source: CSI specification, NodePublishVolume, the table for drivers with SINGLE_NODE_MULTI_WRITER.
    var allowsOthers: Bool {
        switch Csi_V1_VolumeCapability.AccessMode.Mode(rawValue: accessMode) {
        case .multiNodeReaderOnly, .multiNodeSingleWriter, .multiNodeMultiWriter,
            .singleNodeMultiWriter:
            true
        case .singleNodeWriter, .singleNodeReaderOnly, .singleNodeSingleWriter, .unknown,
            .UNRECOGNIZED, nil:
            false
        }
    }
}
