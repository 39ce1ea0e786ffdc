"""The cache stays within its limit at every moment, whoever uses it, and what does not fit still reads."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import mounting
import pytest
from samples import MEBIBYTE, noise, sha256, text

LIMIT = 48 * MEBIBYTE
FILES = {
    # Larger than the cache.
    "huge.bin": noise(64 * MEBIBYTE, seed=60),
    **{f"large/{n}.bin": noise(11 * MEBIBYTE, seed=100 + n) for n in range(8)},
    **{f"middle/{n}.bin": noise(200_000 + 10_000 * n, seed=200 + n) for n in range(60)},
    **{f"small/{n}.txt": text(1_000 + 60 * n, seed=300 + n) for n in range(600)},
}
DIGESTS = {path: hashlib.sha256(data).digest() for path, data in FILES.items()}


@pytest.fixture(scope="module")
def sample(import_repo) -> str:
    return import_repo(FILES)


@pytest.fixture
def disk(tmp_path):
    """A file system of its own for the cache: what it has in use is exact at each moment."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "none", path], check=True)
    yield path
    mounting.detach(path)


def used_bytes(path: Path) -> int:
    facts = os.statvfs(path)
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize


def log_bytes(cache: Path) -> int:
    """The longest log of its databases."""
    return max(os.stat(cache / f"{name}.db-wal").st_size for name in ["cache", "small"])


def du_bytes(path: Path) -> int:
    """What `du` counts: it skips what goes while it looks."""
    done = subprocess.run(
        ["du", "-s", "--block-size=1", path], capture_output=True, text=True, timeout=30
    )
    return int(done.stdout.split()[0])


class Sampler:
    """Looks at something as often as it can, and keeps the most it has seen."""

    def __init__(self, look):
        self.look = look
        self.most = 0
        self.count = 0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._ends.is_set():
            self.most = max(self.most, self.look())
            self.count += 1
            time.sleep(0.001)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._thread.join()


def read_some(mount, seed: int, count: int, failures: list[str], until_killed: bool = False) -> None:
    """Reads files in an order of the seed's and compares them."""
    order = random.Random(seed)
    paths = sorted(FILES)
    try:
        for path in order.choices(paths, k=count) + ["huge.bin"]:
            if hashlib.sha256((mount.path / path).read_bytes()).digest() != DIGESTS[path]:
                failures.append(f"{path} is wrong")
    except OSError as failure:
        if not until_killed:
            failures.append(f"{path}: {failure}")


