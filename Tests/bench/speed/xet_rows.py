"""What is measured of Xet: its codecs beside the official program's, and files read as chunks."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path

import mounting
from localhub import REPOSITORY

from .library import Library
from .measuring import OURS, Goal, Row, Samples
from .read_rows import memory, rates
from .scene import MEBIBYTE, WINDOW, Scene, processor_seconds, read, run, touch_memory
from .write_rows import megabytes

CODECBENCH = Path(os.environ.get("CODECBENCH_BIN", REPOSITORY / ".build/release/codecbench"))
BENCH_PYTHON = REPOSITORY / ".venv-bench/bin/python"
# One thread each: the official program takes as many processors as it finds.
ONE_PROCESSOR = ["taskset", "--cpu-list", "0"]
HF_XET = "hf_xet"
PLAIN = "plain"
FIRST, SECOND = "a-first.bin", "b-second.bin"
CHANGED_SHARE = 0.01
# A connection passes so much in a round trip of 20 ms: the 21 that streams have, 100 MB/s together.
LINE_WINDOW = "95KB"
KNOWN_SECONDS_MAX = 120
# Of a file's size: its pages in the cache and in the mount, and some.
TOUCHED = 3

HASH = """
import json, sys, time
import hf_xet
started = time.perf_counter()
(found,) = hf_xet.hash_files([sys.argv[1]])
print(json.dumps({"hash": found.hash, "seconds": time.perf_counter() - started}))
"""

COPY = """
import json, sys, time
data = open(sys.argv[1], "rb").read()
target = bytearray(len(data))
started = time.perf_counter()
target[:] = data
print(json.dumps({"seconds": time.perf_counter() - started}))
"""


def rows(scene: Scene, library: Library) -> list[Row]:
    codecs = Codecs(scene)
    reading = Reading(scene, library)
    return [
        codecs.hashing(),
        codecs.packing("random", os.urandom),
        codecs.packing("floats", floats),
        reading.first_bytes(),
        reading.stream(),
        reading.second_revision(),
    ]


def floats(size: int) -> bytes:
    """Numbers of four bytes whose highest byte is always the same."""
    data = bytearray(os.urandom(size))
    data[3::4] = b"\x3f" * len(data[3::4])
    return bytes(data)


class Codecs:
    def __init__(self, scene: Scene):
        self.scene = scene

    def hashing(self) -> Row:
        def ours(mebibytes: int) -> Samples:
            return self.hashed(mebibytes, CODECBENCH, "hash")

        def theirs(mebibytes: int) -> Samples:
            return self.hashed(mebibytes, BENCH_PYTHON, "-c", HASH)

        return Row(
            name="xet-hash",
            title="the Xet hash of {} MiB of random bytes, one thread",
            size=1024,
            quick_size=64,
            contenders={OURS: ours, HF_XET: theirs},
            goals=[Goal("hashing", "MB/s", against=HF_XET, at_least=0.8)],
            limit=HF_XET,
        )

    def hashed(self, mebibytes: int, *command: object) -> Samples:
        with self.scene.new_folder() as folder:
            file = folder / "file"
            fill(file, mebibytes, os.urandom)
            # From memory, both of them.
            file.read_bytes()
            found = json.loads(run(*ONE_PROCESSOR, *command, file))
        return {"hashing": megabytes(mebibytes * MEBIBYTE) / found["seconds"]}

    def packing(self, name: str, make) -> Row:
        def ours(mebibytes: int) -> Samples:
            found = self.of_file(mebibytes, make, CODECBENCH, "pack")
            size = megabytes(mebibytes * MEBIBYTE)
            return {
                "packing": size / found["packing"],
                "unpacking": size / found["unpacking"],
                "packed": found["packed"] / (mebibytes * MEBIBYTE),
            }

        def copying(mebibytes: int) -> Samples:
            found = self.of_file(mebibytes, make, BENCH_PYTHON, "-c", COPY)
            rate = megabytes(mebibytes * MEBIBYTE) / found["seconds"]
            return {"packing": rate, "unpacking": rate}

        return Row(
            name=f"xet-pack-{name}",
            title="xorbs of {} MiB of " + name + ", one thread, beside a copy in memory",
            size=256,
            quick_size=64,
            contenders={OURS: ours, "copy": copying},
            goals=[
                Goal("packing", "MB/s"),
                Goal("unpacking", "MB/s"),
                Goal("packed", "x"),
            ],
            limit="copy",
        )

    def of_file(self, mebibytes: int, make, *command: object) -> dict:
        with self.scene.new_folder() as folder:
            file = folder / "file"
            fill(file, mebibytes, make)
            return json.loads(run(*ONE_PROCESSOR, *command, file))


def fill(file: Path, mebibytes: int, make) -> None:
    with file.open("wb") as out:
        for _ in range(mebibytes):
            out.write(make(MEBIBYTE))


class Reading:
    """Files of a Hub that offers Xet, 20 ms away, with it and without."""

    def __init__(self, scene: Scene, library: Library):
        self.scene = scene
        self.library = library

    def both(self, contender, window: str = WINDOW) -> dict:
        def at(option: list[str]):
            def run(mebibytes: int) -> Samples:
                self.scene.place_hub(20, offers_xet=True, window=window)
                return contender(mebibytes, option)

            return run

        return {OURS: at([]), PLAIN: at(["--no-xet"])}

    def first_bytes(self) -> Row:
        def contender(mebibytes: int, options: list[str]) -> Samples:
            repo = self.library.two_revisions(mebibytes, CHANGED_SHARE)
            with self.scene.reading(repo, "--no-replay", *options) as mount:
                os.stat(mount.path / FIRST)
                with (mount.path / FIRST).open("rb", buffering=0) as file:
                    started = time.monotonic()
                    file.read(4096)
                    first = time.monotonic() - started
                    started = time.monotonic()
                    for number in range(50):
                        file.seek((number * 7919 + 13) % (mebibytes * 256) * 4096)
                        file.read(4096)
                    return {
                        "first byte": first * 1000,
                        "random read": (time.monotonic() - started) * 1000 / 50,
                    }

        return Row(
            name="xet-first-20ms",
            title="first byte and random reads of a file of {} MiB at 20 ms",
            size=1024,
            quick_size=64,
            contenders=self.both(contender),
            goals=[
                Goal("first byte", "ms", against=PLAIN, at_most=1.1),
                Goal("random read", "ms", against=PLAIN, at_most=1.1),
            ],
        )

    def stream(self) -> Row:
        def contender(mebibytes: int, options: list[str]) -> Samples:
            repo = self.library.two_revisions(mebibytes, CHANGED_SHARE)
            with self.scene.reading(repo, *options) as mount:
                os.stat(mount.path / FIRST)
                touch_memory(TOUCHED * mebibytes)
                self.scene.reset_traffic()
                figures = read("sequential", mount.path / FIRST)
                return {
                    **rates(figures),
                    **self.shares(figures["bytes"]),
                    "daemon CPU": processor_seconds(mount.process.pid),
                    **memory(mount),
                }

        return Row(
            name="xet-stream-20ms",
            title="{} MiB in order at 20 ms, of which nothing is here",
            size=1024,
            quick_size=64,
            contenders=self.both(contender),
            goals=[
                Goal("last byte", "MB/s", against=PLAIN, at_least=0.9),
                Goal("first MiB", "ms"),
                Goal("bytes", "x"),
                Goal("in chunks", "x"),
                Goal("daemon CPU", "s"),
                Goal("peak memory", "MiB", at_most=64, is_worst=True),
            ],
        )

    def second_revision(self) -> Row:
        def contender(mebibytes: int, options: list[str]) -> Samples:
            repo = self.library.two_revisions(mebibytes, CHANGED_SHARE)
            with self.scene.new_folder() as folder:
                cache = folder / "cache"
                with self.scene.reading(repo, *options, cache=cache) as mount:
                    if not options:
                        read("sequential", mount.path / FIRST)
                        wait_until_known(mount)
                    os.stat(mount.path / SECOND)
                    touch_memory(TOUCHED * mebibytes)
                    self.scene.reset_traffic()
                    before = processor_seconds(mount.process.pid)
                    figures = read("sequential", mount.path / SECOND)
                    return {
                        **rates(figures),
                        **self.shares(figures["bytes"]),
                        "daemon CPU": processor_seconds(mount.process.pid) - before,
                    }

        return Row(
            name="xet-second-20ms",
            title="{} MiB of which 1 % of the chunks are new, at 20 ms on a line of 100 MB/s",
            size=1024,
            quick_size=256,
            contenders=self.both(contender, LINE_WINDOW),
            goals=[
                Goal("last byte", "MB/s", against=PLAIN, at_least=10),
                Goal("bytes", "x", at_most=0.03, is_worst=True),
                Goal("first MiB", "ms"),
                Goal("daemon CPU", "s"),
            ],
        )

    def shares(self, size: int) -> Samples:
        chunks = self.scene.hub.bytes_sent("xorb", "cas")
        plain = self.scene.traffic().content_bytes
        return {"bytes": (chunks + plain) / size, "in chunks": chunks / size}


def wait_until_known(mount: mounting.Mount) -> None:
    """Waits until a file that was read is verified, and what chunks it has is written down."""
    deadline = time.monotonic() + KNOWN_SECONDS_MAX
    while True:
        database = sqlite3.connect(f"file:{mount.cache}/cache.db?mode=ro", uri=True)
        try:
            if database.execute("SELECT count(*) FROM chunk_content").fetchone()[0]:
                return
        finally:
            database.close()
        if time.monotonic() > deadline:
            raise RuntimeError(f"no chunks are known after {KNOWN_SECONDS_MAX} s")
        time.sleep(0.1)
