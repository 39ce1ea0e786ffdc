import Platform
import Testing

@Suite(.timeLimit(.minutes(5))) struct ThreadingTests {
    @Test func aGuardedCounterLosesNothing() {
        let counter = Guarded(0)
        let threads = (0..<8).map { number in
            Thread(name: "count-\(number)") {
                for _ in 0..<10_000 { counter.withLock { $0 += 1 } }
            }
        }
        for thread in threads { thread.join() }
        #expect(counter.withLock { $0 } == 80_000)
    }

    @Test func aMonitorWakesWhoWaits() {
        let box = Monitor<Int?>(nil)
        let thread = Thread(name: "setter") { box.update { $0 = 7 } }
        #expect(box.wait { $0 } == 7)
        thread.join()
    }

    @Test func aMonitorGivesUpAtTheDeadline() {
        let box = Monitor<Int?>(nil)
        #expect(box.wait(until: .now.advanced(bySeconds: 0.01)) { $0 } == nil)
    }

    @Test func aWorkerRunsJobsInOrderAndRefusesWhatIsTooMuch() {
        let worker = Worker(name: "jobs", jobCountMax: 3)
        let gate = Monitor(false)
        let order = Guarded<[Int]>([])
        #expect(worker.submit { gate.wait { $0 ? () : nil } })
        // The first job may or may not have left the inbox: fill it until it refuses.
        var accepted = 0
        while worker.submit({ [accepted] in order.withLock { $0.append(accepted) } }) {
            accepted += 1
        }
        #expect((2...3).contains(accepted))
        gate.update { $0 = true }
        worker.close()
        #expect(order.withLock { $0 } == Array(0..<accepted))
        #expect(!worker.submit {})
    }

    @Test func timersRunInOrderOfTheirTime() {
        let timers = TimerQueue()
        let order = Monitor<[Int]>([])
        let start = MonotonicInstant.now
        for number in [3, 1, 2] {
            timers.schedule(at: start.advanced(bySeconds: Double(number) / 100)) {
                order.update { $0.append(number) }
            }
        }
        #expect(order.wait { $0.count == 3 ? $0 : nil } == [1, 2, 3])
        timers.close()
    }

    @Test func aCancelledTimerDoesNotRun() {
        let timers = TimerQueue()
        let ran = Monitor<[String]>([])
        let token = timers.schedule(afterSeconds: 0.02) { ran.update { $0.append("cancelled") } }
        #expect(timers.cancel(token))
        #expect(!timers.cancel(token))
        timers.schedule(afterSeconds: 0.05) { ran.update { $0.append("kept") } }
        #expect(ran.wait { $0.isEmpty ? nil : $0 } == ["kept"])
        timers.close()
    }

    @Test func answersAreWaitedFor() {
        let timers = TimerQueue()
        let answer = waitForAnswer { completion in
            timers.schedule(afterSeconds: 0.01) { completion(42) }
        }
        #expect(answer == 42)
        timers.close()
    }
}

@Suite struct ChecksumTests {
    /// Source: RFC 3720, appendix B.4.
    @Test func theVectorsOfTheStandard() {
        func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { crc32c($0) } }
        #expect(checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
        #expect(checksum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
        #expect(checksum(Array(0..<32)) == 0x46dd_794e)
        #expect(checksum(Array((0..<32).reversed())) == 0x113f_db5c)
        #expect(checksum([]) == 0)
        #expect(checksum(Array("123456789".utf8)) == 0xe306_9283)
    }

    /// Long inputs are summed in parts side by side: every length around those must be right too.
    @Test func anyLengthIsWhatItsDefinitionSays() {
        let bytes = (0..<3 * 21840 + 17).map { UInt8(truncatingIfNeeded: $0 &* 167 ^ $0 >> 7) }
        // After each byte: the polynomial bit by bit, with no table and no instruction.
        var sums: [UInt32] = [0]
        var state = UInt32.max
        for byte in bytes {
            state ^= UInt32(byte)
            for _ in 0..<8 { state = state >> 1 ^ (state & 1 == 1 ? 0x82f6_3b78 : 0) }
            sums.append(~state)
        }
        let edges = [0, 7280, 21840, 2 * 21840, 65536, bytes.count]
        for count in edges.flatMap({ ($0 - 17)...($0 + 17) }) where bytes.indices.contains(count) {
            #expect(bytes.withUnsafeBytes { crc32c(.init(rebasing: $0[..<count])) } == sums[count])
        }
    }
}
