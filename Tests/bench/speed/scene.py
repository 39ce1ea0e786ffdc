"""Where a benchmark takes place: one folder, with a running Hub in it, mounts, and the yardsticks.

All of it is below the one folder, and so on one file system.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import localhub
import mounting

from . import passthrough

MEBIBYTE = 1 << 20
COMMAND_SECONDS = 900

# What localhub does when it is told nothing.
MULTIPART_THRESHOLD_BYTES = PART_BYTES = 20_000_000


class Scene:
    def __init__(self, folder: Path):
        self.folder = folder
        self.hub = localhub.LocalHub(
            folder / "hub", multipart_threshold=MULTIPART_THRESHOLD_BYTES, part_size=PART_BYTES
        )
        self.hub.start()
        self.token = self.hub.create_token("lab", "write")
        self._numbers = itertools.count(1)
        self._passthrough: Path | None = None

    def close(self) -> None:
        self.hub.stop()

    @contextlib.contextmanager
    def new_folder(self) -> Iterator[Path]:
        """An empty folder for one round. The disk has nothing to do when it is given out."""
        folder = self.folder / f"round-{next(self._numbers)}"
        folder.mkdir()
        os.sync()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    @contextlib.contextmanager
    def new_repo(self, files: Path | None = None) -> Iterator[str]:
        """A repo for one round, empty or with the files of a folder."""
        repo = f"lab/bench-{next(self._numbers)}"
        with self.new_folder() as empty:
            self.hub.run("import", "--root", self.hub.root, repo, files or empty)
        try:
            yield repo
        finally:
            name = repo.split("/")[1]
            self.ask("DELETE", "/api/repos/delete", {"name": name, "organization": "lab"})

    @contextlib.contextmanager
    def mounted(self, repo: str) -> Iterator[mounting.Mount]:
        """A fresh writable mount, with an empty cache and nothing edited. What is edited and not
        committed goes with it."""
        with self.new_folder() as folder:
            mount = mounting.Mount(folder, self.hub.address.endpoint, token=self.token)
            try:
                yield mount.start(f"hf://{repo}", "-w", "--commit", "manual")
            finally:
                mount.tear_down()

    @contextlib.contextmanager
    def passed_through(self) -> Iterator[Path]:
        """A folder of the disk, seen through passthrough_ll."""
        if self._passthrough is None:
            self._passthrough = passthrough.build(self.folder)
        with self.new_folder() as folder:
            (folder / "disk").mkdir()
            with passthrough.mounted(self._passthrough, folder / "disk", folder / "mnt") as place:
                yield place

    def ask(self, method: str, path: str, body: dict) -> bytes:
        """Asks the Hub as its API has it. Returns the answer's body."""
        request = urllib.request.Request(
            self.hub.address.endpoint + path,
            method=method,
            data=json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()


def run(*command: object) -> str:
    """Runs a program that must succeed, in time."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=COMMAND_SECONDS, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise RuntimeError(f"{words} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def run_python(module: str, *arguments: object) -> str:
    return run(sys.executable, "-m", module, *arguments)


def commit(mount: mounting.Mount) -> dict[str, float]:
    """Commits everything. Returns the seconds of each step, as the daemon's log has them."""
    mount.run("commit", mount.path, timeout=COMMAND_SECONDS)
    lines = [line for line in mount.log().splitlines() if "commit finished" in line]
    return {step: float(seconds) for step, seconds in re.findall(r"(\w+)=([\d.]+)s\b", lines[-1])}
