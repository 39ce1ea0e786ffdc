"""What is measured of the daemon's memory when many read at once."""

from __future__ import annotations

from .library import LARGE, Library
from .measuring import OURS, Goal, Row, Samples
from .read_rows import memory
from .scene import Scene, read
from .write_rows import megabytes

READERS = 200


def rows(scene: Scene, library: Library) -> list[Row]:
    return [crowd(scene, library)]


def crowd(scene: Scene, library: Library) -> Row:
    def hubfs(mebibytes: int) -> Samples:
        scene.place_hub(20)
        with scene.reading(library.large(1024)) as mount:
            figures = read("crowd", mount.path / LARGE, READERS, mebibytes)
            rate = megabytes(figures["bytes"]) / figures["seconds"]
            return {"together": rate, **memory(mount)}

    return Row(
        name="crowd",
        title=f"{READERS} readers at once" + " of {} MiB each of a file of 1 GiB at 20 ms, cold",
        size=4,
        quick_size=1,
        contenders={OURS: hubfs},
        goals=[
            Goal("peak memory", "MiB", at_most=128, is_worst=True),
            Goal("together", "MB/s"),
        ],
    )
