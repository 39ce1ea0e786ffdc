import HTTPTransport

/// What the Hub says of one object that is to be uploaded.
package enum LFSVerdict: Sendable {
    /// The Hub has it.
    case present
    case upload(LFSUpload)
    /// Not this one; the others may still go.
    case refused(code: Int, message: String)
}

extension HubClient {
    /// Objects in one LFS batch.
    package static let lfsBatchCountMax = 256

    /// Asks where objects are to be uploaded to, and which are there already.
    ///
    /// Source: `POST {repo}.git/info/lfs/objects/batch`, git-lfs docs/api/batch.md; parts are the
    /// Hub's own addition.
    ///
    /// - Parameters:
    ///   - revision: Where they will be committed; nil for a pull request yet to be made.
    ///   - objects: At most `lfsBatchCountMax`, none twice.
    ///   - completion: A verdict for each object, in the order of `objects`.
    package func lfsBatch(
        _ repo: RepoID, to revision: Revision?, objects: [LFSObject],
        completion: @escaping @Sendable (Result<[LFSVerdict], HubError>) -> Void
    ) {
        precondition(objects.count <= Self.lfsBatchCountMax, "too many objects for one batch")
        guard let routes else {
            return runOnTransferThread { [self] in completion(.failure(noEndpoint)) }
        }
        askForWriting(
            routes.lfsBatch(repo), json: batchBody(objects, revision),
            contentType: lfsContentType,
            adjust: { $0.headers.append(("Accept", lfsContentType)) }, completion: completion
        ) { answer in
            completion(readVerdicts(answer, of: objects, routes: routes))
        }
    }
}

/// Source: git-lfs docs/api/README.md.
let lfsContentType = "application/vnd.git-lfs+json"

private func batchBody(_ objects: [LFSObject], _ revision: Revision?) -> String {
    let rows = objects.map { "{\"oid\":\"\($0.oid.hex)\",\"size\":\($0.size)}" }
    let ref = revision.map { ",\"ref\":{\"name\":\(JSON.quoted($0.name))}" } ?? ""
    return "{\"operation\":\"upload\",\"transfers\":[\"basic\",\"multipart\"],"
        + "\"objects\":[\(rows.joined(separator: ","))],\"hash_algo\":\"sha256\"\(ref)}"
}

private func readVerdicts(
    _ answer: Exchange.Answer, of objects: [LFSObject], routes: HubRoutes
) -> Result<[LFSVerdict], HubError> {
    var rows: [LFSOID: JSON] = [:]
    for row in JSON(answer.response.body)?["objects"]?.array ?? [] {
        if let oid = row["oid"]?.string.flatMap({ LFSOID(hex: $0) }) { rows[oid] = row }
    }
    var verdicts: [LFSVerdict] = []
    for object in objects {
        guard let row = rows[object.oid] else {
            return .failure(answer.malformed("no verdict on \(object.oid)"))
        }
        do throws(LFSUpload.Invalid) {
            verdicts.append(try verdict(row, on: object, routes: routes))
        } catch {
            return .failure(answer.malformed(error.reason))
        }
    }
    return .success(verdicts)
}

private func verdict(
    _ row: JSON, on object: LFSObject, routes: HubRoutes
) throws(LFSUpload.Invalid) -> LFSVerdict {
    if let error = row["error"], error != .null {
        let code = error["code"]?.unsigned.map { Int(clamping: $0) } ?? 0
        return .refused(code: code, message: error["message"]?.string ?? "no reason given")
    }
    guard let actions = row["actions"], let upload = actions["upload"], upload != .null else {
        return .present
    }
    return .upload(try LFSUpload(actions, of: object, routes: routes))
}
