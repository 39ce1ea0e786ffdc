"""What is measured of reading again what an earlier mount has fetched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from .library import LARGE, Library
from .measuring import OURS, Goal, Row, Samples
from .read_rows import wait_until_sealed
from .scene import MEBIBYTE, Scene, forget_pages, processor_seconds, read, run
from .write_rows import megabytes

DISK = "disk"
RANDOM_SECONDS = 2


def rows(scene: Scene, library: Library) -> list[Row]:
    return [Restart(scene, library).row()]


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
                Goal("daemon CPU", "s", at_most=0.05),
                Goal("fetched", "bytes", at_most=0, is_worst=True),
            ],
        )

    def hubfs(self, mebibytes: int) -> Samples:
        self.scene.place_hub(0)
        cache = self.cache(mebibytes)
        with self.scene.reading(self.library.large(mebibytes), cache=cache) as mount:
            file = mount.path / LARGE
            file.stat()
            self.scene.reset_traffic()
            before = processor_seconds(mount.process)
            samples = read_again(file)
            after = processor_seconds(mount.process)
            return {
                **samples,
                "daemon CPU": after - before,
                "fetched": self.scene.traffic().byte_count,
            }

    def disk(self, mebibytes: int) -> Samples:
        return read_again(self.copy(mebibytes))

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
        for place in places():
            figures = read(way, file)
            samples[f"{prefix}from {place}"] = megabytes(figures["bytes"]) / figures["seconds"]
    for place in places():
        samples[f"4 KiB from {place}"] = random_reads_a_second(file)
        # Of what is read from memory, nothing may be missing there.
        read("sequential", file)
    return samples


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
