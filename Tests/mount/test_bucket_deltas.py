"""Large files of a bucket that are edited without being read: the store puts them together."""

from __future__ import annotations

import itertools
import os
import random
import threading
import time

import buckets
import localhub
import pytest
import xet_program
from conftest import mounts
from samples import MEBIBYTE, noise

SIZE = 40 * MEBIBYTE
CHUNK = 128 << 10
# hubfs packs chunks into xorbs of so many bytes, and a file of one term for each.
TERM = 16 * MEBIBYTE
DATA = noise(SIZE, seed=611)
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    hub = localhub.LocalHub(tmp_path_factory.mktemp("deltas") / "root")
    hub.serve_options = ["--xet", "--no-bucket-events"]
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def seed(store, tmp_path_factory) -> buckets.Bucket:
    """A bucket to which hubfs has sent the file."""
    token = store.create_token("lab", "write")
    store.write_token = token
    bucket = buckets.create(store, "lab/deltas", token)
    with mounts(store, tmp_path_factory.mktemp("writer"), token) as make:
        mount = make(bucket.source, "-w", "--flush", "unmount")
        (mount.path / "large.bin").write_bytes(DATA)
        assert mount.unmount() == 0
    return bucket


@pytest.fixture
def path(store, seed) -> str:
    """A file of the test's own in that bucket."""
    store.clear_faults()
    path = f"copy-{next(_numbers)}.bin"
    seed.batch(
        [
            {
                "type": "copyFile", "path": path, "xetHash": seed.hashes["large.bin"],
                "mtime": 1_700_000_000_000, "sourceRepoType": "bucket", "sourceRepoId": seed.name,
            }
        ]
    )  # fmt: skip
    yield path
    store.clear_faults()


@pytest.fixture
def mount(store, seed, path, tmp_path):
    """A writable mount with an empty cache, which sends nothing by itself."""
    with mounts(store, tmp_path, seed.token) as make:
        mount = make(seed.source, "-w", "--follow=3600", "--flush", "unmount")
        store.reset_stats()
        yield mount


def hash_of(store, seed, data: bytes, folder) -> str:
    """What the official client names these bytes."""
    (folder / "same").mkdir()
    (folder / "same/whole.bin").write_bytes(data)
    bucket = buckets.create(store, f"lab/whole-{next(_numbers)}", seed.token)
    xet_program.run(store, folder / "home", "buckets", "sync", folder / "same", bucket.source)
    return bucket.hashes["whole.bin"]


def asked(store) -> dict[str, int]:
    return store.stats()["endpoints"]


def traffic(store) -> tuple[int, int]:
    """Bytes of files and chunks that were fetched, and bytes that were sent to the store."""
    classes = store.stats()["classes"]
    fetched = sum(classes[name]["bytesSent"] for name in ("xorb", "cdn"))
    return fetched, sum(classes[name]["bytesReceived"] for name in ("xorb", "cas"))


def overwritten(position: int, count: int):
    def edit(data: bytearray, file) -> None:
        new = noise(count, seed=position)
        file.seek(position)
        file.write(new)
        data[position : position + count] = new

    return edit


def appended(data: bytearray, file) -> None:
    new = noise(200_000, seed=71)
    file.seek(0, os.SEEK_END)
    file.write(new)
    data += new


def cut_to(size: int):
    def edit(data: bytearray, file) -> None:
        file.truncate(size)
        del data[size:]

    return edit


def grown(data: bytearray, file) -> None:
    file.truncate(SIZE + 3 * MEBIBYTE)
    data += bytes(3 * MEBIBYTE)


def in_many_places(data: bytearray, file) -> None:
    for position in (5, 900_000, 17 * MEBIBYTE, SIZE - 4):
        overwritten(position, 3)(data, file)


EDITS = {
    "the middle": overwritten(SIZE // 2 + 12_345, 1_000_000),
    "one byte": overwritten(20 * MEBIBYTE, 1),
    "the start": overwritten(0, 10),
    "the end": overwritten(SIZE - 10, 10),
    "where terms meet": overwritten(TERM - 50_000, 100_000),
    "many places": in_many_places,
    "appended": appended,
    "cut": cut_to(33 * MEBIBYTE + 77),
    "cut at a byte of the end": cut_to(SIZE - 1),
    "zeros": grown,
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_an_edit_reads_the_terms_it_touches(store, seed, path, mount, tmp_path, edit):
    expected = bytearray(DATA)
    with (mount.path / path).open("r+b") as file:
        edit(expected, file)
    mount.run("flush", mount.path)
    fetched, sent = traffic(store)
    assert asked(store)["cas-chunk-hashes"] == 1, mount.log()
    if edit is not in_many_places:
        # Two terms at most: an edit near the end of one reaches into the next.
        assert MEBIBYTE <= fetched <= 2 * TERM + MEBIBYTE
        # Zeros are two chunks; the shard describes every term and chunk.
        assert sent <= 1_000_000 + 4 * CHUNK + 64_000
    else:
        assert sent <= 16 * CHUNK + 64_000
    # What the official client reads, and how it names that.
    assert seed.read(path) == expected
    assert seed.hashes[path] == hash_of(store, seed, bytes(expected), tmp_path)
    assert (mount.path / path).read_bytes() == expected


@pytest.mark.parametrize("number", range(4))
def test_random_edits(store, seed, path, mount, tmp_path, number):
    dice = random.Random(number)
    expected = bytearray(DATA)
    with (mount.path / path).open("r+b") as file:
        for _ in range(dice.randrange(1, 6)):
            position = dice.randrange(len(expected) - 300_000)
            overwritten(position, dice.choice([1, 500, 70_000, 300_000]))(expected, file)
        if number % 2:
            cut_to(dice.randrange(SIZE * 3 // 4, SIZE))(expected, file)
        if number > 1:
            appended(expected, file)
    mount.run("flush", mount.path)
    assert asked(store)["cas-chunk-hashes"] == 1, mount.log()
    assert seed.read(path) == expected
    assert seed.hashes[path] == hash_of(store, seed, bytes(expected), tmp_path)


def test_edits_follow_each_other(store, seed, path, mount, tmp_path):
    expected = bytearray(DATA)
    for turn, position in enumerate((9 * MEBIBYTE, 9 * MEBIBYTE + 300_000, 30 * MEBIBYTE)):
        with (mount.path / path).open("r+b") as file:
            overwritten(position, 1000)(expected, file)
            appended(expected, file)
        mount.run("flush", mount.path)
        assert asked(store)["cas-chunk-hashes"] == turn + 1, mount.log()
    assert seed.read(path) == expected
    assert seed.hashes[path] == hash_of(store, seed, bytes(expected), tmp_path)


def test_a_program_writes_on_while_a_file_is_put_together(store, seed, path, mount):
    expected = bytearray(DATA)
    store.add_fault("--delay", "500", "--to", "cas-chunk-hashes", "--count", "1")
    with (mount.path / path).open("r+b") as file:
        overwritten(SIZE // 2, 1000)(expected, file)
        file.flush()
        flush = threading.Thread(target=mount.run, args=("flush", mount.path))
        flush.start()
        for number in range(20):
            overwritten(number * MEBIBYTE, 100)(expected, file)
            file.flush()
            time.sleep(0.05)
        flush.join()
    mount.run("flush", mount.path)
    assert seed.read(path) == expected


@pytest.mark.parametrize("status", ["404", "500"])
def test_a_file_is_read_for_a_store_that_does_not_tell(store, seed, path, mount, tmp_path, status):
    expected = bytearray(DATA)
    store.add_fault("--status", status, "--to", "cas-chunk-hashes")
    with (mount.path / path).open("r+b") as file:
        overwritten(SIZE // 2, 1000)(expected, file)
    mount.run("flush", mount.path)
    fetched, sent = traffic(store)
    assert fetched >= SIZE - CHUNK and sent < MEBIBYTE
    assert seed.read(path) == expected
    assert seed.hashes[path] == hash_of(store, seed, bytes(expected), tmp_path)


def test_a_file_is_read_for_a_store_that_does_not_take_it(store, seed, path, mount, tmp_path):
    expected = bytearray(DATA)
    # Once for what it may have forgotten, and once more.
    store.add_fault("--status", "400", "--to", "cas-shard", "--count", "2")
    for turn in range(2):
        with (mount.path / path).open("r+b") as file:
            overwritten(SIZE // 2, 1000 * (turn + 1))(expected, file)
        mount.run("flush", mount.path)
        assert seed.read(path) == expected
    assert asked(store)["cas-chunk-hashes"] == 1
    assert "they are read whole" in mount.log()
    assert seed.hashes[path] == hash_of(store, seed, bytes(expected), tmp_path)


def test_what_is_here_whole_goes_into_the_cache(store, seed, path, mount):
    """A file of this size costs less to read here than two questions."""
    file = mount.path / path
    assert file.read_bytes() == DATA
    expected = bytearray(DATA)
    with file.open("r+b") as open_file:
        overwritten(SIZE // 2, 1000)(expected, open_file)
    mount.run("flush", mount.path)
    assert "cas-chunk-hashes" not in asked(store)
    assert mount.unmount() == 0
    mount.restart()
    store.reset_stats()
    assert file.read_bytes() == expected
    assert traffic(store)[0] == 0
    assert seed.read(path) == expected


@pytest.mark.parametrize(
    "point",
    ["hashed", "xorb-stored", "xorbs-stored", "uploaded", "planned", "posted", "settled"],
)
def test_a_crash_leaves_the_edit(store, seed, path, mount, point):
    expected = bytearray(DATA)
    assert mount.unmount() == 0
    mount.environment["HUBFS_CRASH_AT"] = point
    mount.restart()
    with (mount.path / path).open("r+b") as file:
        overwritten(SIZE // 2, 1000)(expected, file)
    assert mount.run("flush", mount.path, check=False).returncode != 0
    mount.kill()
    del mount.environment["HUBFS_CRASH_AT"]
    mount.restart()
    assert (mount.path / path).read_bytes() == expected
    mount.run("flush", mount.path)
    assert seed.read(path) == expected
