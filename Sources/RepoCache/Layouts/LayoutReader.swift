/// Finds the layout of one file in its own bytes, whatever they are.
protocol LayoutReader: Sendable {
    /// Whether a reader of the file begins at its start with what tells the layout.
    var isAtStart: Bool { get }

    /// Reads as far as the bytes are here.
    ///
    /// - Throws: `.absent` when more of them are needed: to be called again when more are here.
    mutating func read(_ file: PresentBytes) throws(LayoutFault) -> PartLayout
}

/// Why there is no layout.
enum LayoutFault: Error {
    /// A byte is not here.
    case absent
    /// These are not the bytes of such a file, or it is out of all bounds: nothing is to be learnt.
    case malformed
}

/// The reader for files with such a name; nil when nothing is known of them.
func layoutReader(forPath path: String) -> (any LayoutReader)? {
    func ends(with suffix: String) -> Bool {
        path.utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    }
    if ends(with: ".safetensors") { return SafetensorsHeader() }
    if ends(with: ".gguf") { return GGUFHeader() }
    if ends(with: ".parquet") { return ParquetFooter() }
    return nil
}
