"""What of a folder belongs at the Hub, and what it differs from a commit in: the rules of
docs/SEMANTICS.md, told once more in another language."""

from __future__ import annotations

import fnmatch
import hashlib
import itertools
import os
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

# The SHA-256 of a file and its size.
Content = tuple[str, int]
# Which directory of the base shows through one of the plain folder's: noted on the directory, so that
# renames take it along. Comparisons leave names of this kind out.
ORIGIN = "user.hubfs.origin"

IGNORED_FOLDERS = (".git", "__pycache__", ".ipynb_checkpoints")
# Our own versions that gave way to others'.
ASIDE = ".hubfs-ours"
ASIDE_NAMES = (f"*{ASIDE}", f"*{ASIDE}-[0-9]*")
IGNORE_FILE = ".hubfsignore"
IGNORED_NAMES = ("*.swp", "*.swx", ".#*", ".DS_Store", ".nfs*", ".fuse_hidden*")
# Characters; the Hub takes no longer path.
PATH_MAX = 1000


def is_storable(name: str) -> bool:
    """Whether git and the Hub can have a file of this name."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    has_control = any(ord(character) < 0x20 or ord(character) == 0x7F for character in name)
    return not has_control and "\\" not in name and name.lower() != ".git"


def lines_of_ignore_file(root: str) -> list[str]:
    try:
        with open(os.path.join(root, IGNORE_FILE)) as file:
            return file.read().splitlines()
    except OSError:
        return []


def is_ignored(path: str, *, is_directory: bool, lines: Iterable[str] = ()) -> bool:
    """Of the patterns of a `.hubfsignore`, those that `lines` can have: no "!", no "**"."""
    name = os.path.basename(path)
    if is_directory and (name in IGNORED_FOLDERS or path == ".cache/huggingface"):
        return True
    for line in lines:
        if line.endswith("/") and not is_directory:
            continue
        pattern = line.rstrip("/")
        where = path if pattern.startswith("/") else name
        if fnmatch.fnmatchcase(where, pattern.lstrip("/")) and ("/" not in where):
            return True
    return is_aside(name) or any(fnmatch.fnmatchcase(name, pattern) for pattern in IGNORED_NAMES)


def is_aside(path: str) -> bool:
    return any(
        fnmatch.fnmatchcase(name, pattern) for name in path.split("/") for pattern in ASIDE_NAMES
    )


def aside_of(path: str, is_taken: Callable[[str], bool]) -> str:
    """The name beside a path under which our version stays."""
    folder, name = os.path.split(path)
    for count in itertools.count(1):
        ending = (ASIDE if count == 1 else f"{ASIDE}-{count}").encode()
        stem = os.fsencode(name)[: 255 - len(ending)]
        while stem != os.fsencode(name) and not is_storable(os.fsdecode(stem)):
            stem = stem[:-1]
        found = os.path.join(folder, os.fsdecode(stem + ending))
        if not is_taken(found):
            return found
    raise AssertionError("there are no more numbers")


def parents(path: str) -> Iterable[str]:
    """The directories above a path, the nearest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def directories(paths: Iterable[str]) -> set[str]:
    """The directories that files need."""
    return {parent for path in paths for parent in parents(path)}


def difference(old: dict[str, Content], new: dict[str, Content]) -> dict[str, Content | None]:
    """What is at each path that differs; None where nothing is any more."""
    return {
        path: new.get(path) for path in old.keys() | new.keys() if old.get(path) != new.get(path)
    }


class Hashes:
    """Contents of a folder's files, read again only when a file has changed."""

    def __init__(self):
        self.known: dict[str, tuple[tuple, Content]] = {}

    def of(self, path: str, status: os.stat_result) -> Content:
        # The time of change alone is not enough: ext4's clock ticks slowly.
        mark = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        known = self.known.get(path)
        if known and known[0] == mark and status.st_ctime_ns < time.time_ns() - 50_000_000:
            return known[1]
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self.known[path] = (mark, (digest, status.st_size))
        return self.known[path][1]


@dataclass
class Shared:
    """A folder, divided: what the Hub gets, and what stays."""

    published: dict[str, Content] = field(default_factory=dict)
    # By path: how `hubfs status` groups it.
    local_only: dict[str, str] = field(default_factory=dict)

    @property
    def is_refused(self) -> bool:
        return "unpublishable" in self.local_only.values()


