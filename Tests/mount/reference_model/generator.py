"""Makes up operations: mostly sensible ones, on what is there, and some that must be refused."""

from __future__ import annotations

import os
import random
import stat

from .side import (
    FALLOC_KEEP_SIZE,
    FALLOC_PUNCH_HOLE,
    FALLOC_ZERO_RANGE,
    RENAME_EXCHANGE,
    RENAME_NOREPLACE,
)

SLOTS = 6
SCANS = 2
ENTRIES_MAX = 90
SIZE_MAX = 4 << 20

NAMES = [
    *"abcdef",
    "config.json",
    "weights.safetensors",
    "checkpoint-1",
    "naïve – 模型.txt",
    ".hidden",
    "with space",
    "l" * 255,
]
# What does not belong at the Hub.
ODD_NAMES = [
    "saved.swp",
    "__pycache__",
    # Accepted here, though the Hub could not store them.
    ".git",
    "back\\slash",
    "new\nline",
    os.fsdecode(b"\xff\xfe.bin"),
]
TOO_LONG = "l" * 256
ATTRIBUTES = ["user.a", "user.note", "user.ü"]
# Lines that a .hubfsignore can have.
IGNORED = ["config.json", "c/", "*.bin", "/d", "l*"]
# Boundaries of pages, of the cache's blocks, of readahead and of the largest request.
EDGES = [4096, 65536, 131072, 1 << 20]

# How often each operation comes, relative to the others.
WEIGHTS = {
    "open": 14, "close": 5, "pread": 8, "pwrite": 22, "write": 8, "ftruncate": 6, "fallocate": 8,
    "fsync": 2, "fdatasync": 2, "fchmod": 1, "futimens": 2, "map_write": 5, "copy_range": 6,
    "find_holes": 3, "seek_beyond": 1,
    "mkdir": 6, "rmdir": 4, "unlink": 8, "rename": 16, "symlink": 3, "link": 1, "list": 3,
    "fsync_directory": 1, "statfs": 1,
    "chmod": 3, "chown": 1, "utimens": 4, "set_attribute": 3, "remove_attribute": 2,
    "truncate": 4, "save": 8, "replace": 4, "copy": 5,
    "scan": 2, "scan_some": 3, "scan_end": 2,
    "remount": 0.7, "kill": 0.7,
    "commit": 1.5, "commit_beside": 0.7, "kill_commit": 0.5, "foreign": 1.5, "pull": 0.6,
    "discard": 0.9, "ignore": 0.5,
}  # fmt: skip

# Those that have to do with the Hub.
PUBLISHING = frozenset(
    {"commit", "commit_beside", "kill_commit", "foreign", "pull", "discard", "ignore"}
)

NEED_HANDLE = {
    "close", "pread", "pwrite", "write", "ftruncate", "fallocate", "fsync", "fdatasync", "fchmod",
    "futimens", "map_write", "copy_range", "find_holes", "seek_beyond",
}  # fmt: skip


