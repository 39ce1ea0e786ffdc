"""What is measured of reading again what an earlier mount has fetched."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path

import users

from .library import LARGE, Library
from .measuring import OURS, Goal, Row, Samples
from .read_rows import wait_until_sealed
from .scene import MEBIBYTE, Scene, forget_pages, processor_seconds, read, run
from .write_rows import PASSTHROUGH, megabytes

DISK = "disk"
RANDOM_SECONDS = 2
# Passes of one way from one place: a disk is quicker or slower from one second to the next.
PASSES = 3


def rows(scene: Scene, library: Library) -> list[Row]:
    restart = Restart(scene, library)
    return [restart.row(), restart.row_of_a_user()]


class Restart:
    """A whole file, verified, in the cache of a new mount; and a copy of it in a plain folder."""

    def __init__(self, scene: Scene, library: Library):
        self.scene = scene
        self.library = library
        self._caches: dict[int, Path] = {}

    def row(self) -> Row:
        return Row(
            name="restart",
            title="{} MiB that are in the cache, by a new mount, as root",
            size=1024,
            quick_size=64,
            contenders={OURS: self.hubfs, DISK: self.disk},
            limit=DISK,
            goals=[
                Goal("from disk", "MB/s", against=DISK, at_least=0.95),
                Goal("from memory", "MB/s", against=DISK, at_least=0.95),
                Goal("mmap from disk", "MB/s", against=DISK, at_least=0.95),
                Goal("mmap from memory", "MB/s", against=DISK, at_least=0.95),
                Goal("4 KiB from disk", "/s", against=DISK, at_least=0.95),
                Goal("4 KiB from memory", "/s", against=DISK, at_least=0.95),
                Goal("O_DIRECT", "MB/s", against=DISK, at_least=0.95),
                Goal("daemon CPU", "s", at_most=0.05),
                Goal("fetched", "bytes", at_most=0, is_worst=True),
            ],
        )

    def hubfs(self, mebibytes: int) -> Samples:
        self.scene.place_hub(0)
        cache, _ = self.cache(mebibytes), self.copy(mebibytes)
        with self.scene.reading(self.library.large(mebibytes), cache=cache) as mount:
            file = mount.path / LARGE
            file.stat()
            self.scene.reset_traffic()
            before = processor_seconds(mount.process.pid)
            samples = read_again(file)
            after = processor_seconds(mount.process.pid)
            return {
                **samples,
                "daemon CPU": after - before,
                "fetched": self.scene.traffic().content_bytes,
            }

    def disk(self, mebibytes: int) -> Samples:
        return read_again(self.copy(mebibytes))

    def row_of_a_user(self) -> Row:
        """Without passthrough and with the kernel's own readahead."""
        return Row(
            name="restart-user",
            title="{} MiB that are in the cache, by a new mount of an ordinary user",
            size=1024,
            quick_size=64,
            contenders={
                OURS: self.hubfs_of_a_user,
                PASSTHROUGH: self.passed_through,
                DISK: self.disk_of_a_user,
            },
            limit=PASSTHROUGH,
            goals=[
                Goal("from disk", "MB/s"),
                Goal("first", "MB/s", at_least=3000),
                Goal("again", "MB/s", at_least=8000),
                Goal("daemon CPU", "s"),
                Goal("fetched", "bytes", at_most=0, is_worst=True),
            ],
        )

    def hubfs_of_a_user(self, mebibytes: int) -> Samples:
        """From disk; then from the cache's file in memory, by a mount that has nothing there; again."""
        self.scene.place_hub(0)
        with self.users_mount() as mount:
            uri = f"hf://{self.library.large(mebibytes)}"
            file = mount.machine.outside(mount.path / LARGE)
            samples: Samples = {}
            self.mount_of_a_user(mount, uri)
            read("sequential", file)
            wait_until_sealed(mount, mebibytes * MEBIBYTE)
            for measures in (["from disk"], ["first", "again"]):
                mount.run("umount", mount.path)
                self.mount_of_a_user(mount, uri)
                file.stat()
                self.scene.reset_traffic()
                if measures == ["from disk"]:
                    forget_pages()
                for measure in measures:
                    samples[measure] = rate("sequential", file)
            samples["daemon CPU"] = processor_seconds(self.pid(mount))
            samples["fetched"] = self.scene.traffic().content_bytes
            return samples

    def passed_through(self, mebibytes: int) -> Samples:
        """What FUSE costs here: the same by libfuse's own file system, which hands out the copy."""
        copy, samples = self.copy(mebibytes), Samples()
        for measures in (["from disk"], ["first", "again"]):
            with self.scene.passed_through(keeps=True) as (disk, place):
                os.link(copy, disk / LARGE)
                if measures == ["from disk"]:
                    forget_pages()
                for measure in measures:
                    samples[measure] = rate("sequential", place / LARGE)
        return samples

    def disk_of_a_user(self, mebibytes: int) -> Samples:
        copy = self.copy(mebibytes)
        forget_pages()
        rates = [rate("sequential", copy) for _ in range(3)]
        return dict(zip(["from disk", "first", "again"], rates))

    @contextlib.contextmanager
    def users_mount(self) -> Iterator[users.UsersMount]:
        """On a machine that lets everybody in, so that root can read what the user has mounted."""
        with self.scene.new_folder() as folder, users.passable(folder):
            machine = users.Machine(folder / "machine", "user_allow_other\n")
            (folder / "user").mkdir()
            endpoint = self.scene.hub.address.endpoint
            mount = users.UsersMount(machine, folder / "user", endpoint)
            try:
                yield mount
            finally:
                mount.tear_down()
                machine.close()

    @staticmethod
    def pid(mount: users.UsersMount) -> int:
        told = json.loads(mount.run("status", "--json", mount.path).stdout)
        return told["mounts"][0]["pid"]

    @staticmethod
    def mount_of_a_user(mount: users.UsersMount, uri: str) -> None:
        mount.run("mount", uri, mount.path, "--allow-other")

    def cache(self, mebibytes: int) -> Path:
        """A cache that has the file, sealed. It is filled when it is first asked for."""
        if mebibytes not in self._caches:
            cache = self.scene.folder / f"restart-{mebibytes}"
            with self.scene.reading(self.library.large(mebibytes), cache=cache) as mount:
                read("sequential", mount.path / LARGE)
                wait_until_sealed(mount, mebibytes * MEBIBYTE)
                mount.unmount()
            self._caches[mebibytes] = cache
        return self._caches[mebibytes]

    def copy(self, mebibytes: int) -> Path:
        copy = self.scene.folder / f"restart-{mebibytes}.bin"
        if not copy.exists():
            file = self.library.object_file(self.library.large(mebibytes), LARGE)
            shutil.copyfile(file, copy)
        return copy


