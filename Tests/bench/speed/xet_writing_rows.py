"""What is measured of commits by chunks, beside `hf upload` of the same bytes.

Each contender has a Hub of its own, and in each round both make the same change of the same bytes. The official
client uploaded the file itself, and begins every round with the memory of that which it had then; hubfs begins with
an empty cache and reads the file once.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import mounting

from .library import Library
from .measuring import OURS, Goal, Row, Samples
from .scene import MEBIBYTE, Scene, processor_seconds, read, run, run_python
from .xet_rows import wait_until_known
from .xet_side import FILE, Side

OFFICIAL = "hf"
COMMIT_SECONDS_MAX = 900
EDIT_BYTES = 1_000_000
# On average.
CHUNK_BYTES = 64 << 10
# Of what the official client sends.
SENT_SHARE_MAX = 1.05
MEMORY = Goal("peak memory", "MiB", at_most=128, is_worst=True)
HUB_TIME = Goal("of it the Hub's CPU", "s")

CHECKPOINTS = LAYERS = 20
# Of the layers, so many are others in each checkpoint than in the last one: a tenth.
NEW_LAYERS = 2


def rows(scene: Scene, library: Library) -> list[Row]:
    edits = Edits(scene)
    return [
        edits.row("overwritten"),
        edits.row("inserted"),
        edits.row("deleted"),
        edits.appending(),
        in_bucket(scene),
        checkpoints(scene),
    ]


class Edits:
    """Changes of a large file that both Hubs have, each on a branch of its own."""

    def __init__(self, scene: Scene):
        self.scene = scene
        self._sides: dict[str, Side] = {}
        # By the file's MiB: its repo, the same on both sides.
        self._repos: dict[int, str] = {}
        # How many turns a contender had in a row: both change the same in the same turn.
        self._turns: dict[tuple[str, str, int], itertools.count] = defaultdict(itertools.count)

    def row(self, way: str) -> Row:
        def change(turn: int, size: int) -> tuple[int, int]:
            return size // 2 + 12_345 + turn * size // 50, seed(way, size, turn)

        def ours(mebibytes: int) -> Samples:
            side, repo = self.have(OURS, mebibytes)
            offset, number = change(self.turn(way, OURS, mebibytes), mebibytes * MEBIBYTE)
            branch = side.new_branch(repo)
            with side.mounted(f"{repo}@{branch}", "-w", "--commit", "manual") as mount:
                self.read_through(mount)
                edited = edit(way, mount.path / FILE, offset, EDIT_BYTES, number)
                figures = committed(side, mount)
            return {**figures, **edited, **above_least(side, repo, branch, way, offset, figures)}

        def theirs(mebibytes: int) -> Samples:
            side, repo = self.have(OFFICIAL, mebibytes)
            offset, number = change(self.turn(way, OFFICIAL, mebibytes), mebibytes * MEBIBYTE)
            branch = side.new_branch(repo)
            with self.scene.new_folder() as folder:
                file, home = self.local(mebibytes, folder)
                edited = edit(way, file, offset, EDIT_BYTES, number)
                figures = uploaded(side, home, repo, file, FILE, branch)
            return {**figures, **edited, **above_least(side, repo, branch, way, offset, figures)}

        return Row(
            name=f"xet-edit-{way}",
            title=f"1 MB {way} in the middle of a file of" + " {} MiB, and sent",
            size=1024,
            quick_size=64,
            contenders={OURS: ours, OFFICIAL: theirs},
            goals=[
                Goal("time", "s", against=OFFICIAL, at_most=1),
                Goal("time without Python's start", "s", against=OFFICIAL),
                HUB_TIME,
                Goal("sent", "KB", against=OFFICIAL, at_most=SENT_SHARE_MAX),
                Goal("above the least", "chunks", at_most=2, is_worst=True),
                Goal("the edit before", "s"),
                MEMORY,
            ],
        )

    def appending(self) -> Row:
        """Two turns of a writer of logs: the first after the file was read, the second as all that follow."""

        def ours(mebibytes: int) -> Samples:
            side, repo = self.have(OURS, mebibytes)
            turn = self.turn("appended", OURS, mebibytes)
            branch = side.new_branch(repo)
            with side.mounted(f"{repo}@{branch}", "-w", "--commit", "manual") as mount:
                self.read_through(mount)
                edit("appended", mount.path / FILE, EDIT_BYTES, seed("first", mebibytes, turn))
                first = committed(side, mount)
                edit("appended", mount.path / FILE, EDIT_BYTES, seed("again", mebibytes, turn))
                again = committed(side, mount)
            return {**again, "first time": first["time"], "first sent": first["sent"]}

        def theirs(mebibytes: int) -> Samples:
            side, repo = self.have(OFFICIAL, mebibytes)
            turn = self.turn("appended", OFFICIAL, mebibytes)
            branch = side.new_branch(repo)
            with self.scene.new_folder() as folder:
                file, home = self.local(mebibytes, folder)
                edit("appended", file, EDIT_BYTES, seed("first", mebibytes, turn))
                first = uploaded(side, home, repo, file, FILE, branch)
                edit("appended", file, EDIT_BYTES, seed("again", mebibytes, turn))
                again = uploaded(side, home, repo, file, FILE, branch)
            return {**again, "first time": first["time"], "first sent": first["sent"]}

        return Row(
            name="xet-append",
            title="1 MB appended to a log of {} MiB, and sent; then once more",
            size=2048,
            quick_size=64,
            contenders={OURS: ours, OFFICIAL: theirs},
            goals=[
                Goal("first time", "s", at_most=10),
                Goal("time", "s", at_most=10),
                Goal("time", "s", against=OFFICIAL),
                HUB_TIME,
                Goal("first sent", "KB", against=OFFICIAL, at_most=SENT_SHARE_MAX),
                Goal("sent", "KB", against=OFFICIAL, at_most=SENT_SHARE_MAX),
                MEMORY,
            ],
            rounds_max=2,
        )

    def turn(self, way: str, contender: str, mebibytes: int) -> int:
        return next(self._turns[way, contender, mebibytes])

    def have(self, contender: str, mebibytes: int) -> tuple[Side, str]:
        """A contender's Hub, and a repo there that has the file; both Hubs got it from the official client."""
        for name in () if self._sides else (OURS, OFFICIAL):
            side = self._sides[name] = Side(self.scene, f"xet-{name}")
            self.scene.at_end.callback(side.close)
        if mebibytes not in self._repos:
            write_same_noise(self.base(mebibytes), mebibytes)
            for name, side in self._sides.items():
                home = self.home(mebibytes) if name == OFFICIAL else self.scene.folder / "home"
                repo = self._repos[mebibytes] = side.new_repo(f"lab/edits-{mebibytes}")
                side.upload(home, repo, self.base(mebibytes), FILE)
            shutil.rmtree(self.scene.folder / "home")
        return self._sides[contender], self._repos[mebibytes]

    def base(self, mebibytes: int) -> Path:
        return self.scene.folder / f"edited-{mebibytes}.bin"

    def home(self, mebibytes: int) -> Path:
        """What the official client remembers of having uploaded it."""
        return self.scene.folder / f"home-{mebibytes}"

    def local(self, mebibytes: int, folder: Path) -> tuple[Path, Path]:
        """The file and the official client's memory of it, for one turn."""
        file, home = folder / FILE, folder / "home"
        run("cp", self.base(mebibytes), file)
        shutil.copytree(self.home(mebibytes), home)
        return file, home

    @staticmethod
    def read_through(mount: mounting.Mount) -> None:
        read("sequential", mount.path / FILE)
        wait_until_known(mount)


