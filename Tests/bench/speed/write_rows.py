"""What is measured of writing and committing."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
import urllib.parse
from pathlib import Path

import mounting

from .library import Library
from .measuring import OURS, Goal, Row, Samples
from .scene import MEBIBYTE, PART_BYTES, Scene, commit, run, run_python

PASSTHROUGH = "passthrough_ll"
MEMORY = Goal("peak memory", "MiB", at_most=64, is_worst=True)


def rows(scene: Scene, library: Library) -> list[Row]:
    return [
        small_files(scene),
        small_objects(scene),
        large_file(scene),
        edit_in_place(scene),
        LFSUpload(scene).row(),
    ]


def megabytes(byte_count: float) -> float:
    return byte_count / 1e6


def memory(mount: mounting.Mount) -> Samples:
    return {MEMORY.measure: mount.peak_memory_bytes() / MEBIBYTE}


# Many small files.


def small_files(scene: Scene) -> Row:
    def passthrough(count: int) -> Samples:
        with scene.passed_through() as (_, place):
            return {"files written": write_files("text", place, count)}

    return Row(
        name="small-files",
        title="{} files of 4 KiB written, and committed",
        size=10_000,
        quick_size=1000,
        contenders={
            OURS: lambda count: write_and_commit(scene, "text", count),
            PASSTHROUGH: passthrough,
        },
        goals=[
            Goal("files written", "/s", against=PASSTHROUGH, at_least=0.5),
            Goal("their commit", "s", at_most=30, is_worst=True),
            MEMORY,
        ],
    )


def small_objects(scene: Scene) -> Row:
    return Row(
        name="small-objects",
        title="{} binaries of 4 KiB committed, each an LFS object",
        size=10_000,
        quick_size=1000,
        contenders={OURS: lambda count: write_and_commit(scene, "binary", count)},
        goals=[Goal("their commit", "s", at_most=30, is_worst=True), MEMORY],
    )


def write_and_commit(scene: Scene, kind: str, count: int) -> Samples:
    with scene.new_repo() as repo, scene.mounted(repo) as mount:
        rate = write_files(kind, mount.path, count)
        started = time.monotonic()
        commit(mount)
        seconds = time.monotonic() - started
        return {"files written": rate, "their commit": seconds, **memory(mount)}


def write_files(kind: str, folder: Path, count: int) -> float:
    """Files a second."""
    return count / float(run_python("speed.file_writer", kind, folder, count))


# One large file.


def large_file(scene: Scene) -> Row:
    def hubfs(mebibytes: int) -> Samples:
        with scene.new_repo() as repo, scene.mounted(repo) as mount:
            return {"dd with fdatasync": dd(mount.path, mebibytes), **memory(mount)}

    def ext4(mebibytes: int) -> Samples:
        with scene.new_folder() as folder:
            return {"dd with fdatasync": dd(folder, mebibytes)}

    def passthrough(mebibytes: int) -> Samples:
        with scene.passed_through() as (_, place):
            return {"dd with fdatasync": dd(place, mebibytes)}

    return Row(
        name="large-file",
        title="{} MiB by dd bs=1M conv=fdatasync",
        size=1024,
        quick_size=64,
        contenders={OURS: hubfs, "disk": ext4, PASSTHROUGH: passthrough},
        goals=[
            Goal("dd with fdatasync", "MB/s", against=PASSTHROUGH, at_least=0.8),
            # Beyond FUSE's own cost: either of the two goals will do.
            Goal("dd with fdatasync", "MB/s", against="disk"),
            MEMORY,
        ],
    )


def dd(folder: Path, mebibytes: int) -> float:
    """MB/s, until the bytes are on disk."""
    started = time.monotonic()
    run("dd", "if=/dev/zero", f"of={folder}/large.bin", "bs=1M", f"count={mebibytes}",
        "conv=fdatasync")  # fmt: skip
    return megabytes(mebibytes * MEBIBYTE) / (time.monotonic() - started)


# A few bytes of a large file.


def edit_in_place(scene: Scene) -> Row:
    def hubfs(mebibytes: int) -> Samples:
        with scene.new_folder() as files:
            with (files / "large.bin").open("wb") as file:
                file.truncate(mebibytes * MEBIBYTE)
            with scene.new_repo(files) as repo, scene.mounted(repo) as mount:
                os.stat(mount.path / "large.bin")
                scene.hub.reset_stats()
                started = time.monotonic()
                run("dd", "if=/dev/urandom", f"of={mount.path}/large.bin", "bs=4", "count=1",
                    f"seek={mebibytes * MEBIBYTE // 8}", "conv=notrunc,fsync")  # fmt: skip
                seconds = time.monotonic() - started
                return {
                    "fetched for 4 bytes": scene.hub.bytes_sent("resolve", "cdn"),
                    "time": seconds * 1000,
                    **memory(mount),
                }

    return Row(
        name="edit-in-place",
        title="4 bytes changed in a file of {} MiB at the Hub",
        size=2048,
        quick_size=128,
        contenders={OURS: hubfs},
        goals=[
            Goal("fetched for 4 bytes", "bytes", at_most=0, is_worst=True),
            Goal("time", "ms"),
            MEMORY,
        ],
        is_count=True,
    )


# One large file on its way to the Hub.


# A little more than the kernel waits before it gives freed memory back to the host.
SETTLING_SECONDS = 4


class LFSUpload:
    """An LFS object from a mount to the Hub, and from curl to the very same URLs.

    curl gets the Hub's answer and the parts' files before the clock starts: what it is timed for is
    sending, and the Hub's putting together.
    """

    def __init__(self, scene: Scene):
        self.scene = scene
        self.mebibytes = 0
        self.oid = ""

    def row(self) -> Row:
        return Row(
            name="lfs-upload",
            title="{} MiB of LFS uploaded by a commit",
            size=2048,
            quick_size=128,
            contenders={OURS: self.hubfs, "curl": self.curl, "curl-parts": self.curl_in_parts},
            goals=[
                Goal("upload", "MB/s", against="curl-parts", at_least=0.8),
                Goal("upload", "MB/s", against="curl"),
                Goal("whole commit", "MB/s", against="curl"),
                MEMORY,
            ],
        )

    @property
    def file(self) -> Path:
        return self.scene.folder / "large.bin"

    def have(self, mebibytes: int) -> int:
        """Makes the file that is uploaded, unless it is there. Returns its size."""
        if mebibytes != self.mebibytes:
            self.mebibytes = mebibytes
            digest = hashlib.sha256()
            with self.file.open("wb") as file:
                for _ in range(mebibytes):
                    piece = os.urandom(MEBIBYTE)
                    digest.update(piece)
                    file.write(piece)
            self.oid = digest.hexdigest()
        return mebibytes * MEBIBYTE

    def hubfs(self, mebibytes: int) -> Samples:
        size = self.have(mebibytes)
        with self.scene.new_repo() as repo, self.scene.mounted(repo) as mount:
            run("cp", self.file, mount.path / "large.bin")
            settle()
            started = time.monotonic()
            steps = commit(mount)
            seconds = time.monotonic() - started
            return {
                "upload": megabytes(size) / steps["uploading"],
                "whole commit": megabytes(size) / seconds,
                **memory(mount),
            }

    def curl(self, mebibytes: int) -> Samples:
        """All of it with one PUT."""
        size = self.have(mebibytes)
        with self.scene.new_repo() as repo:
            href = self.begin(repo, size, ["basic"])["href"]
            settle()
            started = time.monotonic()
            upload([(self.file, href)])
            rate = megabytes(size) / (time.monotonic() - started)
            return {"upload": rate, "whole commit": rate}

    def curl_in_parts(self, mebibytes: int) -> Samples:
        """The parts that a client is asked for, four at once, and the request that ends them."""
        size = self.have(mebibytes)
        with self.scene.new_repo() as repo, self.scene.new_folder() as folder:
            action = self.begin(repo, size, ["basic", "multipart"])
            run("split", "-b", PART_BYTES, "-a", 4, self.file, f"{folder}/")
            urls = [url for name, url in sorted(action["header"].items()) if name.isdigit()]
            settle()
            started = time.monotonic()
            tags = upload(list(zip(sorted(folder.iterdir()), urls, strict=True)))
            parts = [{"partNumber": n, "etag": tag} for n, tag in enumerate(tags, start=1)]
            place = urllib.parse.urlsplit(action["href"])
            self.scene.ask("POST", f"{place.path}?{place.query}", {"oid": self.oid, "parts": parts})
            return {"upload": megabytes(size) / (time.monotonic() - started)}

    def begin(self, repo: str, size: int, transfers: list[str]) -> dict:
        """Where the Hub wants the object."""
        answer = self.scene.ask("POST", f"/{repo}.git/info/lfs/objects/batch", {
            "operation": "upload", "transfers": transfers, "hash_algo": "sha256",
            "ref": {"name": "main"}, "objects": [{"oid": self.oid, "size": size}],
        })  # fmt: skip
        return json.loads(answer)["objects"][0]["actions"]["upload"]


def settle() -> None:
    """Waits until what was written is on disk, and a virtual machine's host has taken back what memory
    is free. The Hub's first write to a page costs up to ten times as much then, but to whoever sends;
    without the wait to that contender alone before whom nobody has just given memory back."""
    os.sync()
    time.sleep(SETTLING_SECONDS)


def upload(files: list[tuple[Path, str]]) -> list[str]:
    """PUTs files with curl, four at a time. Returns the answers' tags, in order."""
    settings = "\nnext\n".join(
        f'upload-file = "{file}"\nurl = "{url}"\nfail\nsilent\nshow-error\nheader = "Expect:"\n'
        'write-out = "%{url} %header{etag}\\n"\noutput = "/dev/null"'
        for file, url in files
    )
    done = subprocess.run(
        ["curl", "--parallel", "--parallel-max", "4", "--config", "-"],
        input=settings, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"curl ended with {done.returncode}:\n{done.stderr}")
    tags = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    return [tags[url] for _, url in files]
