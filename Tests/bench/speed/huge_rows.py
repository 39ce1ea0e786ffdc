"""What is measured of a file that is larger than the cache may be."""

from __future__ import annotations

import os

from .library import LARGE, Library
from .measuring import OURS, Goal, Row, Samples
from .read_rows import memory
from .scene import MEBIBYTE, Scene, processor_seconds, read
from .write_rows import megabytes

CACHE_MEBIBYTES = 1024


def rows(scene: Scene, library: Library) -> list[Row]:
    def hubfs(mebibytes: int) -> Samples:
        scene.place_hub(0)
        limit = ["--cache-size", CACHE_MEBIBYTES * MEBIBYTE]
        with scene.reading(library.huge(mebibytes), *limit) as mount:
            os.stat(mount.path / LARGE)
            scene.reset_traffic()
            figures = read("sequential", mount.path / LARGE)
            traffic = scene.traffic()
            used = sum(file.stat().st_blocks * 512 for file in mount.cache.rglob("*"))
            return {
                "last byte": megabytes(figures["bytes"]) / figures["seconds"],
                "bytes": traffic.content_bytes / figures["bytes"],
                "resolve calls": traffic.resolves,
                "requests": traffic.requests,
                "in the cache": used / MEBIBYTE,
                "daemon CPU": processor_seconds(mount.process.pid),
                **memory(mount),
            }

    return [
        Row(
            name="huge-0ms",
            title="{} MiB in order at 0 ms through a cache of %d MiB" % CACHE_MEBIBYTES,
            size=14336,
            quick_size=2048,
            contenders={OURS: hubfs},
            goals=[
                Goal("last byte", "MB/s"),
                Goal("bytes", "x", at_most=1.05),
                Goal("resolve calls", "", at_most=3),
                Goal("requests", ""),
                Goal("in the cache", "MiB", at_most=CACHE_MEBIBYTES),
                Goal("daemon CPU", "s"),
                Goal("peak memory", "MiB"),
            ],
            is_count=True,
        )
    ]