def seed(*words: object) -> int:
    """A number of their own for these words, the same in every run."""
    return random.Random(repr(words)).randrange(1 << 48)


def write_same_noise(file: Path, mebibytes: int) -> None:
    """The same in every run: where chunks end decides how many bytes an edit costs."""
    dice = random.Random(mebibytes)
    with file.open("wb") as out:
        for _ in range(mebibytes):
            out.write(dice.randbytes(MEBIBYTE))


def edit(way: str, file: Path, *numbers: int) -> Samples:
    return {"the edit before": float(run_python("speed.editor", way, file, *numbers))}


def above_least(
    side: Side, repo: str, branch: str, way: str, offset: int, figures: Samples
) -> Samples:
    removed = 0 if way == "inserted" else EDIT_BYTES
    added = 0 if way == "deleted" else EDIT_BYTES
    least = side.new_chunk_bytes(repo, branch, offset, removed, added)
    return {"above the least": (figures["sent"] * 1000 - least) / CHUNK_BYTES}


# A bucket names a file by its chunks alone.


def in_bucket(scene: Scene) -> Row:
    """Ours has nothing of the file, the official client all of it: without, it has nothing to send."""
    sides: dict[str, Side] = {}
    buckets: dict[tuple[str, int], str] = {}
    turns: dict[tuple[str, int], itertools.count] = defaultdict(itertools.count)

    def local(contender: str, mebibytes: int) -> Path:
        return scene.folder / f"for-bucket-{contender}-{mebibytes}"

    def have(contender: str, mebibytes: int) -> tuple[Side, str]:
        if contender not in sides:
            sides[contender] = Side(scene, f"bucket-{contender}")
            scene.at_end.callback(sides[contender].close)
        side = sides[contender]
        if (contender, mebibytes) not in buckets:
            bucket = buckets[contender, mebibytes] = side.new_bucket(f"lab/edits-{mebibytes}")
            folder = local(contender, mebibytes)
            folder.mkdir()
            write_same_noise(folder / FILE, mebibytes)
            side.client(
                folder / "home", "buckets", "cp", folder / FILE, f"hf://{bucket}/{FILE}"
            )
            if contender == OURS:
                shutil.rmtree(folder)
        return side, buckets[contender, mebibytes]

    def change(contender: str, mebibytes: int) -> tuple[int, int, int]:
        turn = next(turns[contender, mebibytes])
        offset = mebibytes * MEBIBYTE // 2 + 12_345 + turn * mebibytes * MEBIBYTE // 50
        return offset, EDIT_BYTES, seed("bucket", mebibytes, turn)

    def ours(mebibytes: int) -> Samples:
        side, bucket = have(OURS, mebibytes)
        with side.mounted(bucket, "-w", "--flush", "unmount") as mount:
            edit("overwritten", mount.path / FILE, *change(OURS, mebibytes))

            def send() -> Samples:
                mount.run("flush", mount.path, timeout=COMMIT_SECONDS_MAX)
                return {}

            figures = clocked(side, send)
            return {
                **figures,
                "time without Python's start": figures["time"],
                "fetched": side.hub.bytes_sent("cdn", "xorb") / MEBIBYTE,
                MEMORY.measure: mount.peak_memory_bytes() / MEBIBYTE,
            }

    def theirs(mebibytes: int) -> Samples:
        side, bucket = have(OFFICIAL, mebibytes)
        folder = local(OFFICIAL, mebibytes)
        edit("overwritten", folder / FILE, *change(OFFICIAL, mebibytes))

        def send() -> Samples:
            found = side.client(
                folder / "home", "buckets", "cp", folder / FILE, f"hf://{bucket}/{FILE}"
            )
            return {
                "time without Python's start": found["inside"],
                MEMORY.measure: found["peak"] / MEBIBYTE,
            }

        return {**clocked(side, send), "fetched": 0}

    return Row(
        name="xet-bucket-edit",
        title="1 MB overwritten in the middle of a bucket's file of {} MiB that is not in the cache, and sent",
        size=2048,
        quick_size=512,
        contenders={OURS: ours, OFFICIAL: theirs},
        goals=[
            Goal("time", "s", against=OFFICIAL, at_most=1),
            Goal("time without Python's start", "s", against=OFFICIAL),
            HUB_TIME,
            Goal("fetched", "MiB"),
            Goal("sent", "KB", against=OFFICIAL, at_most=SENT_SHARE_MAX),
            MEMORY,
        ],
    )


