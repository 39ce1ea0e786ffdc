"""Files that come as chunks from the content-addressed store, seen through mounts and by what was served."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import sqlite3
import time
from pathlib import Path

import localhub
import pytest
from conftest import import_folder, mounts
from gitview import GitView
from samples import MEBIBYTE, noise

SIZE = 48 * MEBIBYTE
LARGE = noise(SIZE, seed=61)
# So long as this is the wait of somebody who is patient with a busy machine.
PATIENCE_SECONDS = 30

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A Hub that offers Xet, with tokens that a test sees the end of."""
    hub = localhub.LocalHub(tmp_path_factory.mktemp("xet") / "root")
    hub.serve_options = ["--xet"]
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture
def mount_of(store, tmp_path):
    """Makes mounts of that Hub's repos."""
    store.clear_faults()
    with mounts(store, tmp_path) as make:
        yield make
    store.clear_faults()


@pytest.fixture(scope="module")
def known(store, tmp_path_factory) -> Path:
    """A cache that knows chunks. What is fetched ahead waits there for what the store says; else the end
    of a file may have been ordered before."""
    folder = tmp_path_factory.mktemp("known")
    repo = imported(store, tmp_path_factory.mktemp("other"), {"other.bin": noise(SIZE, seed=60)})
    with mounts(store, folder) as make:
        mount = make(f"hf://{repo}")
        (mount.path / "other.bin").read_bytes()
        wait_for_chunks(mount)
        assert mount.unmount() == 0
    return mount.cache


@pytest.fixture
def cache(known, tmp_path) -> Path:
    """Such a cache of a test's own."""
    return Path(shutil.copytree(known, tmp_path / "own-cache"))


@pytest.fixture(scope="module")
def repo(store, tmp_path_factory) -> str:
    return imported(store, tmp_path_factory.mktemp("large"), {"large.bin": LARGE})


def imported(store, folder: Path, files: dict[str, bytes], name: str | None = None) -> str:
    for path, data in files.items():
        (folder / path).write_bytes(data)
    return import_folder(store, folder, "--xet", name=name or f"xet-{next(_numbers)}")


def edited(data: bytes, count: int, seed: int) -> bytes:
    """The same with that many short stretches overwritten, one for each part of the file."""
    draw = random.Random(seed)
    changed = bytearray(data)
    step = len(data) // count
    for number in range(count):
        place = number * step + draw.randrange(step - 300)
        changed[place : place + 300] = draw.randbytes(300)
    return bytes(changed)


def chunk_status(mount) -> dict | None:
    (status,) = json.loads(mount.run("status", "--json", mount.path).stdout)["mounts"]
    return status["xet"]


def wait_until(condition) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_for_chunks(mount) -> None:
    """Waits until what was read is verified, and its chunks are known."""
    def known() -> bool:
        database = sqlite3.connect(f"file:{mount.cache}/cache.db?mode=ro", uri=True)
        try:
            return database.execute("SELECT count(*) FROM chunk_content").fetchone()[0] > 0
        finally:
            database.close()

    wait_until(known)


def test_a_stream_comes_as_chunks(store, mount_of, repo, cache):
    mount = mount_of(f"hf://{repo}", cache=cache)
    store.reset_stats()
    assert (mount.path / "large.bin").read_bytes() == LARGE
    sent = store.bytes_sent("xorb")
    # What the stream begins with is too short to be asked of the store.
    assert sent > SIZE * 0.75
    assert sent + store.bytes_sent("cdn") < SIZE * 1.1
    status = chunk_status(mount)
    assert status["files"] == 1 and status["fallbacks"] == {} and status["sharedBytes"] == 0
    assert SIZE * 0.75 < status["unpackedBytes"] <= SIZE


def test_what_a_reader_picks_comes_the_plain_way(store, mount_of, repo):
    mount = mount_of(f"hf://{repo}", "--no-replay")
    store.reset_stats()
    draw = random.Random(5)
    with (mount.path / "large.bin").open("rb", buffering=0) as file:
        for _ in range(30):
            place = draw.randrange(SIZE - 4096)
            file.seek(place)
            assert file.read(4096) == LARGE[place : place + 4096]
    assert store.requests("xorb", "cas") == 0
    assert store.requests("resolve") == 1


@pytest.mark.parametrize("option", ["--no-xet", "HF_HUB_DISABLE_XET", "HUBFS_NO_XET"])
def test_it_can_be_switched_off(store, mount_of, repo, option):
    mount = mount_of(f"hf://{repo}", start=False)
    if not option.startswith("--"):
        mount.environment[option] = "1"
    mount.start(f"hf://{repo}", *([option] if option.startswith("--") else []))
    store.reset_stats()
    assert (mount.path / "large.bin").read_bytes() == LARGE
    assert store.requests("xorb", "cas") == 0
    assert "xet-token" not in store.asked()
    assert chunk_status(mount) is None


@pytest.fixture
def two_revisions(store, tmp_path) -> tuple[str, str, bytes]:
    """A repo, its first commit, and what the second made of the file."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    repo = imported(store, tmp_path / "one", {"model.bin": LARGE})
    first = GitView(store.root / f"models/{repo}.git").rev()
    second = edited(LARGE, 6, seed=62)
    imported(store, tmp_path / "two", {"model.bin": second}, repo.removeprefix("lab/"))
    return repo, first, second


def test_a_second_revision_costs_its_changes(store, mount_of, two_revisions):
    repo, first, second = two_revisions
    old = mount_of(f"hf://{repo}@{first}")
    assert (old.path / "model.bin").read_bytes() == LARGE
    wait_for_chunks(old)
    new = mount_of(f"hf://{repo}", cache=old.cache)
    store.reset_stats()
    assert (new.path / "model.bin").read_bytes() == second
    # Six chunks of 128 KiB at most, their neighbours, and what the first read asked for before
    # anything was known.
    assert store.bytes_sent("xorb", "cdn") < 2.5 * MEBIBYTE
    status = chunk_status(new)
    assert status["fallbacks"] == {} and status["sharedBytes"] > SIZE * 0.9


def test_changed_cache_files_are_not_believed(store, mount_of, two_revisions):
    repo, first, second = two_revisions
    old = mount_of(f"hf://{repo}@{first}")
    assert (old.path / "model.bin").read_bytes() == LARGE
    wait_for_chunks(old)
    assert old.unmount() == 0
    (data,) = [
        path
        for path in (old.cache / "contents").rglob("*")
        if path.is_file() and path.stat().st_size == SIZE
    ]
    with data.open("r+b") as file:
        file.seek(SIZE // 2)
        file.write(noise(4 * MEBIBYTE, seed=99))
    new = mount_of(f"hf://{repo}", cache=old.cache)
    assert (new.path / "model.bin").read_bytes() == second


def test_what_was_evicted_is_fetched(store, mount_of, two_revisions):
    repo, first, second = two_revisions
    old = mount_of(f"hf://{repo}@{first}")
    assert (old.path / "model.bin").read_bytes() == LARGE
    wait_for_chunks(old)
    assert old.unmount() == 0
    old.run("cache", "clear", "--yes", check=False)
    for path in (old.cache / "contents").rglob("*"):
        if path.is_file():
            path.unlink()
    new = mount_of(f"hf://{repo}", cache=old.cache)
    assert (new.path / "model.bin").read_bytes() == second
    assert chunk_status(new)["sharedBytes"] == 0


# What goes wrong, and the reason that is given for the plain way; nil where none is taken.
FAULTS = {
    "expired URL": (("--expired", "--class", "xorb", "--count", 1), None),
    "expired for ever": (("--expired", "--class", "xorb"), "transfer"),
    "cut xorb": (("--cut", 300_000, "--class", "xorb", "--count", 2), "transfer"),
    "reset": (("--reset", "--at", 200_000, "--class", "xorb", "--count", 2), "transfer"),
    "503 from the storage": (("--status", 503, "--class", "xorb", "--count", 2), "transfer"),
    "404 from the storage": (("--status", 404, "--class", "xorb"), "transfer"),
    "Range ignored": (("--ignore-range", "--class", "xorb", "--count", 1), "transfer"),
    "gzip": (("--gzip", "--class", "xorb", "--count", 1), "transfer"),
    "heads of chunks that cannot be": (
        ("--corrupt", "--at", 0, "--length", 8, "--class", "xorb", "--count", 2),
        "chunks",
    ),
    "401 once": (("--status", 401, "--class", "cas", "--count", 1), None),
    "401 in the middle": (("--status", 401, "--class", "cas", "--skip", 3, "--count", 1), None),
    "503 once from the store": (("--status", 503, "--class", "cas", "--count", 1), None),
    "503 from the store": (("--status", 503, "--class", "cas"), "plan"),
    "404 from the store": (("--status", 404, "--class", "cas"), "plan"),
    "401 for ever": (("--status", 401, "--class", "cas"), "plan"),
    "429 from the store": (("--429", 300, "--class", "cas"), "plan"),
    "no token": (("--status", 404, "--path", "*xet-read-token*"), "token"),
    "a store that dies on the way": (("--reset", "--class", "cas", "--skip", 3), "plan"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_whatever_goes_wrong_the_plain_way_is_left(store, mount_of, repo, cache, name):
    fault, reason = FAULTS[name]
    mount = mount_of(f"hf://{repo}", cache=cache)
    store.add_fault(*fault)
    assert (mount.path / "large.bin").read_bytes() == LARGE
    # What the store is asked beside the reading may fail behind it.
    reasons = {reason} if reason else set()
    wait_until(lambda: set(chunk_status(mount)["fallbacks"]) >= reasons)
    assert set(chunk_status(mount)["fallbacks"]) == reasons, chunk_status(mount)


def test_wrong_bytes_in_chunks_are_an_error_and_then_come_the_plain_way(
    store, mount_of, repo, cache
):
    mount = mount_of(f"hf://{repo}", cache=cache)
    # Far behind the head of a chunk: only the digest of the whole content tells.
    store.add_fault("--corrupt", "--at", 5000, "--length", 3, "--class", "xorb")
    path = mount.path / "large.bin"
    try:
        path.read_bytes()
    except OSError:
        pass
    store.clear_faults()
    wait_until(lambda: chunk_status(mount)["fallbacks"].get("content") == 1)
    store.reset_stats()
    assert path.read_bytes() == LARGE
    assert store.requests("xorb") == 0


def test_a_token_that_runs_out_is_renewed(store, mount_of, repo, cache):
    store.stop()
    # Below what is kept back for clocks that differ.
    store.serve_options = ["--xet", "--xet-token-lifetime", "20"]
    store.start()
    try:
        mount = mount_of(f"hf://{repo}", cache=cache)
        store.reset_stats()
        assert (mount.path / "large.bin").read_bytes() == LARGE
        assert chunk_status(mount)["fallbacks"] == {}
        assert store.asked()["xet-token"] >= 2
    finally:
        store.stop()
        store.serve_options = ["--xet"]
        store.start()


def test_a_hub_without_a_store_is_not_asked(hub, import_repo, new_mount):
    repo = import_repo({"large.bin": LARGE})
    mount = new_mount(f"hf://{repo}")
    hub.reset_stats()
    assert (mount.path / "large.bin").read_bytes() == LARGE
    asked = hub.asked()
    assert not [name for name in asked if "xet" in name or "cas" in name], asked
    assert chunk_status(mount)["fallbacks"] == {}
