"""What is measured of reading single pages of a large file."""

from __future__ import annotations

from pathlib import Path

from . import peers
from .library import LARGE, Library
from .measuring import OURS, Goal, Row, Samples
from .read_rows import mirror
from .scene import Scene, read

PAGE_BYTES = 4096
LIBRARY_MEBIBYTES = 1024
# The same places for everybody, and others than those of any other row.
SEED = 20


def rows(scene: Scene, library: Library) -> list[Row]:
    return [random_cold(scene, library)]


def random_cold(scene: Scene, library: Library) -> Row:
    def hubfs(count: int) -> Samples:
        scene.place_hub(20)
        with scene.reading(library.large(LIBRARY_MEBIBYTES)) as mount:
            return pages(mount.path / LARGE, count)

    def rclone(name: str, count: int) -> Samples:
        scene.place_hub(20)
        url = mirror(scene, library, library.large(LIBRARY_MEBIBYTES), [LARGE])
        with scene.new_folder() as folder, peers.rclone(name, url, folder) as place:
            return pages(place / LARGE, count)

    def pages(file: Path, count: int) -> Samples:
        # The first read of all finds out where the file is.
        read("scattered", file, 1, SEED + 1)
        scene.reset_traffic()
        figures = read("scattered", file, count, SEED)
        return {
            "4 KiB": figures["median"] * 1000,
            "slowest": figures["worst"] * 1000,
            "bytes": scene.traffic().content_bytes / (count * PAGE_BYTES),
        }

    return Row(
        name="random-20ms",
        title="{} single pages of a file of 1 GiB at 20 ms, cold",
        size=100,
        quick_size=20,
        contenders={
            OURS: hubfs,
            **{name: lambda count, name=name: rclone(name, count) for name in peers.RCLONE},
        },
        goals=[
            Goal("4 KiB", "ms", at_most=31),
            Goal("slowest", "ms"),
            Goal("bytes", "x", at_most=8, is_worst=True),
        ],
    )