# Sending, with the clock and the Hub's counters.


def committed(side: Side, mount: mounting.Mount) -> Samples:
    def send() -> Samples:
        mount.run("commit", mount.path, timeout=COMMIT_SECONDS_MAX)
        return {}

    figures = clocked(side, send)
    return {
        **figures,
        "time without Python's start": figures["time"],
        MEMORY.measure: mount.peak_memory_bytes() / MEBIBYTE,
    }


def uploaded(
    side: Side, home: Path, repo: str, file: Path, path: str, branch: str = "main"
) -> Samples:
    def send() -> Samples:
        found = side.upload(home, repo, file, path, branch)
        return {
            "time without Python's start": found["inside"],
            MEMORY.measure: found["peak"] / MEBIBYTE,
        }

    return clocked(side, send)


def clocked(side: Side, send: Callable[[], Samples]) -> Samples:
    """All bytes that the Hub is sent count: of chunks, of what describes them, and of the commit."""
    # What was written before is not written back meanwhile. Little is sent, so the Hub's new pages do not matter.
    os.sync()
    hub = side.hub.address.pid
    side.hub.reset_stats()
    before = processor_seconds(hub)
    started = time.monotonic()
    figures = send()
    seconds = time.monotonic() - started
    return {
        **figures,
        "time": seconds,
        HUB_TIME.measure: processor_seconds(hub) - before,
        "sent": side.hub.bytes_received() / 1000,
    }