def read_again(file: Path) -> Samples:
    """Each way of reading twice: after the kernel has forgotten everything, and once more."""
    samples: Samples = {}
    for prefix, way in [("", "sequential"), ("mmap ", "mapped")]:
        rates: dict[str, list[float]] = {}
        for _ in range(PASSES):
            for place in places():
                rates.setdefault(place, []).append(rate(way, file))
        for place, found in rates.items():
            samples[f"{prefix}from {place}"] = statistics.median(found)
    for place in places():
        samples[f"4 KiB from {place}"] = random_reads_a_second(file)
        # Of what is read from memory, nothing may be missing there.
        read("sequential", file)
    # There is no reading it from memory, and what is there is in the way.
    forget_pages()
    samples["O_DIRECT"] = statistics.median(rate("direct", file) for _ in range(PASSES))
    return samples


def rate(way: str, file: Path) -> float:
    """MB/s of reading all of a file."""
    figures = read(way, file)
    return megabytes(figures["bytes"]) / figures["seconds"]


def random_reads_a_second(file: Path) -> float:
    """By fio, which is quick enough not to be what is measured."""
    report = run(
        "fio", "--name=random", f"--filename={file}", "--readonly", "--rw=randread", "--bs=4k",
        "--ioengine=psync", "--invalidate=0", "--randrepeat=1", "--time_based",
        f"--runtime={RANDOM_SECONDS}", "--output-format=json",
    )  # fmt: skip
    return json.loads(report)["jobs"][0]["read"]["iops"]


def places() -> Iterator[str]:
    forget_pages()
    yield "disk"
    yield "memory"
