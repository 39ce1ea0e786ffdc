/// The name that was probably meant by `word`, for "did you mean".
///
/// - Returns: nil when nothing is near: more than a third of the word would have to change.
package func suggestion(for word: String, among names: some Sequence<String>) -> String? {
    let ranked = names.map { (name: $0, distance: editDistance(word, $0)) }
    guard let nearest = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
    return nearest.distance <= max(1, word.count / 3) ? nearest.name : nil
}

/// How many characters must be inserted, removed, replaced or swapped with their neighbour to get
/// from one word to the other (optimal string alignment distance).
func editDistance(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left), Array(right))
    var rows = [Array(0...right.count)]
    for (i, leftCharacter) in left.enumerated() {
        var row = [i + 1]
        for (j, rightCharacter) in right.enumerated() {
            let replaced = rows[i][j] + (leftCharacter == rightCharacter ? 0 : 1)
            var best = min(rows[i][j + 1] + 1, row[j] + 1, replaced)
            if i > 0, j > 0, leftCharacter == right[j - 1], left[i - 1] == rightCharacter {
                best = min(best, rows[i - 1][j - 1] + 1)
            }
            row.append(best)
        }
        rows.append(row)
    }
    return rows[left.count][right.count]
}
