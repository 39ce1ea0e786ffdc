import DequeModule
import Glibc

/// A few named threads that run jobs from one bounded inbox, in order of arrival.
///
/// For work that blocks: hashing, SQLite, file system calls that may sleep.
package final class Worker: Sendable {
    package typealias Job = @Sendable () -> Void

    private struct Inbox {
        var jobs = Deque<Job>()
        var isClosed = false
    }

    private enum Next {
        case job(Job)
        case end
    }

    private let inbox = Monitor(Inbox())
    private let jobCountMax: Int
    private let threads: [Thread]

    /// - Parameters:
    ///   - name: Thread name, at most 15 characters.
    ///   - jobCountMax: Jobs that may wait; `submit` refuses more.
    ///   - isPatient: Its threads take the processor when nobody else wants it much, at nice 5: for work
    ///     nobody waits for. Source: man 2 setpriority, which on Linux is about one thread.
    package init(
        name: String, threadCount: Int = 1, jobCountMax: Int = 65536, isPatient: Bool = false
    ) {
        self.jobCountMax = jobCountMax
        let inbox = self.inbox
        threads = (0..<threadCount).map { _ in
            Thread(name: name) {
                if isPatient { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 5) }
                while case .job(let job) = Worker.next(inbox) { job() }
            }
        }
    }

    /// Puts a job at the end of the inbox.
    ///
    /// - Returns: false when the inbox is full or closed; the job will not run.
    package func submit(_ job: @escaping Job) -> Bool {
        inbox.update { inbox in
            guard !inbox.isClosed, inbox.jobs.count < jobCountMax else { return false }
            inbox.jobs.append(job)
            return true
        }
    }

    /// Refuses new jobs, runs those that wait, and joins the threads. Call at most once, not from
    /// a job.
    package func close() {
        inbox.update { $0.isClosed = true }
        for thread in threads { thread.join() }
    }

    private static func next(_ inbox: Monitor<Inbox>) -> Next {
        inbox.wait { inbox in
            if let job = inbox.jobs.popFirst() { return .job(job) }
            return inbox.isClosed ? .end : nil
        } ?? .end
    }
}
