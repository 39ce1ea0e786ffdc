"""A Hub with a store of chunks that one contender has to itself, so that two can do the same with the same bytes and
neither finds there what the other has sent."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import mounting

from . import peers
from .scene import MEBIBYTE, WINDOW, Scene, ask

FILE = "large.bin"
# Beside a change, where chunks may end elsewhere than they did.
AROUND_BYTES = 4 * MEBIBYTE


class Side:
    def __init__(self, scene: Scene, name: str):
        self.scene = scene
        self.hub = scene.another_hub(name)
        self.hub.serve_options = ["--xet"]
        self.hub.start()
        self.token = self.hub.create_token("lab", "write")
        self._numbers = itertools.count(1)

    def close(self) -> None:
        self.hub.stop()
        shutil.rmtree(self.hub.root)

    def place(self, rtt: int | None) -> None:
        """Moves the Hub so many milliseconds away; None for no model of a link."""
        self.hub.stop()
        link = ["--link", f"rtt={rtt}ms,window={WINDOW}"] if rtt else []
        self.hub.serve_options = ["--xet", *link]
        self.hub.start()

    def new_repo(self, repo: str) -> str:
        self.ask("POST", "/api/repos/create", {
            "name": repo.split("/")[1], "organization": "lab", "type": "model",
        })  # fmt: skip
        return repo

    def new_bucket(self, bucket: str) -> str:
        self.ask("POST", f"/api/buckets/{bucket}", {})
        return f"buckets/{bucket}"

    def new_branch(self, repo: str) -> str:
        """A branch that has what `main` has."""
        branch = f"turn-{next(self._numbers)}"
        self.ask("POST", f"/api/models/{repo}/branch/{branch}", {"startingPoint": "main"})
        return branch

    def ask(self, method: str, path: str, body: dict) -> bytes:
        return ask(self.hub.address.endpoint, self.token, method, path, body)

    @contextlib.contextmanager
    def mounted(self, source: str, *options: object) -> Iterator[mounting.Mount]:
        """A fresh mount, with an empty cache and nothing edited."""
        with self.scene.new_folder() as folder:
            mount = mounting.Mount(folder, self.hub.address.endpoint, token=self.token)
            try:
                yield mount.start(f"hf://{source}", *options)
            finally:
                mount.tear_down()

    def client(self, home: Path, *words: object) -> dict:
        """What a command of `hf` takes, as `peers.official_client` has it."""
        return peers.official_client(self.hub.address.endpoint, self.token, home, *words)

    def upload(self, home: Path, repo: str, file: Path, path: str, branch: str = "main") -> dict:
        return self.client(home, "upload", repo, file, path, "--revision", branch)

    def stored(self) -> int:
        """Bytes that the Hub has on disk."""
        return sum(file.stat().st_size for file in self.hub.root.rglob("*") if file.is_file())

    def new_chunk_bytes(self, repo: str, branch: str, offset: int, removed: int, added: int) -> int:
        """What the file has in chunks that `main` has not: the least that an upload of an edit may send.

        The edit put `added` bytes where `removed` were. Before it, and behind it, a chunk is one of
        `main` if that has one with the same ends: the bytes between are the same.
        """
        start = max(0, offset - AROUND_BYTES)
        old = self._chunks(repo, "main", start, offset + removed + AROUND_BYTES)
        new = self._chunks(repo, branch, start, offset + added + AROUND_BYTES)
        shift = added - removed
        known = {(a, b) for a, b in old if b <= offset}
        known |= {(a + shift, b + shift) for a, b in old if a >= offset + removed}
        least = [(a, b) for a, b in new if (a, b) not in known]
        if new[-1] in least and new[-1][1] < self._size(repo, branch):
            raise RuntimeError(f"chunks of {repo}@{branch} do not come together again")
        return sum(b - a for a, b in least)

    def _chunks(self, repo: str, branch: str, start: int, end: int) -> list[tuple[int, int]]:
        """Where the chunks begin and end that have these bytes of the file."""
        token = json.loads(self._get(f"/api/models/{repo}/xet-read-token/{branch}"))
        request = urllib.request.Request(
            f"{token['casUrl']}/v2/reconstructions/{self._info(repo, branch)['xetHash']}"
            "?chunk_byte_sizes=true",
            headers={
                "Authorization": f"Bearer {token['accessToken']}",
                "Range": f"bytes={start}-{end - 1}",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            plan = json.loads(answer.read())
        sizes = [size for term in plan["terms"] for size in term["chunk_byte_sizes"]]
        ends = list(itertools.accumulate(sizes, initial=start - plan["offset_into_first_range"]))
        return list(itertools.pairwise(ends))

    def _size(self, repo: str, branch: str) -> int:
        return self._info(repo, branch)["size"]

    def _info(self, repo: str, branch: str) -> dict:
        (info,) = json.loads(
            self.ask("POST", f"/api/models/{repo}/paths-info/{branch}", {"paths": [FILE]})
        )
        return info

    def _get(self, path: str) -> bytes:
        request = urllib.request.Request(
            self.hub.address.endpoint + path, headers={"Authorization": f"Bearer {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()
