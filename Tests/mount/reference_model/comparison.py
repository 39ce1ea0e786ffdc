"""What must be equal on both sides.

Not compared, since a mount is no ext4: sizes and link counts of directories, atime and ctime, block
counts, inode numbers (but see `check_inode_numbers`), and the hour of changes that nobody set a
time for: only that the time changed.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, replace


class Different(AssertionError):
    """The two sides are not equal."""


@dataclass(frozen=True)
class Look:
    """Everything of one object that both sides must agree on."""

    kind: str
    mode: int
    owner: tuple[int, int]
    time: int | str
    size: int = 0
    target: str = ""
    attributes: tuple = ()


def look(path: str, since: int) -> Look | str:
    """What is at a path; the errno's name if nothing can be seen there.

    Times from `since` on are "new": set by a change, not by utimensat.
    """
    try:
        status = os.lstat(path)
        found = Look(
            kind=oct(stat.S_IFMT(status.st_mode)),
            mode=stat.S_IMODE(status.st_mode),
            owner=(status.st_uid, status.st_gid),
            time=time_of(status, since),
            attributes=attributes(path),
        )
        if stat.S_ISLNK(status.st_mode):
            return replace(found, target=os.readlink(path), size=status.st_size)
        return replace(found, size=status.st_size) if stat.S_ISREG(status.st_mode) else found
    except OSError as error:
        return errno.errorcode[error.errno]


def time_of(status: os.stat_result, since: int) -> int | str:
    return "new" if is_new(status, since) else status.st_mtime_ns


def is_new(status: os.stat_result, since: int) -> bool:
    """Whether the mtime is that of a change: a time in the far future can only have been set."""
    return since <= status.st_mtime_ns < since + 10**9 * 86_400 * 365


def attributes(path: str) -> tuple:
    return tuple(
        (name, os.getxattr(path, name, follow_symlinks=False))
        for name in sorted(os.listxattr(path, follow_symlinks=False))
        if name.startswith("user.") and not name.startswith("user.hubfs.")
    )


def read(path: str, direct: bool) -> bytes:
    """A file's bytes: as the page cache has them, or past it, from whoever serves the file."""
    descriptor = os.open(path, os.O_RDONLY | (os.O_DIRECT if direct else 0))
    try:
        pieces = []
        offset = 0
        while piece := os.pread(descriptor, 1 << 20, offset):
            pieces.append(piece)
            offset += len(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def compare_path(plain: str, mount: str, name: str, since: int, *, direct: bool) -> None:
    """Compares one object, and its bytes if it is a file."""
    expected, found = look(plain, since), look(mount, since)
    if expected != found:
        raise Different(f"{name!r}: a folder has {expected}, the mount {found}")
    if isinstance(expected, Look) and int(expected.kind, 8) == stat.S_IFREG:
        compare_bytes(read(plain, False), read(mount, direct), f"{name!r}, direct={direct}")


def compare_bytes(expected: bytes, found: bytes, what: str) -> None:
    if expected == found:
        return
    offset = next(
        (at for at, pair in enumerate(zip(expected, found)) if pair[0] != pair[1]),
        min(len(expected), len(found)),
    )
    raise Different(
        f"{what}: bytes differ at {offset} ({len(expected)} bytes expected, {len(found)} found): "
        f"{expected[offset:offset + 16].hex()} expected, {found[offset:offset + 16].hex()} found"
    )


def names_below(root: str) -> list[str]:
    """Every path below a folder, parents before children."""
    found = []
    for folder, folders, files in os.walk(root):
        found += [os.path.relpath(os.path.join(folder, name), root) for name in folders + files]
    return sorted(found)


def compare_trees(plain: str, mount: str, since: int, *, direct: bool) -> None:
    """Compares everything."""
    expected, found = names_below(plain), names_below(mount)
    if expected != found:
        missing, foreign = set(expected) - set(found), set(found) - set(expected)
        raise Different(f"names: missing {sorted(missing)}, foreign {sorted(foreign)}")
    for name in [".", *expected]:
        compare_path(
            os.path.join(plain, name), os.path.join(mount, name), name, since, direct=direct
        )
    check_inode_numbers(mount)


def check_inode_numbers(root: str) -> None:
    """No two objects share a number, and listings have the numbers and kinds that stat has."""
    owners: dict[int, str] = {}
    for folder, _, _ in os.walk(root):
        with os.scandir(folder) as entries:
            for entry in entries:
                status = os.lstat(entry.path)
                if status.st_ino in owners:
                    raise Different(f"{entry.path} and {owners[status.st_ino]} share a number")
                owners[status.st_ino] = entry.path
                if entry.inode() != status.st_ino:
                    raise Different(f"{entry.path} is listed with another number than stat's")
                if entry.is_dir(follow_symlinks=False) != stat.S_ISDIR(status.st_mode):
                    raise Different(f"{entry.path} is listed as another kind than stat's")
