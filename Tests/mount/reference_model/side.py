"""One folder, its open handles, and every operation the model knows."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import random
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE = 1, 2, 16


def sample(size: int, seed: int) -> bytes:
    """Bytes that are the same in every run."""
    return random.Random(seed).randbytes(size)


def check(result: int) -> int:
    """Turns the -1 of a C function into an OSError."""
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


@dataclass
class Scan:
    """A directory that is being read while it changes."""

    descriptor: int
    entries: object
    seen: list[str] = field(default_factory=list)
    # Names that were there at some time, and those that were there all the time, since the start.
    ever: set[str] = field(default_factory=set)
    always: set[str] = field(default_factory=set)

    def take(self, count: int) -> None:
        """Reads on; a directory that was removed meanwhile ends."""
        try:
            self.seen += [entry.name for _, entry in zip(range(count), self.entries)]
        except FileNotFoundError:
            pass


class Side:
    """A folder that operations are performed on. `handles` maps slots to descriptors."""

    def __init__(self, root: Path):
        self.root = root
        self.handles: dict[int, int] = {}
        self.scans: dict[int, Scan] = {}

    def do(self, operation: dict) -> tuple[str, object]:
        """Performs one operation: ("ok", value), or ("error", name of the errno or of shutil's error)."""
        arguments = {key: value for key, value in operation.items() if key != "op"}
        try:
            return "ok", getattr(self, operation["op"])(**arguments)
        except OSError as error:
            return "error", errno.errorcode.get(error.errno, type(error).__name__)

    def at(self, path: str) -> str:
        return os.path.join(self.root, path)

    def handle(self, slot: int) -> int:
        if slot not in self.handles:
            raise OSError(errno.EBADF, "no such handle")
        return self.handles[slot]

    def file_handle(self, slot: int) -> int:
        """A handle of a file: what a directory says to reads and seeks is each file system's own."""
        descriptor = self.handle(slot)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EISDIR, "not a file")
        return descriptor

    def let_go(self) -> None:
        """Closes everything; a dead mount may object."""
        for descriptor in self.handles.values():
            try:
                os.close(descriptor)
            except OSError:
                pass
        for scan in self.scans.values():
            scan.entries.close()
            os.close(scan.descriptor)
        self.handles.clear()
        self.scans.clear()

    # Handles.

    def open(self, path: str, flags: int, mode: int, slot: int) -> None:
        descriptor = os.open(self.at(path), flags, mode)
        if slot in self.handles:
            os.close(self.handles[slot])
        self.handles[slot] = descriptor

    def close(self, slot: int) -> None:
        os.close(self.handle(slot))
        del self.handles[slot]

    def pread(self, slot: int, offset: int, size: int) -> bytes:
        return os.pread(self.handle(slot), size, offset)

    def pwrite(self, slot: int, offset: int, size: int, seed: int) -> int:
        return os.pwrite(self.handle(slot), sample(size, seed), offset)

    def write(self, slot: int, size: int, seed: int) -> int:
        return os.write(self.handle(slot), sample(size, seed))

    def ftruncate(self, slot: int, size: int) -> None:
        os.ftruncate(self.handle(slot), size)

    def fallocate(self, slot: int, mode: int, offset: int, size: int) -> None:
        offset, size = ctypes.c_int64(offset), ctypes.c_int64(size)
        check(LIBC.fallocate64(self.handle(slot), mode, offset, size))

    def fsync(self, slot: int) -> None:
        os.fsync(self.handle(slot))

    def fdatasync(self, slot: int) -> None:
        os.fdatasync(self.handle(slot))

    def fchmod(self, slot: int, mode: int) -> None:
        os.fchmod(self.handle(slot), mode)

    def futimens(self, slot: int, time: int) -> None:
        os.utime(self.handle(slot), ns=(time, time))

    def map_write(self, slot: int, offset: int, size: int, seed: int) -> int:
        """Stores into a shared mapping, as far as the file goes, and waits for msync."""
        descriptor = self.file_handle(slot)
        end = min(os.fstat(descriptor).st_size, offset + size)
        if end <= offset:
            return 0
        with mmap.mmap(descriptor, end, prot=mmap.PROT_READ | mmap.PROT_WRITE) as mapping:
            mapping[offset:end] = sample(end - offset, seed)
            mapping.flush()
        return end - offset

    def copy_range(
        self, source: int, source_offset: int, target: int, target_offset: int, size: int
    ) -> int:
        input, output = self.handle(source), self.handle(target)
        copied = 0
        while count := os.copy_file_range(
            input, output, size - copied, source_offset + copied, target_offset + copied
        ):
            copied += count
            if copied == size:
                break
        return copied

    def find_holes(self, slot: int) -> None:
        """What is said to be a hole reads as zeros; where the holes are is each side's own."""
        descriptor = self.file_handle(slot)
        position = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            self.check_holes(descriptor, os.fstat(descriptor).st_size)
        finally:
            os.lseek(descriptor, position, os.SEEK_SET)

    def check_holes(self, descriptor: int, size: int) -> None:
        offset = 0
        while offset < size:
            try:
                data = os.lseek(descriptor, offset, os.SEEK_DATA)
            except OSError as error:
                assert error.errno == errno.ENXIO, error
                data = size
            assert offset <= data <= size, (offset, data, size)
            assert not any(os.pread(descriptor, data - offset, offset)), ("a hole", offset, data)
            if data == size:
                break
            offset = os.lseek(descriptor, data, os.SEEK_HOLE)
            assert data < offset <= size, (data, offset, size)

    def seek_beyond(self, slot: int, whence: int) -> int:
        descriptor = self.file_handle(slot)
        return os.lseek(descriptor, os.fstat(descriptor).st_size, whence)

    # Names.

    def mkdir(self, path: str, mode: int) -> None:
        os.mkdir(self.at(path), mode)

    def rmdir(self, path: str) -> None:
        os.rmdir(self.at(path))

    def unlink(self, path: str) -> None:
        os.unlink(self.at(path))

    def rename(self, path: str, to: str, flags: int) -> None:
        source, target = os.fsencode(self.at(path)), os.fsencode(self.at(to))
        check(LIBC.renameat2(AT_FDCWD, source, AT_FDCWD, target, flags))

    def symlink(self, target: str, path: str) -> None:
        os.symlink(target, self.at(path))

    def link(self, path: str, to: str) -> None:
        os.link(self.at(path), self.at(to), follow_symlinks=False)

    def list(self, path: str) -> list[str]:
        return sorted(os.listdir(self.at(path)))

    def fsync_directory(self, path: str) -> None:
        descriptor = os.open(self.at(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def statfs(self, path: str) -> int:
        facts = os.statvfs(self.at(path))
        assert facts.f_blocks > 0 and 0 < facts.f_bavail <= facts.f_blocks, facts
        return facts.f_namemax

    # Attributes.

    def chmod(self, path: str, mode: int) -> None:
        os.chmod(self.at(path), mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        os.chown(self.at(path), uid, gid, follow_symlinks=False)

    def utimens(self, path: str, time: int) -> None:
        os.utime(self.at(path), ns=(time, time), follow_symlinks=False)

    def set_attribute(self, path: str, name: str, size: int, seed: int, flags: int) -> None:
        os.setxattr(self.at(path), name, sample(size, seed), flags, follow_symlinks=False)

    def remove_attribute(self, path: str, name: str) -> None:
        os.removexattr(self.at(path), name, follow_symlinks=False)

    # Whole files, as programs handle them.

    def truncate(self, path: str, size: int) -> None:
        os.truncate(self.at(path), size)

    def save(self, path: str, size: int, seed: int) -> None:
        """A file written in one go, over what was there."""
        with open(self.at(path), "wb") as file:
            file.write(sample(size, seed))

    def replace(self, path: str, size: int, seed: int) -> None:
        """A file written beside the old one, synced, and renamed over it, as editors do."""
        beside = self.at(path) + "~"
        with open(beside, "wb") as file:
            file.write(sample(size, seed))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.rename(beside, self.at(path))
        except OSError:
            os.unlink(beside)
            raise

    def copy(self, path: str, to: str, keeps_times: bool) -> None:
        (shutil.copy2 if keeps_times else shutil.copyfile)(self.at(path), self.at(to))

    # Directories that are read while they change.

    def scan(self, path: str, slot: int) -> None:
        descriptor = os.open(self.at(path), os.O_RDONLY | os.O_DIRECTORY)
        if slot in self.scans:
            self.scan_end(slot)
        names = set(os.listdir(descriptor))
        self.scans[slot] = Scan(
            descriptor, os.scandir(self.at(path)), ever=set(names), always=set(names)
        )

    def scan_some(self, slot: int, count: int) -> None:
        if slot in self.scans:
            self.scans[slot].take(count)

    def scan_end(self, slot: int) -> None:
        scan = self.scans.pop(slot, None)
        if scan is None:
            return
        scan.take(1 << 30)
        scan.entries.close()
        os.close(scan.descriptor)
        assert len(scan.seen) == len(set(scan.seen)), ("listed twice", scan.seen)
        assert scan.always <= set(scan.seen), ("not listed", scan.always - set(scan.seen))
        assert set(scan.seen) <= scan.ever, ("never there", set(scan.seen) - scan.ever)

    def note_changes_of_scans(self) -> None:
        """After each operation: what the directories being read hold now."""
        for scan in self.scans.values():
            try:
                names = set(os.listdir(scan.descriptor))
            except FileNotFoundError:
                names = set()
            scan.ever |= names
            scan.always &= names
