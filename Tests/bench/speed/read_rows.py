"""What is measured of reading large files for the first time."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import mounting

from . import bare, peers
from .library import LARGE, Library
from .measuring import OURS, Contender, Goal, Row, Samples
from .scene import MEBIBYTE, Scene, processor_seconds, read
from .write_rows import megabytes

LIBCURL = "libcurl"
# The same file by libcurl, then read through a file system of libfuse's: what a byte costs that is
# kept on disk and comes through FUSE.
LIBCURL_AND_FUSE = "libcurl+passthrough_ll"
# What hubfs is to have of what libcurl has.
SHARE = 0.8
# The same reader without the mount's pages. What it has more is what the copy into them takes, which is the
# kernel's and not ours: a page is found, cleared, filled and copied out, on the processors that also receive.
DIRECT = "direct"
COPIES = "the copies into and out of the mount's pages take the rest"
MEMORY = Goal("peak memory", "MiB", at_most=40, is_worst=True)
VERIFYING_SECONDS_MAX = 60


def rows(scene: Scene, library: Library) -> list[Row]:
    reading = ColdReading(scene, library)
    last_byte = partial(Goal, "last byte", "MB/s")
    return [
        reading.row(
            0,
            [
                last_byte(at_least=1200),
                last_byte(against=LIBCURL, at_least=SHARE, why=f"met by {DIRECT}-0ms: {COPIES}"),
            ],
        ),
        reading.row(20, [last_byte(at_least=1000)]),
        reading.row(50, [last_byte(at_least=600)]),
        reading.direct_row(0),
        reading.direct_row(20),
        first_page(scene, library),
        threads(scene, library),
        processes(scene, library),
    ]


class ColdReading:
    """A file from its first to its last byte, into an empty cache that stays."""

    def __init__(self, scene: Scene, library: Library):
        self.scene = scene
        self.library = library

    def row(self, rtt: int, goals: list[Goal]) -> Row:
        contenders = {
            OURS: self.hubfs,
            LIBCURL: self.libcurl,
            LIBCURL_AND_FUSE: self.libcurl_and_fuse,
            "aria2c": self.aria2c,
        }
        for name in peers.RCLONE:
            contenders[name] = lambda mebibytes, name=name: self.rclone(name, mebibytes)
        contenders["HfFileSystem"] = self.official_client
        return Row(
            name=f"sequential-{rtt}ms",
            title="{} MiB in order" + f" at {rtt} ms, cold",
            size=1024,
            quick_size=64,
            contenders={name: self.at(rtt, each) for name, each in contenders.items()},
            limit=LIBCURL,
            goals=[
                *goals,
                Goal("verified", "MB/s"),
                Goal("first MiB", "ms"),
                Goal("bytes", "x"),
                Goal("resolve calls", "", at_most=3, is_worst=True),
                MEMORY,
                Goal("daemon CPU", "s"),
            ],
        )

    def direct_row(self, rtt: int) -> Row:
        return Row(
            name=f"{DIRECT}-{rtt}ms",
            title="{} MiB in order with O_DIRECT" + f" at {rtt} ms, cold",
            size=1024,
            quick_size=64,
            contenders={
                OURS: self.at(rtt, self.direct),
                LIBCURL: self.at(rtt, self.libcurl),
            },
            limit=LIBCURL,
            goals=[
                Goal("last byte", "MB/s", against=LIBCURL, at_least=SHARE),
                Goal("bytes", "x", at_most=1.005, is_worst=True),
                Goal("resolve calls", "", at_most=3, is_worst=True),
            ],
        )

    def at(self, rtt: int, contender: Contender) -> Contender:
        def run(mebibytes: int) -> Samples:
            self.scene.place_hub(rtt)
            return contender(mebibytes)

        return run

    def direct(self, mebibytes: int) -> Samples:
        with self.scene.reading(self.library.large(mebibytes)) as mount:
            self.scene.reset_traffic()
            figures = read("direct", mount.path / LARGE)
            traffic = self.scene.traffic()
            return {
                "last byte": megabytes(figures["bytes"]) / figures["seconds"],
                "bytes": traffic.content_bytes / figures["bytes"],
                "resolve calls": traffic.resolves,
            }

    def hubfs(self, mebibytes: int) -> Samples:
        repo = self.library.large(mebibytes)
        with self.scene.reading(repo) as mount:
            os.stat(mount.path / LARGE)
            with self.traffic(mebibytes) as found:
                started = time.monotonic()
                figures = read("sequential", mount.path / LARGE)
                wait_until_sealed(mount, mebibytes * MEBIBYTE)
                verified = time.monotonic() - started
            return {
                **rates(figures),
                **found,
                "verified": megabytes(mebibytes * MEBIBYTE) / verified,
                "daemon CPU": processor_seconds(mount.process.pid),
                **memory(mount),
            }

    def libcurl(self, mebibytes: int) -> Samples:
        url = self.scene.signed_url(self.library.large(mebibytes), LARGE)
        with self.scene.new_folder() as folder, self.traffic(mebibytes) as found:
            seconds = self.scene.libcurl.ranges(url, mebibytes * MEBIBYTE, folder / LARGE)
            return {"last byte": megabytes(mebibytes * MEBIBYTE) / seconds, **found}

    def libcurl_and_fuse(self, mebibytes: int) -> Samples:
        url = self.scene.signed_url(self.library.large(mebibytes), LARGE)
        with self.scene.passed_through() as (disk, place):
            seconds = self.scene.libcurl.ranges(url, mebibytes * MEBIBYTE, disk / LARGE)
            seconds += read("sequential", place / LARGE)["seconds"]
            return {"last byte": megabytes(mebibytes * MEBIBYTE) / seconds}

    def aria2c(self, mebibytes: int) -> Samples:
        url = self.scene.signed_url(self.library.large(mebibytes), LARGE)
        with self.scene.new_folder() as folder:
            started = time.monotonic()
            bare.aria2c(url, folder / LARGE)
            seconds = time.monotonic() - started
            return {"last byte": megabytes(mebibytes * MEBIBYTE) / seconds}

    def rclone(self, name: str, mebibytes: int) -> Samples:
        repo = self.library.large(mebibytes)
        url = mirror(self.scene, self.library, repo, [LARGE])
        with self.scene.new_folder() as folder, peers.rclone(name, url, folder) as place:
            os.stat(place / LARGE)
            with self.traffic(mebibytes) as found:
                figures = read("sequential", place / LARGE)
            return {**rates(figures), "bytes": found["bytes"]}

    def official_client(self, mebibytes: int) -> Samples:
        repo = self.library.large(mebibytes)
        with self.scene.new_folder() as folder:
            return rates(peers.official_client_read(f"{repo}/{LARGE}", self.endpoint, folder))

    @property
    def endpoint(self) -> str:
        return self.scene.hub.address.endpoint

    @contextlib.contextmanager
    def traffic(self, mebibytes: int) -> Iterator[Samples]:
        """Fills the samples with what was asked of the servers meanwhile."""
        samples: Samples = {}
        self.scene.reset_traffic()
        yield samples
        traffic = self.scene.traffic()
        samples["bytes"] = traffic.byte_count / (mebibytes * MEBIBYTE)
        samples["resolve calls"] = traffic.resolves


def rates(figures: dict) -> Samples:
    return {
        "last byte": megabytes(figures["bytes"]) / figures["seconds"],
        "first MiB": figures["first"] * 1000,
    }


def memory(mount: mounting.Mount) -> Samples:
    return {MEMORY.measure: mount.peak_memory_bytes() / MEBIBYTE}


def mirror(scene: Scene, library: Library, repo: str, paths: list[str]) -> str:
    """Files as a plain web server has them: from nginx's own folder at no distance, else behind the
    signed URLs that the Hub gives, of which rclone so needs no second hop."""
    files = {path: library.object_file(repo, path) for path in paths}
    urls = {} if scene.rtt == 0 else {path: scene.signed_url(repo, path) for path in paths}
    return scene.web.mirror(repo, files, urls)


def wait_until_sealed(mount: mounting.Mount, size: int) -> None:
    """Waits until the cache calls a content of this size sealed (docs/CACHE-FORMAT.md)."""
    deadline = time.monotonic() + VERIFYING_SECONDS_MAX
    while not any(is_sealed(file, size) for file in mount.cache.glob("contents/*/*.map")):
        if time.monotonic() > deadline:
            raise RuntimeError(f"nothing was sealed:\n{mount.log()}")
        time.sleep(0.005)


def is_sealed(sidecar: Path, size: int) -> bool:
    with sidecar.open("rb") as file:
        head = file.read(32)
    return int.from_bytes(head[16:24], "little") == size and bool(head[24] & 1)


# The first bytes of a file.


def first_page(scene: Scene, library: Library) -> Row:
    def hubfs(mebibytes: int) -> Samples:
        scene.place_hub(20)
        with scene.reading(library.large(mebibytes)) as mount:
            times = read("first_pages", mount.path / LARGE, mount.path / "other.bin")
            return {name: seconds * 1000 for name, seconds in times.items()}

    return Row(
        name="first-page",
        title="4 KiB at 20 ms, the listing known",
        size=1024,
        quick_size=64,
        contenders={OURS: hubfs},
        goals=[
            Goal("address known, warm", "ms", at_most=30),
            Goal("address known, cold", "ms", at_most=50),
            Goal("address unknown, warm", "ms", at_most=50),
            Goal("nothing known", "ms", at_most=95),
        ],
    )


# Many readers of one file.

THREAD_COUNTS = [1, 2, 4, 8, 16]


def threads(scene: Scene, library: Library) -> Row:
    def hubfs(mebibytes: int) -> Samples:
        scene.place_hub(20)
        samples = {}
        for count in THREAD_COUNTS:
            with scene.reading(library.large(2 * mebibytes)) as mount:
                figures = read("threads", mount.path / LARGE, count, mebibytes)
                samples[f"{count} threads"] = megabytes(figures["bytes"]) / figures["seconds"]
        samples["16 threads / 1"] = samples["16 threads"] / samples["1 threads"]
        return samples

    return Row(
        name="threads",
        title="{} MiB by threads of 1 MiB reads on one descriptor at 20 ms, cold",
        size=512,
        quick_size=64,
        contenders={OURS: hubfs},
        goals=[
            *(Goal(f"{count} threads", "MB/s") for count in THREAD_COUNTS),
            Goal("16 threads / 1", "x", at_least=1),
        ],
    )


def processes(scene: Scene, library: Library) -> Row:
    def hubfs(count: int, mebibytes: int) -> Samples:
        scene.place_hub(20)
        with scene.reading(library.large(mebibytes)) as mount:
            scene.reset_traffic()
            figures = read("processes", mount.path / LARGE, count)
            traffic = scene.traffic()
            return {
                "all of it": megabytes(figures["bytes"]) / figures["seconds"],
                "bytes": traffic.byte_count / figures["bytes"],
            }

    return Row(
        name="processes",
        title="{} MiB by 8 processes, an eighth each, at 20 ms, cold",
        size=1024,
        quick_size=64,
        contenders={
            OURS: lambda mebibytes: hubfs(8, mebibytes),
            "one process": lambda mebibytes: hubfs(1, mebibytes),
        },
        goals=[
            Goal("all of it", "MB/s", against="one process", at_least=0.9),
            Goal("bytes", "x", at_most=1.005, is_worst=True),
        ],
    )
