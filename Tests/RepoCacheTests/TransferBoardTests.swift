import Platform
import Testing

@testable import RepoCache

@Suite struct TransferBoardTests {
    /// A board with the blocks that are present beside it.
    private struct World {
        var board = TransferBoard<String>(limits: TransferLimits())
        var present: Set<Int> = []
        var actions = TransferActions<String>()
        var seconds = 0.0

        var now: MonotonicInstant {
            MonotonicInstant(nanoseconds: 1_000_000_000).advanced(bySeconds: seconds)
        }

        mutating func park(
            _ name: String, _ blocks: Range<Int>, awaitsRoom: Bool = false
        ) -> Int? {
            let number = board.newNumber()
            let isParked = board.park(
                name, number: number, blocks: blocks, awaitsRoom: awaitsRoom, now: now,
                actions: &actions
            ) { present.contains($0) }
            return isParked ? number : nil
        }

        mutating func findRoom(_ number: Int) {
            board.foundRoom(number, now: now, actions: &actions) { present.contains($0) }
        }

        mutating func arrive(_ block: Int, _ fetch: Int) {
            present.insert(block)
            board.arrived(block..<block + 1, of: fetch, now: now, actions: &actions) {
                present.contains($0)
            }
        }

        mutating func end(_ fetch: Int, isFailure: Bool = false) {
            board.ended(fetch, isFailure: isFailure, now: now, actions: &actions) {
                present.contains($0)
            }
        }

        mutating func tick() { board.tick(now: now, actions: &actions) { present.contains($0) } }

        mutating func prefetch(_ blocks: Range<Int>, stream: Int = 1, chunkBlocks: Int = 64) {
            _ = board.prefetch(
                blocks, chunkBlocks: chunkBlocks, stream: stream, now: now, actions: &actions,
                isPresent: { present.contains($0) }, mayOrder: { _ in true })
        }

        mutating func takeOrders() -> [FetchOrder] {
            defer { actions.orders = [] }
            return actions.orders
        }
    }

    @Test func overlappingReadsShareTheirFetches() {
        var world = World()
        _ = world.park("a", 0..<4)
        _ = world.park("b", 2..<6)
        _ = world.park("c", 1..<3)
        let orders = world.takeOrders()
        #expect(orders.map(\.blocks) == [0..<4, 4..<6])
        for block in 0..<4 { world.arrive(block, orders[0].number) }
        #expect(world.actions.ready == ["c", "a"])
        for block in 4..<6 { world.arrive(block, orders[1].number) }
        #expect(world.actions.ready == ["c", "a", "b"])
        for order in orders { world.end(order.number) }
        #expect(world.board.isIdle)
    }

    @Test func presentBlocksAreLeftOut() {
        var world = World()
        world.present = [1, 2, 5]
        #expect(world.park("a", 1..<3) == nil)
        _ = world.park("b", 0..<7)
        #expect(world.takeOrders().map(\.blocks) == [0..<1, 3..<5, 6..<7])
    }

    @Test func aBlockFarBehindAFetchsPositionIsAskedForByItself() {
        var world = World()
        world.prefetch(0..<128, chunkBlocks: 128)
        _ = world.takeOrders()
        _ = world.park("near", 10..<12)
        #expect(world.takeOrders().isEmpty)
        _ = world.park("far", 120..<122)
        #expect(world.takeOrders().map(\.blocks) == [120..<122])
    }

    @Test func aFailedDemandFetchFailsThoseWhoNeedIt() {
        var world = World()
        _ = world.park("a", 0..<4)
        _ = world.park("b", 2..<6)
        let orders = world.takeOrders()
        world.arrive(0, orders[0].number)
        world.end(orders[0].number, isFailure: true)
        #expect(Set(world.actions.failed) == ["a", "b"])
        #expect(world.board.waiterCount == 0)
    }

