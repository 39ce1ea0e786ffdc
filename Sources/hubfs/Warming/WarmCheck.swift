import HubClient

/// What of some files is in the cache, and what is missing.
struct WarmCheck {
    private struct Missing {
        let source: WarmSource
        let item: RepoBrowser.Item
        let bytes: UInt64
    }

    private var missing: [Missing] = []
    private var fileCount = 0
    private var bytes: UInt64 = 0

    init(_ sources: [WarmSource]) {
        var seen: Set<ContentID> = []
        for source in sources {
            for item in source.files {
                fileCount += 1
                bytes += item.size
                guard let content = item.content, seen.insert(content).inserted else { continue }
                let here = source.browser.cachedBytes(of: item)
                guard here < item.size else { continue }
                missing.append(Missing(source: source, item: item, bytes: item.size - here))
            }
        }
    }

    /// Each content counts once, however many files have it.
    var missingBytes: UInt64 { missing.reduce(0) { $0 + $1.bytes } }

    /// What is missing in one of the caches.
    func missingBytes(in cachePath: String) -> UInt64 {
        missing.reduce(0) { $0 + ($1.source.hub.cachePath == cachePath ? $1.bytes : 0) }
    }

    /// Says what is missing.
    ///
    /// - Throws: `Failure` with code `incomplete` when something is.
    func report(asJSON: Bool) throws(Failure) {
        if asJSON {
            let list = missing.map { entry in
                JSON.object([
                    "repo": .string(entry.source.browser.snapshot.repo.description),
                    "path": .string(entry.item.path), "bytes": .count(entry.bytes),
                ])
            }
            let report: [String: JSON] = [
                "files": .integer(Int64(fileCount)), "bytes": .count(bytes),
                "missingBytes": .count(missingBytes), "missing": .array(list),
            ]
            try writeLine(JSON.object(report).text)
        } else {
            for entry in missing { try writeLine(printable(entry.item.path)) }
        }
        if missing.isEmpty {
            if !asJSON {
                try writeLine("all \(fileCount) files, \(readableSize(bytes)), are in the cache")
            }
            return
        }
        throw Failure(
            .incomplete,
            "\(missing.count) of \(fileCount) files, \(readableSize(missingBytes)), are not in the "
                + "cache: hubfs warm fetches them")
    }
}
