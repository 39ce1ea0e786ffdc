import Glibc

/// Bytes of numbers of four, put together by their place in the number: what is alike then lies side by
/// side. Source: the Xet specification, byte grouping.
enum ByteGroups {
    private static let width = 4

    /// Takes numbers apart. Both have the same length.
    static func group(_ bytes: UnsafeRawBufferPointer, into groups: UnsafeMutableRawBufferPointer) {
        precondition(bytes.count == groups.count, "nothing is added")
        guard let source = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self),
            let target = groups.baseAddress?.assumingMemoryBound(to: UInt8.self)
        else { return }
        let (first, second, third, last) = starts(target, bytes.count)
        let (whole, rest) = bytes.count.quotientAndRemainder(dividingBy: width)
        for number in 0..<whole {
            first[number] = source[width * number]
            second[number] = source[width * number + 1]
            third[number] = source[width * number + 2]
            last[number] = source[width * number + 3]
        }
        if rest > 0 { first[whole] = source[width * whole] }
        if rest > 1 { second[whole] = source[width * whole + 1] }
        if rest > 2 { third[whole] = source[width * whole + 2] }
    }

    /// Puts numbers together again. Both have the same length.
    static func ungroup(
        _ groups: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer
    ) {
        precondition(bytes.count == groups.count, "nothing is added")
        guard let source = groups.baseAddress?.assumingMemoryBound(to: UInt8.self),
            let target = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        else { return }
        let (first, second, third, last) = starts(source, bytes.count)
        let (whole, rest) = bytes.count.quotientAndRemainder(dividingBy: width)
        for number in 0..<whole {
            target[width * number] = first[number]
            target[width * number + 1] = second[number]
            target[width * number + 2] = third[number]
            target[width * number + 3] = last[number]
        }
        if rest > 0 { target[width * whole] = first[whole] }
        if rest > 1 { target[width * whole + 1] = second[whole] }
        if rest > 2 { target[width * whole + 2] = third[whole] }
    }

    /// Where each group begins: the first ones are longer by one where the last number is cut.
    private static func starts<Pointer: Strideable>(
        _ start: Pointer, _ count: Int
    ) -> (Pointer, Pointer, Pointer, Pointer) where Pointer.Stride == Int {
        let (whole, rest) = count.quotientAndRemainder(dividingBy: width)
        let second = start.advanced(by: whole + (rest > 0 ? 1 : 0))
        let third = second.advanced(by: whole + (rest > 1 ? 1 : 0))
        return (start, second, third, third.advanced(by: whole + (rest > 2 ? 1 : 0)))
    }

    /// Whether bytes pack better grouped: the bits that are set differ in number by the place in a
    /// number. Source: the Xet specification, choice of scheme.
    static func isWorthwhile(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // By place, how many bytes have so many bits set.
        var counts = [Int](repeating: 0, count: width * 9)
        for (index, byte) in bytes.enumerated() {
            counts[index % width * 9 + byte.nonzeroBitCount] += 1
        }
        let all = (0..<9).map { bits in
            (0..<width).reduce(1) { $0 + counts[$1 * 9 + bits] }
        }
        let total = Double(all.reduce(0, +))
        let divergences = (0..<width).compactMap { place -> Double? in
            let own = counts[place * 9..<place * 9 + 9]
            guard own.allSatisfy({ $0 > 0 }) else { return nil }
            let ownTotal = Double(own.reduce(0, +))
            return zip(own, all).reduce(0) { sum, pair in
                let share = Double(pair.0) / ownTotal
                return sum + share * log(share / (Double(pair.1) / total))
            }
        }
        return divergences.contains { $0 > threshold }
    }

    private static let threshold = 0.02
}