# Checkpoints of a training run, of which most layers are frozen at a time.


def checkpoints(scene: Scene) -> Row:
    def ours(mebibytes: int) -> Samples:
        side, repo = new_side(OURS)
        before, found = side.stored(), []
        with side.mounted(repo, "-w", "--commit", "manual") as mount:
            for number in range(CHECKPOINTS):
                save(mount.path / name(number), mebibytes, number)
                found.append(committed(side, mount))
        return summed(found, side.stored() - before, mebibytes)

    def theirs(mebibytes: int) -> Samples:
        side, repo = new_side(OFFICIAL)
        before, found = side.stored(), []
        with scene.new_folder() as folder:
            for number in range(CHECKPOINTS):
                file = folder / name(number)
                save(file, mebibytes, number)
                found.append(uploaded(side, folder / "home", repo, file, name(number)))
                file.unlink()
        return summed(found, side.stored() - before, mebibytes)

    def new_side(contender: str) -> tuple[Side, str]:
        side = Side(scene, f"checkpoints-{contender}")
        scene.at_end.callback(side.close)
        return side, side.new_repo("lab/checkpoints")

    return Row(
        name="xet-checkpoints",
        title=f"{CHECKPOINTS} checkpoints of" + " {} MiB that share 90 % with the last, each sent when saved",
        size=200,
        quick_size=20,
        contenders={OURS: ours, OFFICIAL: theirs},
        goals=[
            Goal("sent", "x", at_most=1.05),
            Goal("stored", "x", at_most=1.05),
            Goal("time", "s", against=OFFICIAL),
            Goal("time without Python's start", "s", against=OFFICIAL),
            HUB_TIME,
            MEMORY,
        ],
        is_count=True,
    )


def name(number: int) -> str:
    return f"checkpoint-{number:02}.bin"


def save(file: Path, mebibytes: int, number: int) -> None:
    """A layer is as it was when it was last trained: two are in each checkpoint, in turns."""
    trained = [-1] * LAYERS
    for turn in range(1, number + 1):
        for layer in range(NEW_LAYERS):
            trained[(turn * NEW_LAYERS + layer) % LAYERS] = turn
    seeds = [seed("layer", layer, turn) for layer, turn in enumerate(trained)]
    run_python("speed.editor", "saved", file, mebibytes // LAYERS, *seeds)


def summed(found: list[Samples], stored: int, mebibytes: int) -> Samples:
    """Of all that was sent and stored, what it is of the bytes that no checkpoint before had."""
    ideal = mebibytes * MEBIBYTE * (1 + (CHECKPOINTS - 1) * NEW_LAYERS / LAYERS)
    total = {measure: sum(samples[measure] for samples in found) for measure in found[0]}
    return {
        **total,
        "sent": total["sent"] * 1000 / ideal,
        "stored": stored / ideal,
        MEMORY.measure: max(samples[MEMORY.measure] for samples in found),
    }
