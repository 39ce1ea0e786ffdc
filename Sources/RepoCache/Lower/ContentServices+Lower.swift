import HubClient

extension ContentServices {
    /// The official client's file of a content, if it is there and may be served: what is verified
    /// before it is read is verified now, on the calling thread, once.
    ///
    /// - Parameter servesWhole: Whether it is.
    func lowerFile(of location: ContentLocation, servesWhole: Bool) -> LowerFile? {
        guard let lower, let file = lower.open(location) else { return nil }
        guard servesWhole, !file.isTrusted else { return file }
        let isRight = ContentDigest.matches(location.content, size: location.size) {
            buffer, offset in
            (try? file.read(into: buffer, at: offset)) ?? false
        }
        // A row's worth is hashed as quickly as its verdict is found.
        if !isRight || location.size >= SmallContents.sizeMax {
            lower.note(file, of: location, isRight: isRight)
        }
        return isRight ? file : nil
    }
}
