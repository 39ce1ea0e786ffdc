/// Numbers with units, as the command line takes them.
package enum Quantity {
    /// `20ms`, `1.5s`, `2m` or a bare number of milliseconds.
    package static func milliseconds(_ text: some StringProtocol) -> Double? {
        number(text, units: [("ms", 1), ("s", 1000), ("m", 60_000), ("", 1)])
    }

    /// `64`, `2900KB`, `30MB`, `1GB` (powers of 1000), `64KiB`, `1MiB`, `1GiB` (of 1024).
    package static func bytes(_ text: some StringProtocol) -> Int? {
        let units: [(String, Double)] = [
            ("KiB", 1024), ("MiB", 1_048_576), ("GiB", 1_073_741_824),
            ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("B", 1), ("", 1),
        ]
        return number(text, units: units).flatMap { Int(exactly: $0.rounded()) }
    }

    private static func number(
        _ text: some StringProtocol, units: [(name: String, factor: Double)]
    ) -> Double? {
        for unit in units where text.hasSuffix(unit.name) {
            guard let value = Double(text.dropLast(unit.name.count)), value >= 0, value.isFinite
            else { continue }
            return value * unit.factor
        }
        return nil
    }
}
