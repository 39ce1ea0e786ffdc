"""What a mount has read is fetched ahead in that order when its commit is mounted again, not cached.

What readers wait for and what is foreseen look the same at the Hub. So each test waits until what was
foreseen has come, and then counts what the readers still ask for.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from mounting import Mount
from samples import sha256

MEBIBYTE = 1 << 20
SMALL_COUNT = 24
BLOCK_BYTES = 32768
PART_BYTES = 2 * BLOCK_BYTES
PART_COUNT = 40
LARGE_BYTES = PART_COUNT * 8 * PART_BYTES


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """Small files in two directories, and a large one."""
    paths = [f"{'ab'[n % 2]}/{n * 7 % SMALL_COUNT:02}.bin" for n in range(SMALL_COUNT)]
    return {path: os.urandom(9000) for path in paths} | {"model.bin": os.urandom(LARGE_BYTES)}


@pytest.fixture(scope="module")
def repo(import_repo, files) -> str:
    return import_repo(files)


def small(files: dict[str, bytes]) -> list[str]:
    """In the order of a program of its own, which is no order of names."""
    return [path for path in files if "/" in path]


def load(mount: Mount, files: dict[str, bytes]) -> int:
    """Reads the small files, and 40 parts of the large one. Returns the bytes."""
    count = 0
    for path in small(files):
        assert (mount.path / path).read_bytes() == files[path]
        count += len(files[path])
    with (mount.path / "model.bin").open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        # Far from each other, so that nobody takes them for a stream.
        for number in range(PART_COUNT):
            place = number * 17 % PART_COUNT * 8 * PART_BYTES
            data = os.pread(file.fileno(), PART_BYTES, place)
            assert data == files["model.bin"][place:][:PART_BYTES]
            count += len(data)
    return count


def forget_contents(cache: Path) -> None:
    """Takes out of a cache what was downloaded; what was learned stays."""
    shutil.rmtree(cache / "contents")
    for name in cache.glob("small.db*"):
        name.unlink()


def cached_bytes(mount: Mount, data: bytes) -> int:
    """How much of a large file is in the cache, by its sidecar (docs/CACHE-FORMAT.md)."""
    name = sha256(data)
    sidecar = mount.cache / "contents" / name[:2] / f"{name}.map"
    if not sidecar.exists():
        return 0
    blocks = (len(data) + BLOCK_BYTES - 1) // BLOCK_BYTES
    words = sidecar.read_bytes()[128:][: (blocks + 63) // 64 * 8]
    return BLOCK_BYTES * sum(byte.bit_count() for byte in words)


def wait_until(condition, what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def sent(hub) -> int:
    return hub.bytes_sent("resolve", "cdn", "api")


def located(hub) -> int:
    return hub.stats()["endpoints"].get("resolve", 0)


def wait_until_quiet(hub) -> None:
    """Until what was asked for has come."""
    before = None
    while before != (before := (located(hub), sent(hub))):
        time.sleep(0.3)


def test_a_second_cold_mount_has_everything_fetched_from_its_first_file_on(
    hub, new_mount, repo, files, tmp_path
):
    cache = tmp_path / "cache"
    mount = new_mount(f"hf://{repo}", cache=cache)
    hub.reset_stats()
    count = load(mount, files)
    first = sent(hub)
    assert first >= count
    mount.unmount()
    forget_contents(cache)

    mount = new_mount(f"hf://{repo}", cache=cache)
    hub.reset_stats()
    paths = small(files)
    assert (mount.path / paths[0]).read_bytes() == files[paths[0]]
    # One file found allows 1 MiB ahead, which is all small ones, and some parts of the large one.
    wait_until(lambda: located(hub) >= len(paths), "small files are not fetched ahead")
    wait_until_quiet(hub)
    assert sent(hub) <= MEBIBYTE + 65536
    for path in paths[:6]:
        assert (mount.path / path).read_bytes() == files[path]
    wait_until(
        lambda: cached_bytes(mount, files["model.bin"]) == PART_COUNT * PART_BYTES,
        "the large file is not fetched ahead",
    )
    wait_until_quiet(hub)
    before = hub.stats()
    assert load(mount, files) == count
    assert hub.stats()["endpoints"] == before["endpoints"]
    assert count <= sent(hub) <= 1.05 * first


def test_who_reads_something_else_gets_nothing_else(hub, new_mount, repo, files, tmp_path):
    cache = tmp_path / "cache"
    mount = new_mount(f"hf://{repo}", cache=cache)
    load(mount, files)
    mount.unmount()
    forget_contents(cache)
    mount = new_mount(f"hf://{repo}", cache=cache)
    mount.wait_for_log("in the order of an earlier mount")
    hub.reset_stats()
    paths = small(files)
    for path in (paths[-1], paths[-3]):
        assert (mount.path / path).read_bytes() == files[path]
    wait_until_quiet(hub)
    assert located(hub) == 2


def test_an_order_that_is_not_followed_is_left(hub, new_mount, import_repo, tmp_path):
    files = {f"{n * 37 % 101:03}.bin": os.urandom(70_000) for n in range(60)}
    repo = import_repo(files)
    cache = tmp_path / "cache"
    paths = list(files)
    mount = new_mount(f"hf://{repo}", cache=cache)
    for path in paths[:6]:
        assert (mount.path / path).read_bytes() == files[path]
    mount.unmount()
    forget_contents(cache)
    mount = new_mount(f"hf://{repo}", "--record", tmp_path / "now", cache=cache)
    for path in paths[:1] + paths[10:30]:
        assert (mount.path / path).read_bytes() == files[path]
    mount.wait_for_log("its order is left")
    mount.unmount()
    forget_contents(cache)
    # What was read last stands first from now on.
    mount = new_mount(f"hf://{repo}", cache=cache)
    mount.wait_for_log("in the order of an earlier mount")
    hub.reset_stats()
    assert (mount.path / paths[10]).read_bytes() == files[paths[10]]
    wait_until(lambda: located(hub) >= 10, "the new order is not used")


def test_no_replay_fetches_nothing_ahead(hub, new_mount, repo, files, tmp_path):
    cache = tmp_path / "cache"
    mount = new_mount(f"hf://{repo}", cache=cache)
    load(mount, files)
    mount.unmount()
    forget_contents(cache)
    mount = new_mount(f"hf://{repo}", "--no-replay", cache=cache)
    hub.reset_stats()
    path = small(files)[0]
    assert (mount.path / path).read_bytes() == files[path]
    wait_until_quiet(hub)
    assert located(hub) == 1


def test_a_killed_daemon_has_learned_all_but_the_last_seconds(
    hub, new_mount, repo, files, tmp_path
):
    cache = tmp_path / "cache"
    order = tmp_path / "order"
    mount = new_mount(f"hf://{repo}", "--record", order, cache=cache)
    load(mount, files)

    def all_recorded() -> bool:
        lines = order.read_text().splitlines()[1:] if order.exists() else []
        return {json.loads(line)["path"] for line in lines} == set(files)

    wait_until(all_recorded, "nothing is recorded while the mount works")
    mount.kill()
    forget_contents(cache)
    mount = new_mount(f"hf://{repo}", cache=cache)
    hub.reset_stats()
    path = small(files)[0]
    assert (mount.path / path).read_bytes() == files[path]
    wait_until(lambda: located(hub) >= SMALL_COUNT, "nothing was learned")


def record(new_mount, repo: str, files: dict[str, bytes], place: Path) -> int:
    mount = new_mount(f"hf://{repo}", "--record", place)
    count = load(mount, files)
    mount.unmount()
    return count


def test_a_recording_is_fetched_at_once_by_a_mount_with_another_cache(
    hub, new_mount, repo, files, tmp_path
):
    place = tmp_path / "order.jsonl"
    count = record(new_mount, repo, files, place)
    head, *lines = [json.loads(line) for line in place.read_text().splitlines()]
    assert head["hubfs-read-order"] == 1
    assert head["repo"] == f"models/{repo}"
    assert head["ranges"] == len(lines)
    assert [line["path"] for line in lines[:SMALL_COUNT]] == small(files)
    recorded = sum(line["length"] for line in lines)
    assert recorded >= count

    hub.reset_stats()
    mount = new_mount(f"hf://{repo}", "--replay", place)
    wait_until(lambda: located(hub) == SMALL_COUNT + 1, "nothing is fetched at once")
    wait_until_quiet(hub)
    before = hub.stats()
    assert load(mount, files) == count
    assert hub.stats()["endpoints"] == before["endpoints"]
    assert recorded <= hub.bytes_sent("resolve", "cdn") <= 1.05 * recorded


def test_a_recording_of_an_older_commit_brings_what_is_the_same(
    hub, new_editable_mount, import_repo, files, tmp_path
):
    repo = import_repo({path: files[path] for path in small(files)})
    place = tmp_path / "order.jsonl"
    mount = new_editable_mount(f"hf://{repo}", "--record", place)
    for path in small(files):
        assert (mount.path / path).read_bytes() == files[path]
    mount.unmount()
    changed = small(files)[5]
    mount = new_editable_mount(f"hf://{repo}", "-w")
    (mount.path / changed).write_bytes(b"something else")
    mount.run("umount", mount.path)
    hub.reset_stats()
    mount = new_editable_mount(f"hf://{repo}", "--replay", place)
    wait_until(lambda: located(hub) == SMALL_COUNT - 1, "nothing is fetched at once")
    wait_until_quiet(hub)
    assert located(hub) == SMALL_COUNT - 1
    assert (mount.path / changed).read_bytes() == b"something else"


def test_a_recording_that_somebody_changed_brings_nothing_under_a_wrong_name(
    hub, new_mount, repo, files, tmp_path
):
    place = tmp_path / "order.jsonl"
    record(new_mount, repo, files, place)
    paths = small(files)
    text = place.read_text()
    place.write_text(text.replace(f'"{paths[0]}"', f'"{paths[1]}"', 1))
    mount = new_mount(f"hf://{repo}", "--replay", place)
    assert load(mount, files) > 0


def test_a_daemon_in_the_background_records_and_replays(hub, new_mount, repo, files, tmp_path):
    place = tmp_path / "order.jsonl"
    path = small(files)[0]
    for option in ("record", "replay"):
        mount = new_mount(f"hf://{repo}", start=False)
        hub.reset_stats()
        mount.run("mount", f"hf://{repo}", mount.path, "-o", f"{option}={place.name}", cwd=tmp_path)
        if option == "record":
            assert (mount.path / path).read_bytes() == files[path]
        wait_until(lambda: located(hub) == 1, "the file is not fetched")
        mount.run("umount", mount.path)
    assert [json.loads(line)["path"] for line in place.read_text().splitlines()[1:]] == [path]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "a text\n",
        lambda text: "",
        lambda text: text.replace('order":1', 'order":7'),
        lambda text: text[:-10],
        lambda text: "\n".join(text.split("\n")[:-2]) + "\n",
        lambda text: text.replace('"length":', '"length":-'),
    ],
)
def test_a_file_that_is_no_recording_is_refused(new_mount, repo, files, tmp_path, damage):
    place = tmp_path / "order.jsonl"
    record(new_mount, repo, files, place)
    place.write_text(damage(place.read_text()))
    refused(new_mount, repo, 2, f"--replay {place}", "--replay", place)


def refused(new_mount, repo: str, code: int, text: str, *options: object) -> None:
    mount = new_mount(f"hf://{repo}", start=False)
    done = mount.run("mount", f"hf://{repo}", mount.path, *options, check=False)
    assert done.returncode == code, done.stderr
    assert text in done.stderr
    assert not mount.is_mounted()


def test_a_recording_of_another_repo_is_refused(new_mount, import_repo, repo, files, tmp_path):
    place = tmp_path / "order.jsonl"
    record(new_mount, repo, files, place)
    other = import_repo({"a": b"b"})
    refused(new_mount, other, 2, f"recorded of models/{repo}", "--replay", place)


def test_files_that_cannot_be_used_are_refused(new_mount, repo, tmp_path):
    missing = tmp_path / "none" / "order"
    refused(new_mount, repo, 10, str(missing), "--replay", missing)
    refused(new_mount, repo, 10, str(missing), "--record", missing)
    refused(new_mount, repo, 2, "contradict", "--replay", missing, "--no-replay")


def test_a_mount_without_the_hub_replays_nothing(hub, new_mount, repo, files, tmp_path):
    place = tmp_path / "order.jsonl"
    cache = tmp_path / "cache"
    mount = new_mount(f"hf://{repo}", "--record", place, cache=cache)
    load(mount, files)
    mount.unmount()
    hub.reset_stats()
    mount = new_mount(f"hf://{repo}", "--replay", place, "--offline", cache=cache)
    load(mount, files)
    assert sum(hub.stats()["endpoints"].values()) == 0
