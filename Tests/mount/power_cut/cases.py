"""Cases with a name: each plays on a fresh round."""

from __future__ import annotations

import os
from pathlib import Path

from .round import Round
from .script import sync_directory

NAMES = [
    "a_rename_over_a_file_leaves_all_of_the_new_one",
    "a_file_that_was_synced_without_bytes_keeps_later_ones",
    "what_fell_back_is_named_in_the_log",
    "an_ordinary_unmount_puts_everything_on_disk",
]
OLD, NEW = b"old bytes\n" * 1000, b"new bytes\n" * 1000


def a_rename_over_a_file_leaves_all_of_the_new_one(round: Round) -> None:
    """Also where bytes were written over since they were last synced."""
    round.begin()
    for number in range(12):
        draft, target = (round.mount.path / f"{name}-{number}" for name in ("draft", "target"))
        write(target, b"what was there", os.O_CREAT)
        write(draft, OLD, os.O_CREAT, syncs=True)
        write(draft, NEW)
        draft.rename(target)
    sync_directory(str(round.mount.path))
    recover(round)
    for number in range(12):
        assert (round.mount.path / f"target-{number}").read_bytes() == NEW
    round.end()


def a_file_that_was_synced_without_bytes_keeps_later_ones(round: Round) -> None:
    round.begin()
    paths = [round.mount.path / f"grown-{number}" for number in range(12)]
    for path in paths:
        write(path, b"", os.O_CREAT)
        os.truncate(path, 100)
        write(path, b"", syncs=True)
    for path in paths:
        write(path, NEW, syncs=True)
    recover(round)
    assert all(path.read_bytes() == NEW for path in paths)
    round.end()


def what_fell_back_is_named_in_the_log(round: Round) -> None:
    round.begin()
    write(round.mount.path / "synced", NEW, os.O_CREAT, syncs=True)
    write(round.mount.path / "not synced", NEW, os.O_CREAT)
    sync_directory(str(round.mount.path))
    recover(round)
    assert (round.mount.path / "synced").read_bytes() == NEW
    assert (round.mount.path / "not synced").read_bytes() == b""
    assert "1 files are as of their last fsync: not synced\n" in round.mount.log()
    round.end()


def an_ordinary_unmount_puts_everything_on_disk(round: Round) -> None:
    round.begin()
    write(round.mount.path / "not synced", NEW, os.O_CREAT)
    assert round.mount.unmount() == 0
    round.machine.cut()
    round.machine.boot(round.seed)
    round.mount_it()
    assert (round.mount.path / "not synced").read_bytes() == NEW
    assert "as of their last fsync" not in round.mount.log()
    round.end()


def commit(round: Round, changes: int) -> list[bool]:
    """Cuts a commit off that has every kind of change. Returns [True] if it was whole before."""
    round.begin()
    root = round.mount.path
    write(root / "new.bin", OLD, os.O_CREAT, syncs=True)
    write(root / "draft", OLD, os.O_CREAT)
    (root / "draft").rename(root / "notes.txt")
    (root / "docs/data.txt").unlink()
    (root / "docs").rename(root / "papers")
    sync_directory(str(root))
    round.allowed.take(root)
    for path in ["config.json", "weights.safetensors", "new.bin", "notes.txt"]:
        write(root / path, NEW)
        round.allowed.file(path).write(0, NEW)
    round.arm(changes)
    if is_whole := round.commit():
        round.log.append("(the commit was whole)")
    round.die()
    round.come_back()
    round.end()
    return [is_whole] if is_whole else []


def recover(round: Round) -> None:
    """Cuts the power and mounts again."""
    round.mount.kill()
    round.machine.cut()
    round.machine.boot(round.seed)
    round.mount_it()


def write(path: Path, data: bytes, flags: int = 0, *, syncs: bool = False) -> None:
    """Writes over the beginning of a file."""
    descriptor = os.open(path, os.O_WRONLY | flags, 0o644)
    try:
        os.pwrite(descriptor, data, 0)
        if syncs:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