def read_in_parallel(mounts, seed: int, count: int) -> None:
    failures: list[str] = []
    threads = [
        threading.Thread(target=read_some, args=(mount, seed + n, count, failures))
        for n, mount in enumerate(mounts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
        assert not thread.is_alive()
    assert failures == []


def options(limit: int = LIMIT) -> list[object]:
    return ["--cache-size", limit, "--cache-free", 0]


def test_several_mounts_keep_the_limit_together(new_mount, sample, disk):
    mounts = [new_mount(f"hf://{sample}", *options(), cache=disk / "cache") for _ in range(3)]
    logs = Sampler(lambda: log_bytes(disk / "cache"))
    with Sampler(lambda: used_bytes(disk)) as sampler, logs:
        read_in_parallel(mounts, seed=1, count=150)
    assert sampler.count > 100
    assert sampler.most <= LIMIT
    # The limit keeps room for so much.
    assert 0 < logs.most <= LIMIT // 64
    # It was worth something, too.
    assert sampler.most > LIMIT // 2


def test_daemons_that_are_killed_do_not_break_it(new_mount, sample, disk):
    survivor = new_mount(f"hf://{sample}", *options(), cache=disk / "cache")
    with Sampler(lambda: used_bytes(disk)) as sampler:
        for round in range(4):
            victim = new_mount(f"hf://{sample}", *options(), cache=disk / "cache")
            failures: list[str] = []
            reader = threading.Thread(
                target=read_some, args=(victim, round, 400, failures), kwargs={"until_killed": True}
            )
            reader.start()
            read_in_parallel([survivor], seed=50 + round, count=20)
            victim.kill()
            reader.join(timeout=60)
            assert failures == []
    assert sampler.most <= LIMIT
    last = new_mount(f"hf://{sample}", *options(), cache=disk / "cache")
    read_in_parallel([last, survivor], seed=90, count=40)


def test_du_agrees(new_mount, sample, tmp_path):
    """On the disk that is there. `du` is not of one moment: what is evicted while it walks counts twice."""
    cache = tmp_path / "cache"
    mount = new_mount(f"hf://{sample}", *options(), cache=cache)
    with Sampler(lambda: du_bytes(cache)) as sampler:
        read_in_parallel([mount], seed=2, count=150)
    assert sampler.count > 20
    assert sampler.most <= LIMIT
    shown = int(mount.run("cache", "du", "--json").stdout.split('"bytes":')[1].split(",")[0])
    assert abs(shown - du_bytes(cache)) < MEBIBYTE


def test_a_limit_that_holds_nothing(hub, new_mount, sample, disk):
    mount = new_mount(f"hf://{sample}", *options(0), cache=disk / "cache")
    with Sampler(lambda: used_bytes(disk)) as sampler:
        for path in ["huge.bin", "large/0.bin", "middle/3.bin", "small/4.txt"]:
            assert (mount.path / path).read_bytes() == FILES[path]
    # The databases themselves.
    assert sampler.most < MEBIBYTE


def test_the_disk_keeps_its_floor(new_mount, sample, disk):
    """Others take room on the disk; the cache gives way before it is full."""
    floor = 16 * MEBIBYTE
    mount = new_mount(
        f"hf://{sample}", "--cache-free", floor, "--cache-size", "1T", cache=disk / "cache"
    )
    capacity = os.statvfs(disk).f_blocks * os.statvfs(disk).f_frsize
    with Sampler(lambda: used_bytes(disk)) as sampler:
        read_in_parallel([mount], seed=3, count=60)
        assert sampler.most <= capacity - floor
        (disk / "other").write_bytes(bytes(60 * MEBIBYTE))
        read_in_parallel([mount], seed=4, count=60)
    assert used_bytes(disk) <= capacity - floor


def test_what_edits_stand_on_stays(hub, new_editable_mount, sample, tmp_path):
    """Also when no mount has the edits, and whoever makes room."""
    mount = new_editable_mount(
        f"hf://{sample}", "-w", "--commit", "manual", *options(), cache=tmp_path / "cache"
    )
    (mount.path / "large/0.bin").read_bytes()
    with (mount.path / "large/0.bin").open("r+b") as file:
        file.write(b"edited")
    mount.process.send_signal(signal.SIGTERM)
    mount.wait()
    reader = new_editable_mount(
        f"hf://{sample}", *options(), cache=tmp_path / "cache", start=False
    )
    reader.environment["XDG_STATE_HOME"] = mount.environment["XDG_STATE_HOME"]
    reader.start(f"hf://{sample}", *options())
    for n in range(1, 8):
        (reader.path / f"large/{n}.bin").read_bytes()
    reader.run("cache", "prune", "--to-size", "1K", check=False)
    kept = json.loads(reader.run("cache", "ls", "--json").stdout)["contents"]
    assert {content["oid"] for content in kept} == {sha256(FILES["large/0.bin"])}
    hub.reset_stats()
    assert mount.restart().path.joinpath("large/0.bin").read_bytes() == (
        b"edited" + FILES["large/0.bin"][6:]
    )
    assert hub.requests("cdn") == 0


@pytest.mark.alone
def test_what_is_open_stays(hub, new_mount, sample, tmp_path):
    mount = new_mount(f"hf://{sample}", *options(), cache=tmp_path / "cache")
    with (mount.path / "large/0.bin").open("rb") as file:
        assert file.read() == FILES["large/0.bin"]
        for n in range(1, 8):
            (mount.path / f"large/{n}.bin").read_bytes()
        mount.drop_page_cache()
        hub.reset_stats()
        file.seek(0)
        assert file.read() == FILES["large/0.bin"]
        assert hub.requests("cdn") == 0
