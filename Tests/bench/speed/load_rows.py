"""What is measured of a program that people run: transformers, which loads a model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from localhub import REPOSITORY

from .library import Library
from .measuring import OURS, Goal, Row, Samples
from .read_rows import wait_until_sealed
from .scene import COMMAND_SECONDS, Scene, forget_pages

DISK = "disk"
PYTHON = REPOSITORY / ".venv-programs/bin/python"
PROGRAM = Path(__file__).with_name("pretrained.py")
WEIGHTS = "model.safetensors"
# One load takes a quarter of a second, of which a fifth is luck with the disk and with fresh memory.
TURN_COUNT = 5


def rows(scene: Scene, library: Library) -> list[Row]:
    return Load(scene, library).rows() if can_run("load") else []


def can_run(group: str) -> bool:
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
    if PYTHON.exists() and subprocess.run([PYTHON, "-c", look], timeout=60).returncode == 0:
        return True
    print(f"{group}: torch cannot be had here, nothing is measured", file=sys.stderr)
    return False


class Load:
    """`from_pretrained` of a model of 90 MB, and of a copy of it in a plain folder."""

    def __init__(self, scene: Scene, library: Library):
        self.scene = scene
        self.library = library
        self._model: Path | None = None
        self._cache: Path | None = None
        self._total: float | None = None

    def rows(self) -> list[Row]:
        return [
            Row(
                name="load-20ms",
                title="transformers loads a model of MiniLM's shape, {} time, nothing cached, at 20 ms",
                size=1,
                quick_size=1,
                contenders={OURS: self.hubfs, DISK: self.disk},
                limit=DISK,
                goals=[Goal("load", "s"), Goal("fetched", "x", at_most=1.05, is_worst=True)],
            ),
            Row(
                name="load-warm",
                title="transformers loads it {} time more, from where it has just been loaded",
                size=1,
                quick_size=1,
                contenders={OURS: self.hubfs_again, DISK: self.disk_again},
                limit=DISK,
                goals=[Goal("load", "s", against=DISK, at_most=1.05)],
                turn_count=TURN_COUNT,
            ),
            Row(
                name="load-restart",
                title="transformers loads it {} time from a new mount, no page in memory",
                size=1,
                quick_size=1,
                contenders={OURS: self.hubfs_restarted, DISK: self.disk_restarted},
                limit=DISK,
                goals=[
                    Goal("load", "s", against=DISK, at_most=1.05),
                    Goal("asked for", "files", at_most=0, is_worst=True),
                ],
                turn_count=TURN_COUNT,
            ),
        ]

    def hubfs(self, _: int) -> Samples:
        self.scene.place_hub(20)
        size = sum(file.stat().st_size for file in self.model.iterdir())
        with self.scene.reading(self.repo) as mount:
            self.scene.reset_traffic()
            samples = {"load": self.load(mount.path)}
            samples["fetched"] = self.scene.traffic().byte_count / size
        return samples

    def disk(self, _: int) -> Samples:
        return {"load": self.load(self.model)}

    def hubfs_again(self, _: int) -> Samples:
        self.scene.place_hub(0)
        with self.scene.reading(self.repo) as mount:
            return self.second(mount.path)

    def disk_again(self, _: int) -> Samples:
        return self.second(self.model)

    def second(self, folder: Path) -> Samples:
        self.load(folder)
        return {"load": self.load(folder)}

    def hubfs_restarted(self, _: int) -> Samples:
        self.scene.place_hub(20)
        cache = self.cache
        forget_pages()
        with self.scene.reading(self.repo, cache=cache) as mount:
            self.scene.reset_traffic()
            return {"load": self.load(mount.path), "asked for": self.scene.traffic().resolves}

    def disk_restarted(self, _: int) -> Samples:
        forget_pages()
        return {"load": self.load(self.model)}

    @property
    def repo(self) -> str:
        return self.library.folder("minilm", self.model)

    @property
    def cache(self) -> Path:
        """A cache that has all of the model."""
        if self._cache is None:
            self._cache = self.scene.folder / "minilm-cache"
            with self.scene.reading(self.repo, cache=self._cache) as mount:
                self.load(mount.path)
                wait_until_sealed(mount, (self.model / WEIGHTS).stat().st_size)
                mount.unmount()
        return self._cache

    @property
    def model(self) -> Path:
        if self._model is None:
            self._model = self.scene.folder / "minilm-copy"
            python("make", self._model)
        return self._model

    def load(self, folder: Path) -> float:
        figures = json.loads(python("load", folder).splitlines()[-1])
        self._total = self._total or figures["total"]
        if figures["total"] != self._total:
            raise RuntimeError(f"{folder}: the weights are others")
        return figures["seconds"]


def python(what: str, folder: Path) -> str:
    """Runs the program without anything of the Hub's, and with as many threads every time."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "PYTHON"))}
    done = subprocess.run(
        [PYTHON, PROGRAM, what, folder],
        env={**outside, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=COMMAND_SECONDS, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{what} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return done.stdout
