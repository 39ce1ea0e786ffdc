"""Both sides, step by step."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path

import mounting
from samples import noise, text

from . import comparison, journal
from .comparison import Different
from .generator import Generator
from .side import Side

# The repo that both sides begin with.
START = {
    "README.md": b"# A model\n",
    "config.json": text(3000, seed=71),
    "weights.safetensors": noise(3_000_000, seed=72),
    "empty": b"",
    "checkpoint-1/config.json": text(200, seed=73),
    "checkpoint-1/a/b/c.bin": noise(70_000, seed=74),
    "checkpoint-1/a/d.bin": noise(140_000, seed=75),
    "naïve – 模型.txt": "不\n".encode(),
    "d/e/f/only.txt": b"the only one\n",
}

COMPARE_ALL_EVERY = 60
STEP_TIMEOUT_SECONDS = 60
# Source: linux/time.h.
CLOCK_REALTIME_COARSE = 5


class World:
    """A mount with `-w` and a plain folder that are to stay equal."""

    def __init__(self, folder: Path, endpoint: str, repo: str, log: Path):
        folder.mkdir(parents=True)
        self.source = f"hf://{repo}"
        self.mount = mounting.Mount(folder, endpoint)
        self.plain_root = folder / "plain"
        self.plain = Side(self.plain_root)
        self.mounted = Side(self.mount.path)
        self.log = log.open("w")
        self.steps = 0
        self.since = 0
        self.deadline: float | None = None
        self.watchdog = threading.Thread(target=self.watch, daemon=True)
        self.isOver = threading.Event()

    @contextmanager
    def running(self):
        """Mounts, makes the plain folder, and cleans up at the end."""
        self.watchdog.start()
        try:
            self.mount.start(self.source, "-w")
            self.fill_plain_folder()
            yield self
        finally:
            self.isOver.set()
            self.let_go()
            self.mount.tear_down()
            self.log.close()

    def fill_plain_folder(self) -> None:
        # What the Hub itself adds to a repo with LFS files.
        added = {".gitattributes": (self.mount.path / ".gitattributes").read_bytes()}
        for name, data in {**START, **added}.items():
            path = self.plain_root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for name in [*comparison.names_below(str(self.plain_root)), "."]:
            shown = (self.mount.path / name).lstat()
            os.chmod(self.plain_root / name, shown.st_mode & 0o7777)
            os.utime(self.plain_root / name, ns=(shown.st_mtime_ns, shown.st_mtime_ns))
        self.since = a_new_tick()
        self.compare_all()

    # Steps.

    def play(self, operations: Iterable[dict]) -> None:
        """Performs operations until one shows a difference, which is raised."""
        for operation in operations:
            self.step(operation)
        self.finish()

    def generate(self, generator: Generator, steps: int) -> Iterable[dict]:
        for _ in range(steps):
            yield generator.next(str(self.plain_root), sorted(self.plain.handles))

    def step(self, operation: dict) -> None:
        self.log.write(json.dumps(operation) + "\n")
        self.log.flush()
        self.steps += 1
        self.deadline = time.monotonic() + STEP_TIMEOUT_SECONDS
        try:
            if operation["op"] in ("remount", "kill"):
                getattr(self, operation["op"])()
            else:
                self.perform(operation)
            if self.steps % COMPARE_ALL_EVERY == 0:
                self.compare_all()
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
        parent = os.path.dirname(target)
        shown = os.lstat(self.mounted.at(os.path.dirname(operation["to"])))
        os.unlink(target)
        os.utime(parent, ns=(shown.st_mtime_ns, shown.st_mtime_ns))
        return "error", "EPERM"

    # Comparing.

    def compare_touched(self, path: str, before: int) -> None:
        """A path an operation named, and the directory it is in, which may have a new time."""
        for name in (path, os.path.dirname(path)):
            plain, mounted = self.plain.at(name), self.mounted.at(name)
            comparison.compare_path(
                plain, mounted, name, self.since, direct=self.steps % 2 == 0
            )
            expected, found = (changed_since(path, before) for path in (plain, mounted))
            if expected != found:
                raise Different(f"{name!r} has a new mtime: expected {expected}, found {found}")

    def compare_handle(self, slot: int) -> None:
        plain, mounted = (os.fstat(side.handles[slot]) for side in (self.plain, self.mounted))
        if os.path.stat.S_ISDIR(plain.st_mode):
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
            str(self.plain_root), str(self.mount.path), self.since, direct=self.steps % 4 == 0
        )
        for slot in self.plain.handles:
            self.compare_handle(slot)

    # Ends of daemons.

    def remount(self) -> None:
        """An ordinary unmount: everything must be there again."""
        self.let_go()
        status = self.mount.unmount()
        if status != 0:
            raise Different(f"the daemon ended with {status}:\n{self.mount.log()[-2000:]}")
        journal.check(self.mount.folder / "state")
        self.start_again()

    def kill(self) -> None:
        """The daemon dies; whatever call had returned must be there."""
        self.mount.kill()
        self.let_go()
        self.start_again()

    def start_again(self) -> None:
        self.check_log()
        self.mount.start(self.source, "-w")
        self.compare_all()

    def finish(self) -> None:
        self.compare_all()
        self.remount()
        self.check_log()

    def check_log(self) -> None:
        """An operation that is refused is no error of the daemon's."""
        errors = [line for line in self.mount.log().splitlines() if " error" in line]
        if errors:
            raise Different(f"the daemon logged {errors[:3]}")

    def let_go(self) -> None:
        self.plain.let_go()
        self.mounted.let_go()

    def watch(self) -> None:
        """Cuts a mount that does not answer, so that the step that waits for it fails."""
        while not self.isOver.wait(1):
            deadline = self.deadline
            if deadline is not None and time.monotonic() > deadline:
                mounting.abort(self.mount.device())


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