class Divider:
    """Divides the plain folder as it is now."""

    def __init__(self, root: str, hashes: Hashes):
        self.root = root
        self.hashes = hashes

    def divide(self, base: dict[str, Content]) -> Shared:
        self.base = base
        self.shared = Shared()
        self.lines = lines_of_ignore_file(self.root)
        self.visit("", "")
        return self.shared

    def visit(self, folder: str, origin: str | None) -> bool:
        """Returns whether anything in a directory is at the Hub, or will be."""
        is_kept = False
        for name in sorted(os.listdir(os.path.join(self.root, folder))):
            path = os.path.join(folder, name)
            status = os.lstat(os.path.join(self.root, path))
            if self.visit_entry(path, status, is_in_place=origin == folder):
                is_kept = True
        return is_kept

    def visit_entry(self, path: str, status: os.stat_result, *, is_in_place: bool) -> bool:
        is_directory = stat.S_ISDIR(status.st_mode)
        origin = origin_of(self.root, path) if is_directory else None
        ignored = is_ignored(path, is_directory=is_directory, lines=self.lines)
        ignored = ignored or self.is_below_ignored(path)
        group = "localOnly" if is_aside(path) else "ignored"
        if not is_storable(os.path.basename(path)) or len(path) > PATH_MAX:
            self.shared.local_only[path] = group if ignored else "unpublishable"
            return False
        if stat.S_ISLNK(status.st_mode):
            self.shared.local_only[path] = "localOnly"
            return False
        is_tracked = origin == path if is_directory else is_in_place and path in self.base
        if not is_tracked and ignored:
            self.shared.local_only[path] = group
            return False
        if not is_directory:
            self.shared.published[path] = self.hashes.of(os.path.join(self.root, path), status)
            return True
        if self.visit(path, origin):
            return True
        self.shared.local_only[path] = "localOnly"
        return False

    def is_below_ignored(self, path: str) -> bool:
        return any(
            is_ignored(parent, is_directory=True, lines=self.lines) for parent in parents(path)
        )


def origin_of(root: str, path: str) -> str | None:
    """The base's directory that shows through one of the plain folder's."""
    try:
        return os.fsdecode(os.getxattr(os.path.join(root, path), ORIGIN))
    except OSError:
        return None


def note_origins(root: str, base: dict[str, Content], shared: Shared) -> None:
    """After the base has moved: directories that it has are its own, the rest are not; what is kept
    from the Hub goes on showing what it showed."""
    there = directories(base)
    stays = {path for path, group in shared.local_only.items() if group != "localOnly"}
    for folder, _, _ in os.walk(root):
        path = os.path.relpath(folder, root)
        if path == "." or path in stays or any(parent in stays for parent in parents(path)):
            continue
        if path in there:
            os.setxattr(folder, ORIGIN, os.fsencode(path))
        elif origin_of(root, path) is not None:
            os.removexattr(folder, ORIGIN)


class Disputed:
    """Paths at which both sides did something else.

    - ours, theirs: what both changed since the base
    - root: the plain folder, which has our side
    """

    def __init__(
        self, ours: dict[str, Content | None], theirs: dict[str, Content | None],
        base: dict[str, Content], root: str,
    ):  # fmt: skip
        self.paths: set[str] = set()
        # Where one side has a file and the other needs a folder.
        self.clashes: set[str] = set()
        # Files of theirs in folders that are gone here.
        self.orphans: set[str] = set()
        puts = {path for path, content in ours.items() if content}
        folders = directories(base)
        for path, content in theirs.items():
            if path in ours and ours[path] == content:
                continue
            if path in ours:
                self.paths.add(path)
            if content is None:
                continue
            gone = [
                parent
                for parent in parents(path)
                if parent in folders and not os.path.isdir(os.path.join(root, parent))
            ]
            if gone and path not in ours:
                self.paths.add(gone[-1])
                self.orphans.add(path)
            self.clashes |= puts & set(parents(path))
            if any(path in parents(put) for put in puts):
                self.clashes.add(path)
