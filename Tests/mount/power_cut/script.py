"""Random operations on a mount, each with what it means for the states a power cut may leave."""

from __future__ import annotations

import ctypes
import mmap
import os
import random
import stat
from collections.abc import Callable
from dataclasses import dataclass

from reference_model.side import (
    AT_FDCWD,
    FALLOC_KEEP_SIZE,
    FALLOC_PUNCH_HOLE,
    LIBC,
    RENAME_EXCHANGE,
    check,
)

from .allowed import Allowed, Entry, File

PAGE = 4096
HANDLES_MAX = 4
# All edited files are sealed one by one: syncfs, which many are sealed with, does not reach a FUSE
# file system.
ENTRIES_MAX = 40
# Of their own: what the Hub makes of a name that changes its kind is not the matter here.
FILE_NAMES = [*"abcdefgh", "config.json", "x.safetensors", "naïve – 模型.txt"]
DIRECTORY_NAMES = ["docs", "more", "checkpoint-1", "checkpoint-2", "naïve"]

# How often each operation comes, relative to the others.
WEIGHTS = {
    "create": 12, "write": 30, "truncate": 6, "empty": 3, "punch": 4, "store": 3,
    "fsync": 8, "fdatasync": 5, "msync": 4, "fsync_directory": 3,
    "rename": 8, "rename_over": 9, "exchange": 3, "unlink": 6, "mkdir": 4, "rmdir": 2,
    "symlink": 2, "chmod": 3, "open": 5, "close": 3,
}  # fmt: skip


@dataclass
class Step:
    """One operation: how it is done, and what it changes in the model."""

    text: str
    perform: Callable[[], object]
    effect: Callable[[], object] = lambda: None
    # Everything before is on disk afterwards.
    is_barrier: bool = False


