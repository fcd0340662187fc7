// "Did you mean …?" for misspelt names: commands, presets, cells, fields of a configuration.

/// Finds the name that a misspelt one was probably meant to be.
package enum NearestName {
  /// The nearest of some names.
  ///
  /// A name is near if a few letters differ (insertions, deletions, substitutions and transpositions count
  /// one each, up to about a third of the letters), or if it begins with what was typed. Case does not count, and
  /// underscores are hyphens.
  ///
  /// - Parameters:
  ///   - typed: What was found.
  ///   - names: What would have been accepted.
  /// - Returns: The nearest name; nil if none is near.
  package static func nearest(to typed: String, among names: [String]) -> String? {
    func normal(_ name: String) -> [Character] {
      Array(name.lowercased().map { $0 == "_" ? "-" : $0 })
    }
    let letters = normal(typed)
    // A long text is no misspelt name, and comparing it would take long.
    guard !letters.isEmpty, letters.count <= 64 else { return nil }
    let limit = max(1, min(3, (letters.count + 1) / 3))
    let distances = names.map { (name: $0, distance: distance(letters, normal($0))) }
    if let best = distances.min(by: { $0.distance < $1.distance }), best.distance <= limit {
      return best.name
    }
    return letters.count < 3 ? nil : names.first { normal($0).starts(with: letters) }
  }

  /// `; did you mean 'gru'?`, or nothing if no name is near.
  package static func hint(for typed: String, among names: [String]) -> String {
    nearest(to: typed, among: names).map { "; did you mean '\($0)'?" } ?? ""
  }

  /// The edit distance of two words; a transposition counts as one edit.
  private static func distance(_ a: [Character], _ b: [Character]) -> Int {
    var twoBack: [Int] = []
    var above = Array(0...b.count)
    for i in a.indices {
      var row = [i + 1]
      for j in b.indices {
        var least = min(row[j] + 1, above[j + 1] + 1, above[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
          least = min(least, twoBack[j - 1] + 1)
        }
        row.append(least)
      }
      (twoBack, above) = (above, row)
    }
    return above[b.count]
  }
}
