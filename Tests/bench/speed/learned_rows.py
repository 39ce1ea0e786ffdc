"""What is measured of a load that was seen before: how long it waits for what is not here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from .library import Library
from .load_rows import can_run, python
from .measuring import OURS, Goal, Row, Samples
from .scene import Scene

# Nobody waits less than the clock can tell.
LEAST_SECONDS = 0.01


def rows(scene: Scene, library: Library) -> list[Row]:
    if not can_run("learned"):
        return []
    return [
        Learned(scene, library, "make").row("learned-minilm", "a model of MiniLM's shape"),
        Learned(scene, library, "make-sharded").row("learned-sharded", "2 GiB in six files"),
    ]


class Learned:
    """`from_pretrained` from mounts that have nothing cached: one that knows nothing, one that has learned
    from it, and one with an empty folder and the recording of the first.

    A load stalls for as long as it takes more than one for which everything is here.
    """

    def __init__(self, scene: Scene, library: Library, make: str):
        self.scene = scene
        self.library = library
        self.make = make

    def row(self, name: str, model: str) -> Row:
        return Row(
            name=name,
            title=f"transformers loads {model} again, nothing cached, at 50 ms, {{}} time a state",
            size=1,
            quick_size=1,
            contenders={OURS: self.hubfs},
            goals=[
                Goal("first stall", "s"),
                Goal("second stall", "s"),
                Goal("replayed stall", "s"),
                Goal("first over second", "x", at_least=3),
                Goal("first over replayed", "x", at_least=3),
                Goal("fetched again", "x", at_most=1.05, is_worst=True),
            ],
        )

    def hubfs(self, _: int) -> Samples:
        self.scene.place_hub(50)
        repo = self.repo()
        with self.scene.new_folder() as folder:
            cache, order = folder / "cache", folder / "order.jsonl"
            with self.scene.reading(repo, "--record", order, cache=cache) as mount:
                first = self.stall(mount.path)
                mount.unmount()
            forget_contents(cache)
            with self.scene.reading(repo, cache=cache) as mount:
                self.scene.reset_traffic()
                second = self.stall(mount.path)
                byte_count = self.scene.traffic().byte_count
            with self.scene.reading(repo, "--replay", order) as mount:
                replayed = self.stall(mount.path)
            return {
                "first stall": first,
                "second stall": second,
                "replayed stall": replayed,
                "first over second": first / second,
                "first over replayed": first / replayed,
                "fetched again": byte_count / recorded_bytes(order),
            }

    def repo(self) -> str:
        model = self.scene.folder / f"{self.make}-model"
        if not model.exists():
            python(self.make, model)
        return self.library.folder(f"learned-{self.make}", model)

    @staticmethod
    def stall(folder: Path) -> float:
        cold, warm = (
            json.loads(python("load", folder).splitlines()[-1])["seconds"] for _ in range(2)
        )
        return max(cold - warm, LEAST_SECONDS)


def forget_contents(cache: Path) -> None:
    """Takes out of a cache what was downloaded; what was learned stays."""
    shutil.rmtree(cache / "contents")
    for file in cache.glob("small.db*"):
        file.unlink()


def recorded_bytes(order: Path) -> int:
    _, *lines = order.read_text().splitlines()
    return sum(json.loads(line)["length"] for line in lines)
