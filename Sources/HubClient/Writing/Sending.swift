/// Something large on its way to the Hub.
package protocol Sending: AnyObject, Sendable {
    /// Ends it soon; its completion is still called, unless it has been.
    func cancel()
}