    @Test func aFailedGuessFailsNobody() {
        var world = World()
        world.prefetch(0..<8)
        let guess = world.takeOrders()[0]
        _ = world.park("a", 2..<4)
        #expect(world.takeOrders().isEmpty)
        world.end(guess.number, isFailure: true)
        #expect(world.actions.failed.isEmpty)
        #expect(world.takeOrders().map(\.blocks) == [2..<4])
    }

    @Test func aStalledFetchIsHedgedAndTimesOutAfterAll() {
        var world = World()
        _ = world.park("a", 0..<2)
        let first = world.takeOrders()[0]
        world.seconds = 1
        world.tick()
        #expect(world.takeOrders().isEmpty)
        world.seconds = 4
        world.tick()
        #expect(world.takeOrders().map(\.blocks) == [0..<2])
        // Progress of the first counts for the reader.
        world.seconds = 20
        world.arrive(0, first.number)
        world.seconds = 49
        world.tick()
        #expect(world.actions.timedOut.isEmpty)
        world.seconds = 51
        world.tick()
        #expect(world.actions.timedOut == ["a"])
        #expect(!world.actions.cancelled.isEmpty)
    }

    @Test func hedgesAreFew() {
        var world = World()
        _ = world.park("a", 0..<1)
        for second in 0..<29 {
            world.seconds = Double(second)
            world.tick()
        }
        #expect(world.takeOrders().count == 1 + TransferLimits().retryCountMax)
    }

    @Test func whatNobodyWaitsForIsCancelled() {
        var world = World()
        let a = world.park("a", 0..<2)
        let b = world.park("b", 1..<3)
        let orders = world.takeOrders()
        #expect(world.board.cancelWaiter(a!, actions: &world.actions) == "a")
        #expect(world.actions.cancelled.isEmpty)
        #expect(world.board.cancelWaiter(b!, actions: &world.actions) == "b")
        #expect(Set(world.actions.cancelled) == Set(orders.map(\.number)))
        #expect(world.board.cancelWaiter(b!, actions: &world.actions) == nil)
        // A reader that comes before the cancelled fetches end asks anew.
        _ = world.park("c", 0..<1)
        #expect(world.takeOrders().map(\.blocks) == [0..<1])
    }

    @Test func aStreamThatEndsTakesItsFetchesExceptThoseAwaited() {
        var world = World()
        world.prefetch(0..<128)
        let orders = world.takeOrders()
        #expect(orders.map(\.blocks) == [0..<64, 64..<128])
        _ = world.park("a", 3..<4)
        world.board.endStreams([1], actions: &world.actions)
        #expect(world.actions.cancelled == [orders[1].number])
    }

    @Test func aBlockFromElsewhereIsSeenAtTheNextTick() {
        var world = World()
        _ = world.park("a", 0..<2)
        let order = world.takeOrders()[0]
        world.present = [0, 1]
        world.tick()
        #expect(world.actions.ready == ["a"])
        #expect(world.actions.cancelled == [order.number])
    }

    @Test func blocksThatNeverStayAreAskedForAFewTimesOnly() {
        var world = World()
        _ = world.park("a", 0..<1)
        var orderCount = 0
        while let order = world.takeOrders().first {
            orderCount += 1
            world.end(order.number)
        }
        #expect(orderCount == 1 + TransferLimits().retryCountMax)
        #expect(world.actions.timedOut.isEmpty)
        world.seconds = 31
        world.tick()
        #expect(world.actions.timedOut == ["a"])
        #expect(world.board.isIdle)
    }

    /// Guesses that stall and then fail end in the Hub's error, not in a wait.
    @Test func aGuessFailsThoseWhoMayNotAskAgain() {
        var world = World()
        world.prefetch(0..<8)
        let guess = world.takeOrders()[0]
        _ = world.park("a", 0..<1)
        for second in stride(from: 4.0, to: 20, by: 4) {
            world.seconds = second
            world.tick()
        }
        #expect(world.takeOrders().count == TransferLimits().retryCountMax)
        world.end(guess.number, isFailure: true)
        #expect(world.actions.failed == ["a"])
    }

