import Testing

@testable import FuseBridge

@Suite struct MountTableTests {
    @Test func aLineOfMountinfoIsRead() throws {
        let record = try #require(
            MountRecord(
                line: "36 35 0:45 / /mnt/a\\040b rw,noatime shared:1 - fuse.hubfs hubfs rw"))
        #expect(record.device == "0:45")
        #expect(record.mountPoint == "/mnt/a b")
        #expect(record.type == "fuse.hubfs")
        #expect(record.isOurs)
        #expect(record.userID == nil)
    }

    @Test func whoHasMountedIsRead() throws {
        let line = "36 35 0:45 / /mnt ro - fuse.hubfs hubfs ro,user_id=1234,group_id=5"
        #expect(try #require(MountRecord(line: line)).userID == 1234)
    }

    @Test func mountsOfAnotherProcessAreFound() {
        #expect(MountTable.record(at: "/", of: 1) != nil)
        #expect(MountTable.records(of: -1).isEmpty)
    }

    @Test func linesWithoutOptionalFieldsAndOfOthers() throws {
        let record = try #require(
            MountRecord(line: "22 1 254:0 / / rw,relatime - ext4 /dev/root rw"))
        #expect(record.type == "ext4")
        #expect(!record.isOurs)
    }

    @Test(arguments: ["", "36 35 0:45 / /mnt rw", "a b c d e f g h i"])
    func whatIsNoLineIsRefused(_ line: String) {
        #expect(MountRecord(line: line) == nil)
    }

    @Test func theRootOfThisMachineIsFound() {
        #expect(MountTable.record(at: "/") != nil)
        #expect(MountTable.record(at: "/no/such/mount") == nil)
    }
}
