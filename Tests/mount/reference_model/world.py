"""Both sides: the mount with its daemon, the plain folder, and the lanes in which both are edited."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import mounting
from samples import noise, text

from . import comparison, journal
from .comparison import Different
from .generator import PUBLISHING, Generator
from .lane import Lane, a_new_tick

# What both sides of a lane begin with.
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
# And the same in several directories, for threads that edit at once.
LANES = 3
START_OF_SEVERAL = {
    f"lane-{lane}/{name}": data for lane in range(LANES) for name, data in START.items()
}

COMPARE_ALL_EVERY = 60
STEPS_BETWEEN_ENDS = 60
# Not for one lane among others: they end the daemon of all.
ENDS = frozenset({"remount", "kill"}) | PUBLISHING


class World:
    """A mount with `-w` and a plain folder that are to stay equal."""

    # Kinds of operations that are not for this world.
    without = PUBLISHING

    def __init__(
        self, folder: Path, endpoint: str, token: str, repo: str, start: dict[str, bytes] = START
    ):
        folder.mkdir(parents=True)
        self.source = f"hf://{repo}"
        self.start = start
        self.mount = mounting.Mount(folder, endpoint, token=token)
        self.plain_root = folder / "plain"
        places = ["."] if start is START else [f"lane-{lane}" for lane in range(LANES)]
        self.lanes = [
            Lane(self.plain_root / place, self.mount.path / place, folder / f"lane-{n}.jsonl")
            for n, place in enumerate(places)
        ]
        self.isOver = threading.Event()

    @property
    def steps(self) -> int:
        return sum(lane.steps for lane in self.lanes)

    @contextmanager
    def running(self):
        """Mounts, makes the plain folder, and cleans up at the end."""
        threading.Thread(target=self.watch, daemon=True).start()
        try:
            self.mount.start(self.source, "-w", "--commit", "manual")
            self.fill_plain_folder()
            yield self
        finally:
            self.isOver.set()
            mounting.abort(self.mount.device())
            self.let_go()
            self.mount.tear_down()

    def fill_plain_folder(self) -> None:
        # What the Hub itself adds to a repo with LFS files.
        added = {".gitattributes": (self.mount.path / ".gitattributes").read_bytes()}
        for name, data in {**self.start, **added}.items():
            path = self.plain_root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for name in [*comparison.names_below(str(self.plain_root)), "."]:
            shown = (self.mount.path / name).lstat()
            os.chmod(self.plain_root / name, shown.st_mode & 0o7777)
            os.utime(self.plain_root / name, ns=(shown.st_mtime_ns, shown.st_mtime_ns))
        now = a_new_tick()
        for lane in self.lanes:
            lane.since = now
        self.compare_all()

    # One lane, whose operations a log repeats exactly.

    def play(self, operations: Iterable[dict]) -> None:
        """Performs operations in the one lane until one shows a difference, which is raised."""
        (lane,) = self.lanes
        for operation in operations:
            lane.step(operation, self.perform)
        self.remount()

    def generate(self, seed: int, steps: int) -> Iterable[dict]:
        (lane,) = self.lanes
        generator = Generator(seed, without=self.without)
        for _ in range(steps):
            yield generator.next(str(lane.plain.root), sorted(lane.plain.handles))

    def perform(self, operation: dict) -> None:
        (lane,) = self.lanes
        if operation["op"] in ENDS:
            arguments = {key: value for key, value in operation.items() if key != "op"}
            getattr(self, operation["op"])(**arguments)
        else:
            lane.perform(operation)
        if lane.steps % COMPARE_ALL_EVERY == 0:
            self.compare_all()

    # Several lanes at once.

    def play_lanes(self, seed: int, steps: int) -> None:
        """Edits in all lanes at once, `steps` in each; now and then the daemon ends."""
        generators = [Generator(seed + n * 7919, without=ENDS) for n in range(len(self.lanes))]
        ends = [self.remount, self.kill]
        with ThreadPoolExecutor(len(self.lanes)) as pool:
            while self.lanes[0].steps < steps:
                runs = [
                    pool.submit(self.run_lane, lane, generator)
                    for lane, generator in zip(self.lanes, generators)
                ]
                for run in runs:
                    run.result()
                self.compare_all()
                ends.append(ends.pop(0))
                ends[0]()

    def run_lane(self, lane: Lane, generator: Generator) -> None:
        for _ in range(STEPS_BETWEEN_ENDS):
            lane.step(generator.next(str(lane.plain.root), sorted(lane.plain.handles)))

    # The whole.

    def compare_all(self) -> None:
        for lane in self.lanes:
            lane.compare_all()
        if len(self.lanes) > 1:
            comparison.compare_trees(
                str(self.plain_root), str(self.mount.path), self.lanes[0].since, direct=False
            )

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
        self.mount.restart()
        self.compare_all()

    def check_log(self) -> None:
        """An operation that is refused is no error of the daemon's."""
        errors = [line for line in self.mount.log().splitlines() if " error " in line]
        if errors:
            raise Different(f"the daemon logged {errors[:3]}")

    def let_go(self) -> None:
        for lane in self.lanes:
            lane.let_go()

    def watch(self) -> None:
        """Cuts a mount that does not answer, so that the step that waits for it fails."""
        while not self.isOver.wait(1):
            now = time.monotonic()
            if any(lane.deadline is not None and now > lane.deadline for lane in self.lanes):
                mounting.abort(self.mount.device())
