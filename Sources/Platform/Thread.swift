import CLinux
import Glibc

/// A named thread of ours. Joined or left to end with the process; never cancelled.
///
/// `@unchecked Sendable`: `handle` is written once in `init`, before anybody else can see it.
package final class Thread: @unchecked Sendable {
    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    private var handle = pthread_t()

    /// Starts `body` on a new thread.
    ///
    /// - Parameter name: Shown by ps and debuggers; the kernel keeps 15 characters.
    package init(name: String, _ body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        let status = pthread_create(
            &handle, nil,
            { argument in
                let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                hubfs_set_thread_name(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        precondition(status == 0, "no thread could be started: errno \(status)")
    }

    /// Sends a signal to this thread, to get it out of a system call. Not after `join`.
    package func send(signal: Int32) {
        pthread_kill(handle, signal)
    }

    /// Waits for the thread's end. Call at most once, from another thread.
    package func join() {
        pthread_join(handle, nil)
    }
}
