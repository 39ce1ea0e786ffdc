"""Repos that are read and never changed, made when the first row needs them."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import struct
from pathlib import Path

from .scene import MEBIBYTE, Scene

LARGE = "model.bin"
TENSORS = "model.safetensors"
TENSOR_COUNT = 200


class Library:
    def __init__(self, scene: Scene):
        self.scene = scene
        self._repos: dict[str, str] = {}

    def large(self, mebibytes: int) -> str:
        """A repo with one large file, and a smaller one beside it."""

        def fill(folder: Path) -> None:
            write_noise(folder / LARGE, mebibytes)
            write_noise(folder / "other.bin", 16)

        return self._repo(f"large-{mebibytes}", fill)

    def two_revisions(self, mebibytes: int, share: float) -> str:
        """A repo with a large file and the same one with some chunks changed, both in Xet's form too. The
        second is made of what it shares with the first, and of what is new."""

        def fill(folder: Path) -> None:
            first, second = folder / "a-first.bin", folder / "b-second.bin"
            write_noise(first, mebibytes)
            shutil.copyfile(first, second)
            # A chunk has 64 KiB, more or less.
            count = max(1, round(mebibytes * 16 * share))
            draw = random.Random(mebibytes)
            with second.open("r+b") as file:
                for _ in range(count):
                    file.seek(draw.randrange(mebibytes * MEBIBYTE - 64))
                    file.write(os.urandom(64))

        return self._repo(f"revisions-{mebibytes}", fill, "--xet")

    def huge(self, mebibytes: int) -> str:
        """A repo with a file that takes hardly any room: a page of each 16 MiB has its number in it, the
        rest are holes. It is put where localhub keeps objects, for an import would fill them."""
        name = f"huge-{mebibytes}"
        if name in self._repos:
            return self._repos[name]
        file = self.scene.folder / f"{name}.bin"
        with file.open("wb") as out:
            for start in range(0, mebibytes * MEBIBYTE, 16 * MEBIBYTE):
                out.seek(start)
                out.write(str(start).encode().ljust(4096))
            out.truncate(mebibytes * MEBIBYTE)
        with file.open("rb") as content:
            oid = hashlib.file_digest(content, "sha256").hexdigest()
        pointer = ["version https://git-lfs.github.com/spec/v1", f"oid sha256:{oid}"]
        pointer += [f"size {mebibytes * MEBIBYTE}", ""]

        def fill(folder: Path) -> None:
            # Nothing goes to LFS by itself then.
            (folder / ".gitattributes").touch()
            (folder / LARGE).write_text("\n".join(pointer))

        repo = self._repo(name, fill)
        place = self._object(repo, oid)
        place.parent.mkdir(parents=True)
        file.rename(place)
        return repo

    def small(self, count: int) -> str:
        """A repo with many binaries of 16 KiB in a few directories."""

        def fill(folder: Path) -> None:
            for number in range(count):
                file = folder / f"part-{number // 250:02}" / f"{number:05}.bin"
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(os.urandom(16 << 10))

        return self._repo(f"small-{count}", fill)

    def tree(self, count: int) -> str:
        """A repo with many tiny files, a thousand a directory."""

        def fill(folder: Path) -> None:
            for number in range(count):
                file = folder / f"part-{number // 1000:03}" / f"{number:06}.txt"
                file.parent.mkdir(exist_ok=True)
                file.write_text(f"{number}\n")

        return self._repo(f"tree-{count}", fill)

    def tensors(self, mebibytes: int) -> str:
        """A repo with a safetensors file of 200 tensors of one size."""

        def fill(folder: Path) -> None:
            size = mebibytes * MEBIBYTE // TENSOR_COUNT
            header = {
                f"layer.{number:03}.weight": {
                    "dtype": "U8",
                    "shape": [size],
                    "data_offsets": [number * size, (number + 1) * size],
                }
                for number in range(TENSOR_COUNT)
            }
            text = json.dumps(header).encode()
            text += b" " * (-len(text) % 8)
            with (folder / TENSORS).open("wb") as file:
                file.write(struct.pack("<Q", len(text)) + text)
                for _ in range(TENSOR_COUNT):
                    file.write(os.urandom(size))

        return self._repo(f"tensors-{mebibytes}", fill)

    def folder(self, name: str, source: Path) -> str:
        """A repo with the files of a folder."""
        return self._repo(name, lambda folder: shutil.copytree(source, folder, dirs_exist_ok=True))

    def object_file(self, repo: str, path: str) -> Path:
        """Where localhub keeps an LFS file of a repo."""
        return self._object(repo, self.scene.signed_url(repo, path).split("?")[0].rsplit("/", 1)[1])

    def _object(self, repo: str, oid: str) -> Path:
        objects = self.scene.hub.root / "models" / f"{repo}.git" / "lfs" / "objects"
        return objects / oid[:2] / oid[2:4] / oid

    def _repo(self, name: str, fill, *options: str) -> str:
        if name not in self._repos:
            folder = self.scene.folder / name
            folder.mkdir()
            fill(folder)
            repo = f"lab/{name}"
            self.scene.hub.run("import", "--root", self.scene.hub.root, repo, folder, *options)
            shutil.rmtree(folder)
            os.sync()
            self._repos[name] = repo
        return self._repos[name]


def write_noise(file: Path, mebibytes: int) -> None:
    with file.open("wb") as out:
        for _ in range(mebibytes):
            out.write(os.urandom(MEBIBYTE))
