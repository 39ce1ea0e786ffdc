import CSIMessages
import Glibc
import Platform
import SwiftProtobuf
import SystemPackage

// How full a volume is, and whether it works. Asking a file system whose daemon hangs does not return: so the
// daemon is asked first, and the file system by a thread that nobody waits for for ever.

extension PublishedVolumes {
    /// How long a file system has for its answer, after its daemon has answered.
    private static let patience = Duration.seconds(3)

    /// - Parameter path: Where a workload has the volume.
    func stats(
        of volume: Volume, at path: String
    ) async throws(NodeError) -> Csi_V1_NodeGetVolumeStatsResponse {
        var answer = Csi_V1_NodeGetVolumeStatsResponse()
        do throws(VolumeError) {
            if let fault = try await faults(of: [volume.place])[volume.place] {
                answer.volumeCondition = .abnormal(fault)
                return answer
            }
        } catch {
            answer.volumeCondition = .abnormal(error.description)
            return answer
        }
        switch await Self.facts(path) {
        case .success(let facts):
            answer.usage = facts.usage
            answer.volumeCondition = .with { $0.message = "the volume works" }
        case .failure(let code): answer.volumeCondition = .abnormal("statvfs: \(code)")
        case nil: answer.volumeCondition = .abnormal("the file system does not answer")
        }
        return answer
    }

    /// - Returns: nil when there is no answer in time.
    private static func facts(_ path: String) async -> Result<statvfs, Errno>? {
        let (answers, continuation) = AsyncStream.makeStream(of: Result<statvfs, Errno>.self)
        _ = Thread(name: "hubfs-statvfs") {
            var facts = statvfs()
            let isAnswered = statvfs(path, &facts) == 0
            continuation.yield(isAnswered ? .success(facts) : .failure(Errno(rawValue: errno)))
        }
        let first = Task<Result<statvfs, Errno>?, Never> {
            for await answer in answers { return answer }
            return nil
        }
        return await first.value(until: .now + patience) ?? nil
    }
}

extension statvfs {
    fileprivate var usage: [Csi_V1_VolumeUsage] {
        let block = UInt64(f_frsize)
        return [
            .with {
                $0.unit = .bytes
                $0.total = Int64(clamping: UInt64(f_blocks) * block)
                $0.available = Int64(clamping: UInt64(f_bavail) * block)
                $0.used = Int64(clamping: UInt64(f_blocks - f_bfree) * block)
            },
            .with {
                $0.unit = .inodes
                $0.total = Int64(clamping: f_files)
                $0.available = Int64(clamping: f_favail)
                $0.used = Int64(clamping: f_files - f_ffree)
            },
        ]
    }
}

extension Csi_V1_VolumeCondition {
    fileprivate static func abnormal(_ sentence: String) -> Self {
        .with {
            $0.abnormal = true
            $0.message = sentence
        }
    }
}
