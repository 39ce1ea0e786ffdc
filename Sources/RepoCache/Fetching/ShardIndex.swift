import HubClient

/// The files that one model is split into, as its index names them.
///
/// `model-00002-of-00005.safetensors` belongs to `model.safetensors.index.json`, whose member
/// `weight_map` says in which file each tensor is; PyTorch's `.bin` files have the same. A variant of a
/// model, `model.fp16-00001-of-00002.safetensors`, has its index in
/// `model.safetensors.index.fp16.json`. Source: what transformers and diffusers write.
enum ShardIndex {
    /// Longer ones are not read.
    static let byteCountMax: UInt64 = 32 << 20
    static let shardCountMax = 4096

    /// The names of the indexes that a file may stand in, none when it is not named as a shard: one
    /// more if its name may be that of a variant.
    static func names(forShard name: String) -> [String] {
        let bytes = Array(name.utf8)
        guard let dot = bytes.lastIndex(of: UInt8(ascii: ".")) else { return [] }
        let stem = bytes[..<dot]
        let suffix = bytes[dot...]
        guard [".safetensors", ".bin"].contains(where: { suffix.elementsEqual($0.utf8) }),
            let (rest, total) = cutNumber(stem), rest.suffix(4).elementsEqual("-of-".utf8),
            let (prefix, number) = cutNumber(rest.dropLast(4)),
            prefix.last == UInt8(ascii: "-"), prefix.count > 1, number <= total
        else { return [] }
        let model = prefix.dropLast()
        let names = [indexName(model, suffix)]
        guard let dot = model.lastIndex(of: UInt8(ascii: ".")), dot > model.startIndex,
            dot + 1 < model.endIndex
        else { return names }
        return names + [indexName(model[..<dot], suffix, variant: model[dot...])]
    }

    private static func indexName(
        _ model: ArraySlice<UInt8>, _ suffix: ArraySlice<UInt8>, variant: ArraySlice<UInt8> = []
    ) -> String {
        String(decoding: model + suffix + ".index".utf8 + variant + ".json".utf8, as: UTF8.self)
    }

    /// The names of all shards in the order of their numbers.
    ///
    /// - Returns: nil when the bytes are not an index, or name too many.
    static func shards(_ index: [UInt8]) -> [String]? {
        guard case .object(let map)? = JSON(index)?["weight_map"] else { return nil }
        let names = Set(map.values.compactMap(\.string))
        guard !names.isEmpty, names.count <= shardCountMax,
            names.allSatisfy({ !$0.isEmpty && !$0.utf8.contains(UInt8(ascii: "/")) })
        else { return nil }
        return names.sorted()
    }

    /// Takes the digits at the end.
    private static func cutNumber(
        _ bytes: ArraySlice<UInt8>
    ) -> (rest: ArraySlice<UInt8>, number: Int)? {
        let digits = bytes.reversed().prefix {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        }
        guard (1...9).contains(digits.count),
            let number = Int(String(decoding: digits.reversed(), as: UTF8.self))
        else { return nil }
        return (bytes.dropLast(digits.count), number)
    }
}
