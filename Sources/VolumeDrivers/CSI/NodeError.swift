import GRPCCore
import SystemPackage

/// Why a call of the Node service fails. The sentence is what Kubernetes shows in its events.
enum NodeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call has not what it needs, or something that no volume has.
    case invalid(String)
    /// A call for the same volume has not ended yet.
    case pending(id: String)
    /// The path has the volume already, in another way.
    case incompatible(path: String, String)
    /// Somebody else has the volume, and both cannot be.
    case exceeds(String)
    case notPublished(id: String, path: String)
    /// Something that is not hubfs is mounted at the path.
    case pathTaken(String)
    /// The path cannot be made, mounted at or removed.
    case path(String, Errno)
    /// - Parameter hasToken: Whether the volume came with a secret.
    case volume(VolumeError, hasToken: Bool)

    var description: String {
        switch self {
        case .invalid(let sentence), .exceeds(let sentence): sentence
        case .pending(let id): "a call for the volume '\(id)' has not ended yet"
        case .incompatible(let path, let sentence): "\(path) has the volume already, \(sentence)"
        case .notPublished(let id, let path): "\(path) does not have the volume '\(id)'"
        case .pathTaken(let path): "something else is mounted at \(path)"
        case .path(let path, let code): "\(path) cannot be used: \(code)"
        case .volume(let error, _): error.description
        }
    }

    /// As the CSI specification has it for the call, and its table of common errors for the rest.
    var code: RPCError.Code {
        switch self {
        case .invalid: .invalidArgument
        case .pending: .aborted
        case .incompatible: .alreadyExists
        case .exceeds, .pathTaken: .failedPrecondition
        case .notPublished: .notFound
        case .path: .internalError
        case .volume(let error, let hasToken): Self.code(error, hasToken: hasToken)
        }
    }

    private static func code(_ error: VolumeError, hasToken: Bool) -> RPCError.Code {
        switch error {
        case .badName, .badOptions: .invalidArgument
        case .unknown: .notFound
        case .exists, .placeTaken: .failedPrecondition
        case .tooMany, .tooManyMounts: .resourceExhausted
        case .busy: .aborted
        case .goesOn: .deadlineExceeded
        case .hangs, .checkHangs: .unavailable
        case .notStarted, .state, .folderTaken, .unreadable: .internalError
        case .refused(_, let code, _): Self.code(ofCommand: code, hasToken: hasToken)
        }
    }

    /// - Parameter code: What hubfs ended with; docs/ERRORS.md has the table.
    private static func code(ofCommand code: Int32, hasToken: Bool) -> RPCError.Code {
        switch code {
        case HubfsCommands.Code.usage: .invalidArgument
        case HubfsCommands.Code.notFound: .notFound
        case HubfsCommands.Code.accessRefused: hasToken ? .permissionDenied : .unauthenticated
        case HubfsCommands.Code.unsent, HubfsCommands.Code.hubUnavailable: .unavailable
        case HubfsCommands.Code.timedOut: .deadlineExceeded
        case HubfsCommands.Code.conflict, HubfsCommands.Code.refused: .failedPrecondition
        default: .internalError
        }
    }
}