    @Test func whoAwaitsRoomIsNotFetchedForUntilItIsFound() {
        var world = World()
        let a = world.park("a", 0..<2)!
        let first = world.takeOrders()[0]
        world.board.awaitRoom(a, actions: &world.actions)
        #expect(world.actions.cancelled == [first.number])
        world.arrive(0, first.number)
        world.arrive(1, first.number)
        world.end(first.number, isFailure: true)
        world.seconds = 29
        world.tick()
        #expect(world.takeOrders().isEmpty)
        #expect(world.actions.ready.isEmpty && world.actions.failed.isEmpty)
        world.present = [1]
        world.findRoom(a)
        let second = world.takeOrders()
        #expect(second.map(\.blocks) == [0..<1])
        // Its time began anew.
        world.seconds = 50
        world.tick()
        #expect(world.actions.timedOut.isEmpty)
        world.arrive(0, second[0].number)
        #expect(world.actions.ready == ["a"])
    }

    @Test func whoFindsNoRoomInTimeEnds() {
        var world = World()
        world.present = [0]
        _ = world.park("a", 0..<1, awaitsRoom: true)
        world.seconds = 31
        world.tick()
        #expect(world.actions.timedOut == ["a"])
        #expect(world.takeOrders().isEmpty && world.board.isIdle)
    }

    /// While one block is fetched again another is pushed out: its reader must not be forgotten.
    @Test func regression_aBlockPushedOutDuringAnothersFetchIsAskedForAgain() {
        var world = World()
        _ = world.park("a", 0..<2)
        let first = world.takeOrders()[0]
        world.arrive(0, first.number)
        world.present = []
        world.arrive(1, first.number)
        world.end(first.number)
        let second = world.takeOrders()
        #expect(second.map(\.blocks) == [0..<1])
        world.present = []
        world.arrive(0, second[0].number)
        world.end(second[0].number)
        #expect(world.takeOrders().map(\.blocks) == [1..<2])
    }

    /// Any order of events leaves every reader answered exactly once.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func randomEventsAnswerEveryReaderOnce(seed: UInt64) {
        var random = SplitMix(state: seed)
        var world = World()
        var numbers: [String: Int] = [:]
        var open: [FetchOrder] = []
        var answered: [String] = []
        for step in 0..<200 {
            world.seconds += Double(random.next() % 3)
            let first = Int(random.next() % 64)
            switch random.next() % 8 {
            case 0, 1:
                let name = "\(step)"
                let end = first + 1 + Int(random.next() % 16)
                if let number = world.park(name, first..<end) { numbers[name] = number }
            case 2:
                if let (name, number) = numbers.randomElement(using: &random),
                    world.board.cancelWaiter(number, actions: &world.actions) != nil
                {
                    answered.append(name)
                }
            case 3:
                world.prefetch(first..<first + 20, chunkBlocks: 8)
            case 4:
                world.tick()
            case 5:
                if let number = numbers.values.randomElement(using: &random) {
                    world.board.awaitRoom(number, actions: &world.actions)
                }
            case 6:
                if let number = numbers.values.randomElement(using: &random) {
                    world.findRoom(number)
                }
            default:
                if let index = open.indices.randomElement(using: &random) {
                    let order = open.remove(at: index)
                    for block in order.blocks where random.next() % 8 > 0 {
                        world.arrive(block, order.number)
                    }
                    world.end(order.number, isFailure: random.next() % 3 == 0)
                }
                if random.next() % 4 == 0 { world.present.remove(first) }
            }
            open += world.takeOrders()
        }
        let rest = world.board.removeAll(actions: &world.actions)
        let actions = world.actions
        answered += actions.ready + actions.failed + actions.timedOut + actions.refused + rest
        #expect(answered.sorted() == numbers.keys.sorted(), "seed \(seed)")
    }
}
