import CSIMessages
import GRPCCore
import Logging
import SwiftProtobuf
import SystemPackage

/// CSI's Node service: volumes for the workloads of this machine.
struct NodeService: Csi_V1_Node.SimpleServiceProtocol {
    let nodeID: String
    let volumes: PublishedVolumes
    let logger: Logger

    func nodePublishVolume(
        request: Csi_V1_NodePublishVolumeRequest, context: ServerContext
    ) async throws -> Csi_V1_NodePublishVolumeResponse {
        try await answer(context, request.volumeID, request.targetPath) { () throws(NodeError) in
            try await volumes.publish(try PublishRequest(request))
            return Csi_V1_NodePublishVolumeResponse()
        }
    }

    func nodeUnpublishVolume(
        request: Csi_V1_NodeUnpublishVolumeRequest, context: ServerContext
    ) async throws -> Csi_V1_NodeUnpublishVolumeResponse {
        try await answer(context, request.volumeID, request.targetPath) { () throws(NodeError) in
            try await volumes.unpublish(
                id: try PublishRequest.id(request.volumeID),
                target: try PublishRequest.path(request.targetPath, named: "target_path"))
            return Csi_V1_NodeUnpublishVolumeResponse()
        }
    }

    func nodeGetVolumeStats(
        request: Csi_V1_NodeGetVolumeStatsRequest, context: ServerContext
    ) async throws -> Csi_V1_NodeGetVolumeStatsResponse {
        try await answer(context, request.volumeID, request.volumePath) { () throws(NodeError) in
            let id = try PublishRequest.id(request.volumeID)
            guard !request.volumePath.isEmpty else { throw .invalid("the call needs volume_path") }
            let path = FilePath(request.volumePath).string
            let volume = try await volumes.volume(id: id, at: path)
            return try await volumes.stats(of: volume, at: path)
        }
    }

    func nodeGetCapabilities(
        request: Csi_V1_NodeGetCapabilitiesRequest, context: ServerContext
    ) async throws -> Csi_V1_NodeGetCapabilitiesResponse {
        let types: [Csi_V1_NodeServiceCapability.RPC.TypeEnum] = [
            .getVolumeStats, .volumeCondition, .singleNodeMultiWriter, .volumeMountGroup,
        ]
        return .with { answer in
            answer.capabilities = types.map { type in .with { $0.rpc.type = type } }
        }
    }

    func nodeGetInfo(
        request: Csi_V1_NodeGetInfoRequest, context: ServerContext
    ) async throws -> Csi_V1_NodeGetInfoResponse {
        .with {
            $0.nodeID = nodeID
            $0.maxVolumesPerNode = Int64(VolumeRegistry.volumeCountMax)
        }
    }

    /// Says why a call fails, to the caller and in the log. What a request contains is not logged: it has secrets.
    private func answer<Answer>(
        _ context: ServerContext, _ id: String, _ path: String,
        _ body: () async throws(NodeError) -> Answer
    ) async throws(RPCError) -> Answer {
        do throws(NodeError) {
            return try await body()
        } catch {
            logger.warning(
                "\(context.descriptor.method) failed: \(error)",
                metadata: ["volume": "\(id)", "path": "\(path)", "code": "\(error.code)"])
            throw RPCError(code: error.code, message: error.description)
        }
    }
}
