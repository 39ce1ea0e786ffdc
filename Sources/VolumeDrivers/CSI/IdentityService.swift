import CSIMessages
import GRPCCore
import HubClient
import SwiftProtobuf

/// CSI's Identity service: who the driver is, and whether its mounts work.
struct IdentityService: Csi_V1_Identity.SimpleServiceProtocol {
    /// What CSIDriver objects and volumes call the driver.
    let name: String
    let volumes: PublishedVolumes

    func getPluginInfo(
        request: Csi_V1_GetPluginInfoRequest, context: ServerContext
    ) async throws -> Csi_V1_GetPluginInfoResponse {
        .with {
            $0.name = name
            $0.vendorVersion = hubfsVersion
        }
    }

    /// None: there is no Controller service, and every node reaches every volume.
    func getPluginCapabilities(
        request: Csi_V1_GetPluginCapabilitiesRequest, context: ServerContext
    ) async throws -> Csi_V1_GetPluginCapabilitiesResponse {
        Csi_V1_GetPluginCapabilitiesResponse()
    }

    /// - Throws: `RPCError` with code `failedPrecondition` that names the volumes that do not work.
    func probe(
        request: Csi_V1_ProbeRequest, context: ServerContext
    ) async throws -> Csi_V1_ProbeResponse {
        let faults: [String]
        do throws(VolumeError) {
            faults = try await volumes.faults()
        } catch {
            throw RPCError(code: .failedPrecondition, message: error.description)
        }
        guard faults.isEmpty else {
            throw RPCError(code: .failedPrecondition, message: faults.joined(separator: "; "))
        }
        let isReady = await volumes.isReady
        return .with { $0.ready = Google_Protobuf_BoolValue(isReady) }
    }
}
