"""Buckets of a Hub that offers them, and what others do to them while a mount shows them."""

from __future__ import annotations

import datetime
import json
import urllib.parse
import urllib.request
from pathlib import Path

import xet_program
from huggingface_hub import HfFileSystem
from samples import MEBIBYTE, noise

LARGE = noise(12 * MEBIBYTE, seed=311)
OTHER = noise(9 * MEBIBYTE, seed=312)
FILES = {
    "a.txt": b"text\n",
    "dir/large.bin": LARGE,
    "dir/sub/b.bin": noise(5000, seed=32),
    "dir.json": b"{}",
    "dirx/q.txt": b"beside\n",
    "empty": b"",
}
SEED = "lab/seed"


class Bucket:
    """One bucket, as anybody sees it who asks the Hub."""

    def __init__(self, hub, name: str, token: str):
        self.hub = hub
        self.name = name
        self.source = f"hf://buckets/{name}"
        self.api = f"{hub.address.endpoint}/api/buckets/{name}"
        self.token = token
        self.fs = HfFileSystem(
            endpoint=hub.address.endpoint, token=token, skip_instance_cache=True
        )

    def ask(self, path: str, body: bytes | None = None, kind: str = "application/json"):
        request = urllib.request.Request(
            self.api + path, body,
            {"Authorization": f"Bearer {self.token}", "Content-Type": kind},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    @property
    def hashes(self) -> dict[str, str]:
        """What each path has."""
        rows = self.ask("/tree?recursive=true&limit=5000")
        return {row["path"]: row["xetHash"] for row in rows}

    def copy(self, **files: str) -> None:
        """Somebody else gives paths what the seed has at others: copy(new="a.txt")."""
        self.batch(
            {
                "type": "copyFile", "path": path, "xetHash": seed_hashes(self)[source],
                "mtime": 1_700_000_000_000, "sourceRepoType": "bucket", "sourceRepoId": SEED,
            }
            for path, source in files.items()
        )  # fmt: skip

    def date(self, **dates: float) -> None:
        """Somebody else gives paths their own content once more, changed so many seconds after 1970."""
        hashes = self.hashes
        self.batch(
            {
                "type": "copyFile", "path": path, "xetHash": hashes[path], "mtime": int(date * 1000),
                "sourceRepoType": "bucket", "sourceRepoId": self.name,
            }
            for path, date in dates.items()
        )  # fmt: skip

    @property
    def dates(self) -> dict[str, float]:
        """When each path was changed, as the bucket has it."""
        rows = self.ask("/tree?recursive=true&limit=5000")
        return {
            row["path"]: datetime.datetime.fromisoformat(row["mtime"]).timestamp() for row in rows
        }

    def delete(self, *paths: str) -> None:
        self.batch({"type": "deleteFile", "path": path} for path in paths)

    def batch(self, operations) -> None:
        lines = "".join(json.dumps(operation) + "\n" for operation in operations)
        answer = self.ask("/batch", lines.encode(), "application/x-ndjson")
        assert not answer["failed"], answer

    def read(self, path: str) -> bytes:
        """A file as the official client's file system has it."""
        self.fs.invalidate_cache()
        return self.fs.cat_file(f"{self.source}/{urllib.parse.quote(path)}")

    def contents(self) -> dict[str, bytes]:
        """All of it, by the official client's file system."""
        self.fs.invalidate_cache()
        prefix = f"buckets/{self.name}/"
        return {path.removeprefix(prefix): self.fs.cat_file(path) for path in self.fs.find(self.source)}


def seed_hashes(bucket: Bucket) -> dict[str, str]:
    return Bucket(bucket.hub, SEED, bucket.token).hashes


def create(hub, name: str, token: str) -> Bucket:
    bucket = Bucket(hub, name, token)
    bucket.ask("", b"{}")
    return bucket


def fill_seed(hub, token: str, folder: Path) -> None:
    """Makes the bucket that the others copy from, by the official client."""
    hub.write_token = token
    create(hub, SEED, token)
    for path, data in {**FILES, "other.bin": OTHER, "other.txt": b"others\n"}.items():
        (folder / "seed" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "seed" / path).write_bytes(data)
    xet_program.run(
        hub, folder / "home", "buckets", "sync", folder / "seed", f"hf://buckets/{SEED}"
    )


def dates(root: Path) -> dict[str, float]:
    """When each file was changed, as a mount shows it."""
    return {
        str(path.relative_to(root)): path.stat().st_mtime
        for path in root.rglob("*") if path.is_file()
    }  # fmt: skip


def tree(root: Path) -> dict[str, bytes]:
    """Every file that a mount shows."""
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }
