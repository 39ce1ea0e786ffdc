"""The cache's files are damaged, and mounts go on with right bytes."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from samples import MEBIBYTE, noise, sha256, text

pytestmark = pytest.mark.alone

FILES = {
    "large.bin": noise(12 * MEBIBYTE, seed=71),
    "middle.bin": noise(300_000, seed=72),
    "small.txt": text(5_000, seed=73),
    **{f"many/{n}.txt": text(3_000 + n, seed=400 + n) for n in range(200)},
}
DAMAGED = 11


@pytest.fixture(scope="module")
def sample(import_repo) -> str:
    return import_repo(FILES)


@pytest.fixture
def cache(new_mount, sample, tmp_path) -> Path:
    """A cache that holds all of the sample, sealed."""
    mount = new_mount(f"hf://{sample}", cache=tmp_path / "cache")
    mount.run("warm", mount.path)
    mount.unmount()
    return tmp_path / "cache"


@pytest.fixture
def open_mount(new_mount, sample, cache):
    return lambda: new_mount(f"hf://{sample}", cache=cache)


def check_all(mount) -> None:
    mount.drop_page_cache()
    for path, data in FILES.items():
        assert (mount.path / path).read_bytes() == data, path


def data_of(cache: Path, name: str) -> Path:
    oid = sha256(FILES[name])
    return cache / "contents" / oid[:2] / oid


def map_of(cache: Path, name: str) -> Path:
    return data_of(cache, name).with_suffix(".map")


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def verify(mount) -> tuple[int, dict]:
    done = mount.run("cache", "verify", "--json", check=False)
    return done.returncode, json.loads(done.stdout)


def test_a_flipped_byte_is_found_beside_a_mount(open_mount, cache):
    mount = open_mount()
    check_all(mount)
    flip(data_of(cache, "large.bin"), 7_000_000)
    code, found = verify(mount)
    assert code == DAMAGED and found["damaged"] == [sha256(FILES["large.bin"])]
    check_all(mount)
    assert verify(mount)[0] == 0


def test_a_flipped_byte_of_a_part_is_fetched_again(hub, new_mount, sample, tmp_path):
    mount = new_mount(f"hf://{sample}", cache=tmp_path / "cache")
    with (mount.path / "large.bin").open("rb", buffering=0) as file:
        file.seek(3 * MEBIBYTE)
        assert file.read(65536) == FILES["large.bin"][3 * MEBIBYTE :][:65536]
    assert mount.unmount() == 0
    flip(data_of(tmp_path / "cache", "large.bin"), 3 * MEBIBYTE + 5)
    again = new_mount(f"hf://{sample}", cache=tmp_path / "cache")
    code, found = verify(again)
    assert code == DAMAGED and found["lostBlocks"] == 1 and found["damaged"] == []
    check_all(again)


@pytest.mark.parametrize("size", [0, 100_000])
def test_a_file_that_was_cut(open_mount, cache, size):
    os.truncate(data_of(cache, "middle.bin"), size)
    check_all(open_mount())


def test_a_file_that_is_cut_while_it_is_open(open_mount, cache):
    mount = open_mount()
    with (mount.path / "large.bin").open("rb") as file:
        file.read(10)
        mount.drop_page_cache()
        os.truncate(data_of(cache, "large.bin"), MEBIBYTE)
        code, found = verify(mount)
        assert code == DAMAGED and found["damaged"] == [sha256(FILES["large.bin"])]
        other = open_mount()
        check_all(other)
    check_all(mount)


def test_a_lost_map_is_made_anew_from_right_bytes(hub, open_mount, cache):
    map_of(cache, "large.bin").unlink()
    map_of(cache, "middle.bin").write_bytes(b"rubbish")
    mount = open_mount()
    code, found = verify(mount)
    assert code == 0
    assert set(found["restored"]) == {sha256(FILES["large.bin"]), sha256(FILES["middle.bin"])}
    hub.reset_stats()
    check_all(mount)
    assert hub.requests("cdn") == 0


def test_a_lost_map_of_wrong_bytes(open_mount, cache):
    map_of(cache, "large.bin").unlink()
    flip(data_of(cache, "large.bin"), 1)
    mount = open_mount()
    assert verify(mount)[1]["removedFiles"] == 1
    assert not data_of(cache, "large.bin").exists()
    check_all(mount)


@pytest.mark.parametrize("lost", [data_of, map_of])
def test_a_file_that_goes_under_a_mount(open_mount, cache, lost):
    """Who has it open keeps it; who opens it anew has files that fit each other."""
    first = open_mount()
    with (first.path / "large.bin").open("rb") as file:
        assert file.read(10) == FILES["large.bin"][:10]
        lost(cache, "large.bin").unlink()
        second = open_mount()
        check_all(second)
        first.drop_page_cache()
        assert file.read() == FILES["large.bin"][10:]
    check_all(first)


def test_bytes_without_a_map_are_gone_without_verifying(open_mount, cache):
    """A process that was killed between the two leaves such a file."""
    data_of(cache, "middle.bin").unlink()
    map_of(cache, "large.bin").unlink()
    mount = open_mount()
    check_all(mount)
    assert verify(mount)[0] == 0


@pytest.mark.parametrize("name", ["cache.db", "small.db"])
@pytest.mark.parametrize("how", ["head", "middle", "empty", "absent"])
def test_a_damaged_database(open_mount, cache, name, how):
    path = cache / name
    for suffix in ["-wal", "-shm"]:
        path.with_name(name + suffix).unlink(missing_ok=True)
    size = path.stat().st_size
    if how == "head":
        with path.open("r+b") as file:
            file.write(b"rubbish" * 20)
    elif how == "middle":
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(noise(size - 4096, seed=1))
    elif how == "empty":
        os.truncate(path, 0)
    else:
        path.unlink()
    mount = open_mount()
    check_all(mount)
    assert mount.unmount() == 0
    verify(mount)
    again = open_mount()
    check_all(again)
    assert verify(again)[0] == 0


def test_a_damaged_database_is_begun_anew_when_no_mount_uses_it(open_mount, cache):
    with contextlib.closing(sqlite3.connect(cache / "small.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    half = (cache / "small.db").stat().st_size // 8192 * 4096
    with (cache / "small.db").open("r+b") as file:
        file.seek(half)
        file.write(noise(half, seed=1))
    mount = open_mount()
    done = mount.run("cache", "verify", check=False)
    assert done.returncode == 10 and "unmount" in done.stderr
    assert mount.unmount() == 0
    code, found = verify(mount)
    assert code == DAMAGED and found["databases"] == ["small.db"]
    assert verify(mount)[0] == 0
    check_all(open_mount())


def test_kills_leave_nothing_that_verify_does_not_mend(new_mount, sample, tmp_path):
    """Several daemons on one cache, killed again and again while they fetch."""
    cache = tmp_path / "cache"
    moments = random.Random(1)
    for _ in range(5):
        mounts = [new_mount(f"hf://{sample}", cache=cache) for _ in range(2)]
        readers = [
            subprocess.Popen(
                ["cat", *(mount.path / path for path in FILES)],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            for mount in mounts
        ]  # fmt: skip
        time.sleep(moments.uniform(0.02, 0.4))
        for mount in mounts:
            mount.kill()
        for reader in readers:
            reader.wait(timeout=30)
    last = new_mount(f"hf://{sample}", cache=cache)
    code, found = verify(last)
    assert code == 0, found
    check_all(last)
