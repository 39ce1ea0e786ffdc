"""What a mount may show after a power cut: docs/SEMANTICS.md and docs/JOURNAL.md as a model.

Names are as after some change since the last barrier, all of them together: the journal is one log.
A file's bytes are those of its last fsync that this log has. A byte that the fsync put on disk and
that was written over since may be either: it lies at the same place in the same staging file.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

# The Hub itself adds lines to this file when it takes a commit: nobody's edit.
ATTRIBUTES = ".gitattributes"


@dataclass(frozen=True)
class Version:
    """A file as a power cut leaves it."""

    data: bytes
    # 1 for each byte that is in the staging file, where later writes go too.
    staged: bytes
    # How many writes of the file there were before.
    writes: int


class File:
    """One file: as programs see it, and as of its last fsync."""

    def __init__(self, data: bytes = b"", staged: bytes | None = None):
        self.now = bytearray(data)
        self.staged = bytearray(len(data) if staged is None else staged)
        self.writes: list[tuple[int, bytes]] = []
        self.synced = self.version()

    def version(self) -> Version:
        return Version(bytes(self.now), bytes(self.staged), len(self.writes))

    def resize(self, size: int) -> None:
        for content in (self.now, self.staged):
            del content[size:]
            content.extend(bytes(size - len(content)))

    def write(self, offset: int, data: bytes) -> None:
        end = offset + len(data)
        if len(self.now) < end:
            self.resize(end)
        self.now[offset:end] = data
        self.staged[offset:end] = b"\1" * len(data)
        self.writes.append((offset, data))

    def zero(self, offset: int, size: int) -> None:
        end = min(offset + size, len(self.now))
        for content in (self.now, self.staged):
            content[offset:end] = bytes(max(0, end - offset))

    def sync(self) -> None:
        self.synced = self.version()

    def difference(self, version: Version, found: bytes) -> str | None:
        """Why these bytes are not what a cut leaves of a version; None: they are."""
        if len(found) != len(version.data):
            return f"{len(found)} bytes instead of {len(version.data)}"
        if found == version.data:
            return None
        for at, (byte, expected) in enumerate(zip(found, version.data)):
            if byte == expected:
                continue
            later = {
                data[at - offset]
                for offset, data in self.writes[version.writes :]
                if offset <= at < offset + len(data)
            }
            if not version.staged[at] or byte not in later:
                return f"byte {at} is {byte} instead of {expected}, written later: {later}"
        return None


@dataclass(frozen=True)
class Entry:
    """An object at a path."""

    kind: int
    mode: int = 0
    target: str = ""
    file: File | None = None
    version: Version | None = None


Names = dict[str, Entry]


@dataclass
class Allowed:
    """The tree that programs see, and every one a power cut may leave."""

    names: Names = field(default_factory=dict)
    points: list[Names] = field(default_factory=list)

    def take(self, root: Path) -> None:
        """Takes a tree that is wholly on disk as a mount shows it, staged or not."""
        self.names = {}
        for path, (entry, data) in look(root).items():
            if data is not None:
                entry = replace(entry, file=File(data, b"\1" * len(data)))
            self.names[path] = entry
        self.barrier()

    def file(self, path: str) -> File:
        return self.names[path].file

    # What an operation does to what is allowed.

    def note(self) -> None:
        """A change of names, or of what is synced, has reached the journal."""
        self.points.append(self.snapshot())

    def barrier(self) -> None:
        """Everything that was noted is on disk."""
        self.points = [self.snapshot()]

    def snapshot(self) -> Names:
        return {
            path: replace(entry, version=entry.file.synced) if entry.file else entry
            for path, entry in self.names.items()
        }

    def sync_all(self) -> None:
        for entry in self.names.values():
            if entry.file:
                entry.file.sync()

    def move(self, old: str, new: str) -> None:
        """rename(2), over what is there."""
        replaced = self.names.pop(new, None)
        if replaced and self.names[old].file:
            self.names[old].file.sync()
        self.names = {
            new + path[len(old) :] if path == old or path.startswith(old + "/") else path: entry
            for path, entry in self.names.items()
        }

    def exchange(self, first: str, second: str) -> None:
        def place(path: str) -> str:
            for old, new in ((first, second), (second, first)):
                if path == old or path.startswith(old + "/"):
                    return new + path[len(old) :]
            return path

        self.names = {place(path): entry for path, entry in self.names.items()}

    # What is found after a cut.

    def check(self, root: Path) -> list[str]:
        """The mount must show one of the allowed trees, and all of that is on disk now.

        Returns the files that do not show what programs saw last.
        """
        found = look(root)
        reasons = []
        for point in reversed(self.points):
            reason = self.differs(point, found)
            if reason is None:
                return self.settle(point, found)
            reasons.append(reason)
        raise AssertionError(
            f"none of {len(reasons)} allowed states; from the latest to the earliest: "
            + " | ".join(dict.fromkeys(reasons))
        )

    def settle(self, point: Names, found: dict) -> list[str]:
        stale = []
        self.names = {}
        for path, entry in point.items():
            data = found[path][1]
            if entry.file:
                if data != entry.file.now:
                    stale.append(path)
                # What is staged stays where it is.
                entry = replace(entry, file=File(data, entry.version.staged), version=None)
            self.names[path] = entry
        self.barrier()
        return stale

    def differs(self, point: Names, found: dict) -> str | None:
        if set(point) != set(found):
            missing, foreign = set(point) - set(found), set(found) - set(point)
            return f"missing {sorted(missing)}, foreign {sorted(foreign)}"
        for path, entry in point.items():
            shown, data = found[path]
            if (shown.kind, shown.mode, shown.target) != (entry.kind, entry.mode, entry.target):
                return f"{path!r} is {shown} instead of {entry}"
            if data is None:
                continue
            if reason := entry.file.difference(entry.version, data):
                return f"{path!r}: {reason}"
        return None


def look(root: Path) -> dict[str, tuple[Entry, bytes | None]]:
    """Everything below a directory but ATTRIBUTES; all of it can be read."""
    found = {}

    def visit(folder: str) -> None:
        for name in os.listdir(os.path.join(root, folder)):
            path = os.path.join(folder, name)
            if path == ATTRIBUTES:
                continue
            whole = os.path.join(root, path)
            status = os.lstat(whole)
            kind, mode, data, target = stat.S_IFMT(status.st_mode), status.st_mode, None, ""
            if kind == stat.S_IFLNK:
                target = os.readlink(whole)
            elif kind == stat.S_IFREG:
                data = Path(whole).read_bytes()
                assert len(data) == status.st_size, f"{path!r} is shorter than it says"
            found[path] = (Entry(kind, stat.S_IMODE(mode), target), data)
            if kind == stat.S_IFDIR:
                visit(path)

    visit("")
    return found
