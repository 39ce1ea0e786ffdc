"""Operations in one directory, performed on both sides and compared at once."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from . import comparison
from .comparison import Different
from .side import Side

STEP_TIMEOUT_SECONDS = 60
# Source: linux/time.h.
CLOCK_REALTIME_COARSE = 5


class Lane:
    """A directory of the mount and its twin in the plain folder, touched by one thread."""

    def __init__(self, plain: Path, mounted: Path, log: Path):
        self.plain = Side(plain)
        self.mounted = Side(mounted)
        self.log = log.open("w")
        self.steps = 0
        # Times from here on are those of changes.
        self.since = 0
        # When the step that goes on now should have ended; the world's watchdog looks at it.
        self.deadline: float | None = None

    def step(self, operation: dict, perform: Callable[[dict], None] | None = None) -> None:
        """Performs one operation, or has it performed, with the clock running."""
        self.log.write(json.dumps(operation) + "\n")
        self.log.flush()
        self.steps += 1
        self.deadline = time.monotonic() + STEP_TIMEOUT_SECONDS
        try:
            (perform or self.perform)(operation)
        except (AssertionError, OSError, RuntimeError) as error:
            raise Different(f"step {self.steps}: {operation}: {error}") from error
        finally:
            self.deadline = None

    def perform(self, operation: dict) -> None:
        before = a_new_tick()
        expected = self.plain.do(operation)
        found = self.mounted.do(operation)
        if operation["op"] == "link":
            expected = self.undo_link(operation, expected)
        if expected != found:
            raise Different(f"a folder answers {brief(expected)}, the mount {brief(found)}")
        self.plain.note_changes_of_scans()
        self.mounted.note_changes_of_scans()
        for key in ("path", "to"):
            if key in operation:
                self.compare_touched(operation[key], before)
        for key in ("slot", "source", "target"):
            if operation.get(key) in self.plain.handles:
                self.compare_handle(operation[key])

    def undo_link(self, operation: dict, outcome: tuple) -> tuple:
        """A mount has no hard links: where a folder makes one, EPERM is expected."""
        if outcome != ("ok", None):
            return outcome
        target = self.plain.at(operation["to"])
        shown = os.lstat(self.mounted.at(os.path.dirname(operation["to"])))
        os.unlink(target)
        os.utime(os.path.dirname(target), ns=(shown.st_mtime_ns, shown.st_mtime_ns))
        return "error", "EPERM"

    # Comparing.

    def compare_touched(self, path: str, before: int) -> None:
        """A path an operation named, and the directory it is in, which may have a new time."""
        for name in (path, os.path.dirname(path)):
            plain, mounted = self.plain.at(name), self.mounted.at(name)
            comparison.compare_path(plain, mounted, name, self.since, direct=self.steps % 2 == 0)
            expected, found = (changed_since(path, before) for path in (plain, mounted))
            if expected != found:
                raise Different(f"{name!r} has a new mtime: expected {expected}, found {found}")

    def compare_handle(self, slot: int) -> None:
        plain, mounted = (os.fstat(side.handles[slot]) for side in (self.plain, self.mounted))
        if stat.S_ISDIR(plain.st_mode):
            return
        for field in ("st_size", "st_mode", "st_uid", "st_gid", "st_nlink"):
            if getattr(plain, field) != getattr(mounted, field):
                raise Different(f"handle {slot}: {field}: {plain} expected, {mounted} found")
        if comparison.time_of(plain, self.since) != comparison.time_of(mounted, self.since):
            raise Different(f"handle {slot}: st_mtime: {plain} expected, {mounted} found")
        try:
            expected = os.pread(self.plain.handles[slot], plain.st_size, 0)
        except OSError:
            return  # opened for writing only
        found = b""
        while piece := os.pread(self.mounted.handles[slot], 1 << 20, len(found)):
            found += piece
        comparison.compare_bytes(expected, found, f"handle {slot}")

    def compare_all(self) -> None:
        comparison.compare_trees(
            str(self.plain.root), str(self.mounted.root), self.since, direct=self.steps % 4 == 0
        )
        for slot in self.plain.handles:
            self.compare_handle(slot)

    def let_go(self) -> None:
        """Closes every handle on both sides."""
        self.plain.let_go()
        self.mounted.let_go()


def a_new_tick() -> int:
    """Waits until every file that is changed from now on gets a later time than those before.

    ext4 stamps files with the time of the last clock tick, hubfs with the exact time.
    """
    now = time.time_ns()
    while (tick := time.clock_gettime_ns(CLOCK_REALTIME_COARSE)) <= now:
        time.sleep(0.001)
    return tick


def changed_since(path: str, moment: int) -> bool | None:
    """Whether the mtime says that something changed; None for what cannot be seen."""
    try:
        return comparison.is_new(os.lstat(path), moment)
    except OSError:
        return None


def brief(outcome: tuple) -> str:
    text = repr(outcome)
    return text if len(text) < 200 else f"{text[:200]}… ({len(text)} characters)"
