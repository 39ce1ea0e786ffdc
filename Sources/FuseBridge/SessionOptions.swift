/// How a file system is mounted.
package struct SessionOptions: Hashable, Sendable {
    /// Lets users other than the one who mounts see the mount; root or `user_allow_other` only.
    package var allowsOthers = false
    /// Threads that answer the kernel. Answers never wait on the network, so few are enough.
    package var threadCount = 4
    /// Lets the mount be written to; its file system must be a `WritableFileSystem`.
    package var isWritable = false

    package init() {}

    /// The options in mount(8)'s form.
    ///
    /// `fsname` and `subtype` make the mount's type `fuse.hubfs`. The kernel checks permissions
    /// by the attributes we show (default_permissions) and, unless the mount is writable, refuses
    /// writes itself (ro).
    var mountOptions: String {
        var options = [
            "fsname=hubfs", "subtype=hubfs", "default_permissions", isWritable ? "rw" : "ro",
            "nosuid", "nodev", "noatime",
        ]
        if allowsOthers { options.append("allow_other") }
        return options.joined(separator: ",")
    }
}