class Script:
    """Operations on a mount at `root`, that follow from a seed and from the tree as it is."""

    def __init__(self, root: str, allowed: Allowed, chance: random.Random, log: list[str]):
        self.root = root
        self.allowed = allowed
        self.random = chance
        self.handles: list[tuple[int, File]] = []
        # What was done, for people.
        self.log = log

    def next(self) -> Step:
        while True:
            (kind,) = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))
            if len(self.allowed.names) > ENTRIES_MAX:
                kind = "unlink"
            if step := getattr(self, kind)():
                return step

    def run(self, step: Step, has_power: Callable[[], bool]) -> bool:
        """Performs a step. Returns whether it ended; if not, the power has gone meanwhile."""
        self.log.append(step.text)
        try:
            step.perform()
        except OSError:
            if has_power():
                raise
            # It may have happened, or not.
            step.effect()
            self.allowed.note()
            return False
        step.effect()
        if step.is_barrier:
            self.allowed.barrier()
        else:
            self.allowed.note()
        return True

    def let_go(self) -> None:
        for descriptor, _ in self.handles:
            try:
                os.close(descriptor)
            except OSError:
                pass
        self.handles.clear()

    # What operations are about.

    def at(self, path: str) -> str:
        return os.path.join(self.root, path)

    def paths(self, kind: int) -> list[str]:
        """In one order, so that a seed repeats a script."""
        return sorted(
            path for path, entry in self.allowed.names.items() if entry.kind == kind
        )

    def a_file(self) -> str | None:
        files = self.paths(stat.S_IFREG)
        return self.random.choice(files) if files else None

    def a_directory(self) -> str:
        return self.random.choice(["", *self.paths(stat.S_IFDIR)])

    def a_new_path(self, names: list[str] = FILE_NAMES) -> str | None:
        path = os.path.join(self.a_directory(), self.random.choice(names))
        return None if path in self.allowed.names else path

    def bytes(self) -> bytes:
        size = self.random.choice([1, 100, 3000, PAGE, 9000, 30_000])
        return self.random.randbytes(self.random.randrange(size) + 1)

    def target(self) -> tuple[str, Callable[[Callable[[int], object]], object], File] | None:
        """A file to edit: an open one, which may have lost its name, or one to be opened."""
        if self.handles and self.random.random() < 0.4:
            index = self.random.randrange(len(self.handles))
            descriptor, file = self.handles[index]
            return f"handle {index}", lambda use: use(descriptor), file
        path = self.a_file()
        if path is None:
            return None

        def opened(use: Callable[[int], object]) -> object:
            descriptor = os.open(self.at(path), os.O_RDWR)
            try:
                return use(descriptor)
            finally:
                os.close(descriptor)

        return repr(path), opened, self.allowed.file(path)

    # Bytes.

    def write(self) -> Step | None:
        if (target := self.target()) is None:
            return None
        name, use, file = target
        data = self.bytes()
        offset = self.random.choice(
            [0, len(file.now), self.random.randrange(len(file.now) + 1), PAGE]
        )
        return Step(
            f"write {name} @{offset} +{len(data)}",
            lambda: use(lambda descriptor: os.pwrite(descriptor, data, offset)),
            lambda: file.write(offset, data),
        )

    def truncate(self) -> Step | None:
        if (target := self.target()) is None:
            return None
        name, use, file = target
        size = self.random.randrange(len(file.now) * 3 // 2 + 100)
        return Step(
            f"truncate {name} {size}",
            lambda: use(lambda descriptor: os.ftruncate(descriptor, size)),
            lambda: file.resize(size),
        )

    def empty(self) -> Step | None:
        if (path := self.a_file()) is None:
            return None
        file = self.allowed.file(path)
        return Step(
            f"open {path!r} O_TRUNC",
            lambda: os.close(os.open(self.at(path), os.O_WRONLY | os.O_TRUNC)),
            lambda: file.resize(0),
        )

    def punch(self) -> Step | None:
        if (target := self.target()) is None or not target[2].now:
            return None
        name, use, file = target
        offset = self.random.randrange(len(file.now))
        size = self.random.randrange(1, 3 * PAGE)
        return Step(
            f"punch {name} @{offset} +{size}",
            lambda: use(lambda descriptor: punch(descriptor, offset, size)),
            lambda: file.zero(offset, size),
        )

    def store(self, *, syncs: bool = False) -> Step | None:
        """A store to a mapping, which is unmapped then."""
        if (path := self.a_file()) is None or not self.allowed.file(path).now:
            return None
        file = self.allowed.file(path)
        offset = self.random.randrange(len(file.now))
        data = self.bytes()[: len(file.now) - offset]

        def effect() -> None:
            # The kernel writes whole pages.
            start = offset // PAGE * PAGE
            end = min(-(-(offset + len(data)) // PAGE) * PAGE, len(file.now))
            new = bytearray(file.now[start:end])
            new[offset - start : offset - start + len(data)] = data
            file.write(start, bytes(new))
            if syncs:
                file.sync()

        return Step(
            f"{'store and msync' if syncs else 'store'} {path!r} @{offset} +{len(data)}",
            lambda: store(self.at(path), offset, data, syncs),
            effect,
            is_barrier=syncs,
        )

    # What puts something on disk.

    def msync(self) -> Step | None:
        return self.store(syncs=True)

    def fsync(self, call: Callable[[int], None] = os.fsync) -> Step | None:
        if (target := self.target()) is None:
            return None
        name, use, file = target
        return Step(f"{call.__name__} {name}", lambda: use(call), file.sync, is_barrier=True)

    def fdatasync(self) -> Step | None:
        return self.fsync(os.fdatasync)

    def fsync_directory(self) -> Step:
        path = self.a_directory()
        return Step(
            f"fsync directory {path!r}", lambda: sync_directory(self.at(path)), is_barrier=True
        )

    # Names.

    def put(self, path: str, entry: Entry) -> None:
        self.allowed.names[path] = entry

    def create(self) -> Step | None:
        if (path := self.a_new_path()) is None:
            return None
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        return Step(
            f"create {path!r}",
            lambda: os.close(os.open(self.at(path), flags, 0o644)),
            lambda: self.put(path, Entry(stat.S_IFREG, 0o644, file=File())),
        )

    def mkdir(self) -> Step | None:
        if (path := self.a_new_path(DIRECTORY_NAMES)) is None:
            return None
        return Step(
            f"mkdir {path!r}",
            lambda: os.mkdir(self.at(path), 0o755),
            lambda: self.put(path, Entry(stat.S_IFDIR, 0o755)),
        )

    def symlink(self) -> Step | None:
        if (path := self.a_new_path()) is None:
            return None
        return Step(
            f"symlink {path!r}",
            lambda: os.symlink("somewhere", self.at(path)),
            lambda: self.put(path, Entry(stat.S_IFLNK, 0o777, "somewhere")),
        )

    def unlink(self) -> Step | None:
        files = self.paths(stat.S_IFREG) + self.paths(stat.S_IFLNK)
        if not files:
            return None
        path = self.random.choice(files)
        return Step(
            f"unlink {path!r}",
            lambda: os.unlink(self.at(path)),
            lambda: self.allowed.names.pop(path),
        )

    def rmdir(self) -> Step | None:
        empty = [
            path
            for path in self.paths(stat.S_IFDIR)
            if not any(other.startswith(path + "/") for other in self.allowed.names)
        ]
        if not empty:
            return None
        path = self.random.choice(empty)
        return Step(
            f"rmdir {path!r}",
            lambda: os.rmdir(self.at(path)),
            lambda: self.allowed.names.pop(path),
        )

    def rename(self) -> Step | None:
        directories = self.paths(stat.S_IFDIR)
        if directories and self.random.random() < 0.3:
            new, paths = self.a_new_path(DIRECTORY_NAMES), directories
        else:
            new, paths = self.a_new_path(), self.paths(stat.S_IFREG) + self.paths(stat.S_IFLNK)
        if new is None or not paths:
            return None
        old = self.random.choice(paths)
        if new.startswith(old + "/"):
            return None
        return self.moving(old, new)

    def rename_over(self) -> Step | None:
        files = self.paths(stat.S_IFREG)
        if len(files) < 2:
            return None
        return self.moving(*self.random.sample(files, 2))

    def moving(self, old: str, new: str) -> Step:
        return Step(
            f"rename {old!r} {new!r}",
            lambda: os.rename(self.at(old), self.at(new)),
            lambda: self.allowed.move(old, new),
        )

    def exchange(self) -> Step | None:
        paths = self.paths(self.random.choice([stat.S_IFREG, stat.S_IFREG, stat.S_IFDIR]))
        if len(paths) < 2:
            return None
        first, second = self.random.sample(paths, 2)
        if first.startswith(second + "/") or second.startswith(first + "/"):
            return None
        return Step(
            f"exchange {first!r} {second!r}",
            lambda: exchange(self.at(first), self.at(second)),
            lambda: self.allowed.exchange(first, second),
        )

    def chmod(self) -> Step | None:
        if (path := self.a_file()) is None:
            return None
        entry = self.allowed.names[path]
        mode = self.random.choice([0o600, 0o644, 0o755])
        return Step(
            f"chmod {path!r} {mode:o}",
            lambda: os.chmod(self.at(path), mode),
            lambda: self.put(path, Entry(entry.kind, mode, file=entry.file)),
        )

    # Handles.

    def open(self) -> Step | None:
        if (path := self.a_file()) is None or len(self.handles) == HANDLES_MAX:
            return None
        file = self.allowed.file(path)
        return Step(
            f"open {path!r} as handle {len(self.handles)}",
            lambda: self.handles.append((os.open(self.at(path), os.O_RDWR), file)),
        )

    def close(self) -> Step | None:
        if not self.handles:
            return None
        index = self.random.randrange(len(self.handles))
        return Step(
            f"close handle {index}", lambda: os.close(self.handles.pop(index)[0])
        )


def punch(descriptor: int, offset: int, size: int) -> None:
    mode = FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE
    check(LIBC.fallocate64(descriptor, mode, ctypes.c_int64(offset), ctypes.c_int64(size)))


def exchange(first: str, second: str) -> None:
    """Source: man 2 renameat2."""
    paths = (os.fsencode(first), os.fsencode(second))
    check(LIBC.renameat2(AT_FDCWD, paths[0], AT_FDCWD, paths[1], RENAME_EXCHANGE))


def sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def store(path: str, offset: int, data: bytes, syncs: bool) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        with mmap.mmap(descriptor, 0) as mapping:
            mapping[offset : offset + len(data)] = data
            if syncs:
                mapping.flush()
    finally:
        os.close(descriptor)
