"""Where a benchmark takes place: one folder, with a running Hub in it, mounts, and the yardsticks.

All of it is below the one folder, and so on one file system.

The Hub is as far away as a row says: at no distance nginx hands out the large files, so that the
server is not what is measured; else localhub does, over its model of a link.
"""

from __future__ import annotations

import contextlib
import itertools
import http.client
import json
import mmap
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import localhub
import mounting

from . import bare, passthrough
from .web_server import WebServer

MEBIBYTE = 1 << 20
COMMAND_SECONDS = 900

# What localhub does when it is told nothing.
MULTIPART_THRESHOLD_BYTES = PART_BYTES = 20_000_000


# What one connection passes in a round trip: Linux's receive window at its largest.
WINDOW = "2900KB"


@dataclass(frozen=True)
class Traffic:
    """What clients asked for, redirects included, and the bytes of bodies they were sent."""

    requests: int
    byte_count: int
    # Of these, bytes of files. What the Hub says when it is asked for the place of one is in it too.
    content_bytes: int
    # Requests for the place of a file, and for pages of listings.
    resolves: int
    listings: int


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
        self.libcurl = bare.Libcurl(folder)
        self.web = WebServer(folder / "web", self.hub.root)
        # None: localhub itself hands out everything, without a link.
        self.rtt: int | None = None
        self.offers_xet = False
        self.window = WINDOW
        # What rows leave running until the end.
        self.at_end = contextlib.ExitStack()

    def close(self) -> None:
        self.at_end.close()
        self.hub.stop()
        self.web.stop()

    def another_hub(self, name: str) -> localhub.LocalHub:
        """A Hub beside this one, which is nobody's yet and was not started."""
        return localhub.LocalHub(
            self.folder / name, multipart_threshold=MULTIPART_THRESHOLD_BYTES, part_size=PART_BYTES
        )

    def place_hub(
        self, rtt: int | None, *, offers_xet: bool = False, window: str = WINDOW
    ) -> None:
        """Moves the Hub and its CDN so many milliseconds away: 0 for a CDN that costs little, None for the
        Hub's own, which is here as well."""
        if (rtt, offers_xet, window) == (self.rtt, self.offers_xet, self.window):
            return
        self.hub.stop()
        self.web.stop()
        if rtt is None:
            self.hub.serve_options = []
        elif rtt == 0:
            self.web.start()
            self.hub.serve_options = ["--cdn-origin", self.web.origin]
        else:
            self.hub.serve_options = ["--link", f"rtt={rtt}ms,window={window}"]
        if offers_xet:
            self.hub.serve_options += ["--xet"]
        self.hub.start()
        self.rtt, self.offers_xet, self.window = rtt, offers_xet, window

    def reset_traffic(self) -> None:
        self.hub.reset_stats()
        self.web.reset()

    def traffic(self) -> Traffic:
        """Since the reset."""
        stats = self.hub.stats()
        requests, byte_count = self.web.requests_and_bytes()
        content_bytes = byte_count + self.hub.bytes_sent("resolve", "cdn")
        return Traffic(
            requests + self.hub.requests("api", "resolve", "cdn"),
            content_bytes + self.hub.bytes_sent("api"),
            content_bytes,
            stats["endpoints"].get("resolve", 0),
            stats["endpoints"].get("tree", 0),
        )

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
        """A repo to write to for one round, empty or with the files of a folder. The Hub is here."""
        self.place_hub(None)
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
    def reading(
        self, repo: str, *options: object, cache: Path | None = None
    ) -> Iterator[mounting.Mount]:
        """A mount to read from, with an empty cache unless one is given."""
        with self.new_folder() as folder:
            mount = mounting.Mount(folder, self.hub.address.endpoint, cache=cache)
            try:
                yield mount.start(f"hf://{repo}", *options)
            finally:
                mount.tear_down()

    def signed_url(self, repo: str, path: str) -> str:
        """Where the Hub sends those who want a large file."""
        connection = http.client.HTTPConnection(
            urllib.parse.urlsplit(self.hub.address.endpoint).netloc, timeout=60
        )
        with contextlib.closing(connection):
            connection.request("GET", self.resolve_path(repo, path))
            return connection.getresponse().headers["Location"]

    def resolve_url(self, repo: str, path: str) -> str:
        return self.hub.address.endpoint + self.resolve_path(repo, path)

    @staticmethod
    def resolve_path(repo: str, path: str) -> str:
        return f"/{repo}/resolve/main/{path}"

    @contextlib.contextmanager
    def passed_through(self, *, keeps: bool = False) -> Iterator[tuple[Path, Path]]:
        """A folder of the disk, and the same seen through passthrough_ll."""
        if self._passthrough is None:
            self._passthrough = passthrough.build(self.folder)
        with self.new_folder() as folder:
            disk = folder / "disk"
            disk.mkdir()
            program, place = self._passthrough, folder / "mnt"
            with passthrough.mounted(program, disk, place, keeps=keeps):
                yield disk, place

    def ask(self, method: str, path: str, body: dict) -> bytes:
        """Asks the Hub as its API has it. Returns the answer's body."""
        return ask(self.hub.address.endpoint, self.token, method, path, body)


def ask(endpoint: str, token: str, method: str, path: str, body: dict) -> bytes:
    """Asks a Hub as its API has it. Returns the answer's body."""
    request = urllib.request.Request(
        endpoint + path,
        method=method,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
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


def read(way: str, *words: object) -> dict:
    """Lets speed.reader read in one of its ways."""
    return json.loads(run_python("speed.reader", way, *words))


def forget_pages() -> None:
    """Empties the kernel's caches of files, whoever's they are."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def touch_memory(mebibytes: int) -> None:
    """Uses so much memory and frees it. What a virtual machine's host has taken back meanwhile costs several times as
    much at its next use, and would be all that a row of copying shows."""
    with mmap.mmap(-1, mebibytes * MEBIBYTE) as memory:
        memory[:: mmap.PAGESIZE] = bytes(len(memory) // mmap.PAGESIZE)


def processor_seconds(pid: int) -> float:
    """What a daemon has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def commit(mount: mounting.Mount) -> dict[str, float]:
    """Commits everything. Returns the seconds of each step, as the daemon's log has them."""
    mount.run("commit", mount.path, timeout=COMMAND_SECONDS)
    lines = [line for line in mount.log().splitlines() if "commit finished" in line]
    return {step: float(seconds) for step, seconds in re.findall(r"(\w+)=([\d.]+)s\b", lines[-1])}