class Generator:
    """Operations that follow from a seed and from the tree as it is when each is asked for."""

    def __init__(self, seed: int, *, without: frozenset[str] = frozenset()):
        self.random = random.Random(seed)
        self.kinds = [kind for kind in WEIGHTS if kind not in without]
        self.weights = [WEIGHTS[kind] for kind in self.kinds]
        self.files: list[str] = []
        self.directories: list[str] = ["."]
        self.others: list[str] = []
        self.slots: list[int] = []

    def next(self, root: str, slots: list[int]) -> dict:
        """The next operation.

        - root: the plain folder
        - slots: handles that are open
        """
        self.look_around(root)
        self.slots = slots
        (kind,) = self.random.choices(self.kinds, self.weights)
        if kind in NEED_HANDLE and not slots:
            kind = "open"
        if len(self.files) + len(self.directories) > ENTRIES_MAX:
            kind = self.random.choice(["unlink", "rmdir", kind])
        return {"op": kind, **getattr(self, "make_" + kind, self.make_nothing)()}

    def look_around(self, root: str) -> None:
        self.files, self.directories, self.others = [], ["."], []
        for folder, folders, names in os.walk(root):
            for name in folders + names:
                path = os.path.join(folder, name)
                kind = stat.S_IFMT(os.lstat(path).st_mode)
                here = os.path.relpath(path, root)
                if kind == stat.S_IFREG:
                    self.files.append(here)
                else:
                    (self.directories if kind == stat.S_IFDIR else self.others).append(here)
        # The Hub writes into the one by itself, and the other decides about the rest.
        kept = (".gitattributes", ".hubfsignore")
        self.files = [path for path in self.files if path not in kept]
        # os.walk is in the order of the disk, which is not the same in every run.
        for paths in (self.files, self.directories, self.others):
            paths.sort()

    # What operations are about.

    def any_path(self) -> str:
        return self.random.choice(self.files + self.directories[1:] + self.others + ["absent"])

    def file(self) -> str:
        if self.files and self.random.random() < 0.93:
            return self.random.choice(self.files)
        return self.any_path()

    def directory(self) -> str:
        if self.random.random() < 0.95:
            return self.random.choice(self.directories)
        return self.any_path()

    def new_path(self) -> str:
        """A name in some directory; it may be taken."""
        dice = self.random.random()
        name = self.random.choice(ODD_NAMES if dice < 0.12 else NAMES) if dice > 0.01 else TOO_LONG
        return os.path.normpath(os.path.join(self.directory(), name))

    def slot(self) -> int:
        if self.slots and self.random.random() < 0.97:
            return self.random.choice(self.slots)
        return self.random.randrange(SLOTS)

    def size(self) -> int:
        """Bytes of one write: small, around an edge, or large."""
        dice = self.random.random()
        if dice < 0.5:
            return self.random.randrange(1, 5000)
        if dice < 0.85:
            return self.random.choice(EDGES) + self.random.randrange(-3, 4)
        return self.random.randrange(1, 400_000)

    def offset(self) -> int:
        dice = self.random.random()
        if dice < 0.15:
            return 0
        if dice < 0.5:
            return self.random.randrange(20_000)
        if dice < 0.8:
            edge = self.random.choice(EDGES) * self.random.randrange(1, 3)
            return edge + self.random.randrange(-5, 6)
        return self.random.randrange(SIZE_MAX)

    def seed(self) -> int:
        return self.random.randrange(1 << 32)

    def mode(self) -> int:
        return self.random.choice([0o644, 0o600, 0o755, 0o700, 0o777, 0o640, 0o1777, 0o000])

    def time(self) -> int:
        """Nanoseconds since 1970: past, before 1970, or far in the future."""
        return self.random.choice(
            [
                self.random.randrange(10**18, 15 * 10**17),
                -self.random.randrange(10**17),
                self.random.randrange(4 * 10**18, 7 * 10**18),
                0,
            ]
        )

    # The operations.

    def make_nothing(self) -> dict:
        return {}

    def make_open(self) -> dict:
        flags = self.random.choice([os.O_RDWR] * 9 + [os.O_WRONLY] * 2 + [os.O_RDONLY] * 2)
        for flag, chance in ((os.O_CREAT, 0.5), (os.O_TRUNC, 0.12), (os.O_APPEND, 0.15),
                             (os.O_EXCL, 0.06), (os.O_NOFOLLOW, 0.05)):  # fmt: skip
            if self.random.random() < chance:
                flags |= flag
        # O_EXCL alone means nothing.
        if not flags & os.O_CREAT:
            flags &= ~os.O_EXCL
        creates = flags & os.O_CREAT and self.random.random() < 0.5
        path = self.new_path() if creates else self.file()
        slot = self.random.randrange(SLOTS)
        return {"path": path, "flags": flags, "mode": self.mode() | 0o600, "slot": slot}

    def make_close(self) -> dict:
        return {"slot": self.slot()}

    make_fsync = make_fdatasync = make_find_holes = make_close

    def make_pread(self) -> dict:
        return {"slot": self.slot(), "offset": self.offset(), "size": self.size()}

    def make_pwrite(self) -> dict:
        return {**self.make_pread(), "seed": self.seed()}

    make_map_write = make_pwrite

    def make_write(self) -> dict:
        return {"slot": self.slot(), "size": self.size(), "seed": self.seed()}

    def make_ftruncate(self) -> dict:
        return {"slot": self.slot(), "size": self.offset()}

    def make_fallocate(self) -> dict:
        mode = self.random.choice(
            [
                0,
                FALLOC_KEEP_SIZE,
                FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE,
                FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE,
                FALLOC_ZERO_RANGE,
                FALLOC_ZERO_RANGE | FALLOC_KEEP_SIZE,
            ]
        )
        return {"slot": self.slot(), "mode": mode, "offset": self.offset(), "size": self.size()}

    def make_fchmod(self) -> dict:
        return {"slot": self.slot(), "mode": self.mode()}

    def make_futimens(self) -> dict:
        return {"slot": self.slot(), "time": self.time()}

    def make_copy_range(self) -> dict:
        wholly = self.random.random() < 0.4
        return {
            "source": self.slot(),
            "source_offset": 0 if wholly else self.offset(),
            "target": self.slot(),
            "target_offset": 0 if wholly else self.offset(),
            "size": SIZE_MAX if wholly else self.size(),
        }

    def make_seek_beyond(self) -> dict:
        return {
            "slot": self.slot(),
            "whence": self.random.choice([os.SEEK_DATA, os.SEEK_HOLE]),
        }

    def make_mkdir(self) -> dict:
        return {"path": self.new_path(), "mode": self.random.choice([0o755, 0o700, 0o777])}

    def make_rmdir(self) -> dict:
        return {"path": self.directory()}

    def make_unlink(self) -> dict:
        links = self.others and self.random.random() < 0.2
        return {"path": self.random.choice(self.others) if links else self.file()}

    def make_rename(self) -> dict:
        what = self.random.random()
        path = self.file() if what < 0.55 else self.directory() if what < 0.9 else self.any_path()
        to = self.new_path() if self.random.random() < 0.6 else self.any_path()
        if self.random.random() < 0.03:
            to = os.path.normpath(os.path.join(path, "inside"))
        (flags,) = self.random.choices([0, RENAME_NOREPLACE, RENAME_EXCHANGE], [7, 1, 2])
        if flags == RENAME_EXCHANGE and self.random.random() < 0.8:
            to = self.any_path()
        return {"path": path, "to": to, "flags": flags}

    def make_symlink(self) -> dict:
        # Never upwards: a target must not lead out of either folder.
        target = self.random.choice(NAMES + ["a/b", "absent", "c/config.json"])
        return {"target": target, "path": self.new_path()}

    def make_link(self) -> dict:
        return {"path": self.file(), "to": self.new_path()}

    def make_list(self) -> dict:
        return {"path": self.directory()}

    make_fsync_directory = make_statfs = make_list

    def make_chmod(self) -> dict:
        return {"path": self.any_path(), "mode": self.mode()}

    def make_chown(self) -> dict:
        return {
            "path": self.any_path(),
            "uid": self.random.choice([-1, os.getuid()]),
            "gid": self.random.choice([-1, os.getgid()]),
        }

    def make_utimens(self) -> dict:
        path = "." if self.random.random() < 0.05 else self.any_path()
        return {"path": path, "time": self.time()}

    def make_set_attribute(self) -> dict:
        return {
            "path": self.any_path(),
            "name": self.random.choice(ATTRIBUTES),
            "size": self.random.choice([0, 1, 20, 300]),
            "seed": self.seed(),
            "flags": self.random.choice([0, 0, os.XATTR_CREATE, os.XATTR_REPLACE]),
        }

    def make_remove_attribute(self) -> dict:
        return {"path": self.any_path(), "name": self.random.choice(ATTRIBUTES)}

    def make_truncate(self) -> dict:
        return {"path": self.file(), "size": self.offset()}

    def make_save(self) -> dict:
        path = self.new_path() if self.random.random() < 0.6 else self.file()
        return {"path": path, "size": self.size(), "seed": self.seed()}

    def make_replace(self) -> dict:
        return {"path": self.file(), "size": self.size(), "seed": self.seed()}

    def make_copy(self) -> dict:
        return {
            "path": self.file(),
            "to": self.new_path(),
            "keeps_times": self.random.random() < 0.5,
        }

    def make_scan(self) -> dict:
        return {"path": self.directory(), "slot": self.random.randrange(SCANS)}

    def make_scan_some(self) -> dict:
        return {"slot": self.random.randrange(SCANS), "count": self.random.randrange(1, 4)}

    def make_scan_end(self) -> dict:
        return {"slot": self.random.randrange(SCANS)}

    # What has to do with the Hub.

    def make_remount(self) -> dict:
        moments = ["manual"] * 4 + ["unmount", "close", "interval:1"]
        return {} if "commit" not in self.kinds else {"moment": self.random.choice(moments)}

    def make_commit(self) -> dict:
        return {"answer": self.random.choice(["ours", "discard", "keep"])}

    def make_kill_commit(self) -> dict:
        return {"seconds": round(self.random.random() * 0.4, 3)}

    def make_foreign(self) -> dict:
        return {"seed": self.seed()}

    def make_ignore(self) -> dict:
        return {"lines": self.random.sample(IGNORED, self.random.randrange(4))}

    def make_discard(self) -> dict:
        return {"seed": self.seed()}
