"""What is measured of a loader that needs some tensors of a safetensors file."""

from __future__ import annotations

from pathlib import Path

from . import peers
from .library import TENSORS, Library
from .measuring import OURS, Goal, Row, Samples
from .read_rows import memory, mirror
from .scene import Scene, read

WANTED = 20


def rows(scene: Scene, library: Library) -> list[Row]:
    return [sparse(scene, library)]


def sparse(scene: Scene, library: Library) -> Row:
    def hubfs(mebibytes: int) -> Samples:
        scene.place_hub(20)
        with scene.reading(library.tensors(mebibytes)) as mount:
            return {**load(mount.path / TENSORS), **memory(mount)}

    def rclone(name: str, mebibytes: int) -> Samples:
        scene.place_hub(20)
        url = mirror(scene, library, library.tensors(mebibytes), [TENSORS])
        with scene.new_folder() as folder, peers.rclone(name, url, folder) as place:
            return load(place / TENSORS)

    def load(file: Path) -> Samples:
        file.stat()
        scene.reset_traffic()
        figures = read("sparse", file, WANTED)
        return {
            "load": figures["seconds"],
            "bytes": scene.traffic().byte_count / figures["bytes"],
        }

    return Row(
        name="sparse-20ms",
        title="20 of 200 tensors of {} MiB, every page by mmap, at 20 ms, cold",
        size=1000,
        quick_size=200,
        contenders={
            OURS: hubfs,
            **{name: lambda size, name=name: rclone(name, size) for name in peers.RCLONE},
        },
        goals=[
            Goal("load", "s", at_most=1.1),
            Goal("bytes", "x", at_most=1.15, is_worst=True),
        ],
    )
