"""The power goes, and what was promised is there: docs/SEMANTICS.md, "The promise".

HUBFS_POWER_CUT_SEED repeats a run, as far as the daemon's threads let it; scripts/soak --power-cuts makes longer ones.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from localhub import REPOSITORY
from power_cut.machine import Machine

ROUNDS = 20
COMMIT_EVERY = 11
PAGE = 4096


@pytest.fixture
def seed() -> int:
    """The same each time, so that a failure is news; `scripts/soak --power-cuts` tries others."""
    return int(os.environ.get("HUBFS_POWER_CUT_SEED", 5200))


def play(tmp_path: Path, *options: object) -> str:
    """Runs rounds in a process of their own, which has boot ids of its own. Returns what it says."""
    paths = [REPOSITORY / "Tests/mount", REPOSITORY / "Tests/judge"]
    done = subprocess.run(
        [sys.executable, "-m", "power_cut.rounds", *map(str, options)],
        env={**os.environ, "PYTHONPATH": ":".join(map(str, paths)), "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    print(done.stdout)
    return done.stdout


def test_a_power_cut_leaves_an_allowed_state(tmp_path, seed):
    said = play(tmp_path, "--rounds", ROUNDS, "--seed", seed)
    (cuts,) = re.findall(rf"{ROUNDS} rounds from seed {seed}: (\d+) power cuts", said)
    assert int(cuts) >= ROUNDS


def test_a_commit_that_is_cut_off_anywhere_is_one_commit(tmp_path, seed):
    said = play(tmp_path, "--commits", COMMIT_EVERY, "--seed", seed)
    ((found, made_anew),) = re.findall(r"(\d+) were found at the Hub and (\d+) made anew", said)
    assert int(found) >= 1, said


def test_a_rename_over_a_file_leaves_all_of_the_new_one(tmp_path, seed):
    play(tmp_path, "--case", "a_rename_over_a_file_leaves_all_of_the_new_one", "--seed", seed)


def test_a_file_that_was_synced_without_bytes_keeps_later_ones(tmp_path, seed):
    play(tmp_path, "--case", "a_file_that_was_synced_without_bytes_keeps_later_ones", "--seed", seed)


def test_what_fell_back_is_named_in_the_log(tmp_path, seed):
    play(tmp_path, "--case", "what_fell_back_is_named_in_the_log", "--seed", seed)


def test_an_ordinary_unmount_puts_everything_on_disk(tmp_path, seed):
    play(tmp_path, "--case", "an_ordinary_unmount_puts_everything_on_disk", "--seed", seed)


# The disk itself: a proof on a disk that loses nothing would be none.


@pytest.fixture
def machine(tmp_path):
    boot_id = tmp_path / "boot-id"
    machine = Machine(tmp_path / "machine", boot_id)
    yield machine
    machine.tear_down()


def fill(path: Path, data: bytes, *, syncs: bool) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        if syncs:
            os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)


def test_the_disk_keeps_what_was_synced_and_loses_what_was_not(machine, seed):
    machine.boot(seed)
    for kind in ("synced", "not-synced"):
        (machine.disk / kind).mkdir()
    # So many that each kind of loss meets one of them, whatever the seed.
    data = {number: bytes([number + 1]) * 5 * PAGE for number in range(250)}
    synced = range(0, 250, 10)
    for number, bytes_ in data.items():
        if number in synced:
            fill(machine.disk / f"synced/{number}", bytes_, syncs=True)
        fill(machine.disk / f"not-synced/{number}", bytes_, syncs=False)
    for folder in ("synced", "not-synced", "."):
        sync_directory(machine.disk / folder)
    machine.cut()
    left = machine.image(1)
    found = [(left / f"not-synced/{number}").read_bytes() for number in data]
    for number in synced:
        assert (left / f"synced/{number}").read_bytes() == data[number]
    # Names were synced; sizes and pages are there or not, each by itself.
    assert any(found[number] == bytes_ for number, bytes_ in data.items())
    assert any(bytes_ == b"" for bytes_ in found)
    sized = [bytes_ for bytes_ in found if bytes_]
    assert any(not any(bytes_) for bytes_ in sized), "a file of zeros"
    assert any(any(bytes_) and bytes(PAGE) in pages(bytes_) for bytes_ in sized), "a torn file"
    assert all(page == bytes(PAGE) or len(set(page)) == 1 for b in sized for page in pages(b))


def pages(data: bytes) -> list[bytes]:
    return [data[start : start + PAGE] for start in range(0, len(data), PAGE)]


def test_the_disk_keeps_names_in_their_order(machine, seed):
    machine.boot(seed)
    for number in range(40):
        folder = machine.disk / f"folder-{number}"
        folder.mkdir()
        for name in ("first", "second", "third"):
            fill(folder / name, b"", syncs=True)
    sync_directory(machine.disk)
    machine.cut()
    left = {
        tuple(sorted(path.name for path in folder.iterdir()))
        for folder in machine.image(1).iterdir()
    }
    # A file's fsync is not that of its name.
    assert left == {(), ("first",), ("first", "second"), ("first", "second", "third")}


def test_the_disk_loses_unsynced_overwrites_of_synced_bytes(machine, seed):
    machine.boot(seed)
    for number in range(40):
        path = machine.disk / str(number)
        fill(path, b"o" * 3 * PAGE, syncs=True)
        with path.open("r+b") as file:
            file.write(b"n" * 3 * PAGE)
    sync_directory(machine.disk)
    machine.cut()
    left = {(machine.image(1) / str(number)).read_bytes() for number in range(40)}
    assert {b"o" * 3 * PAGE, b"n" * 3 * PAGE} < left
    assert all(len(data) == 3 * PAGE and not data.strip(b"on") for data in left)


def test_an_ordinary_end_keeps_everything(machine, seed):
    machine.boot(seed)
    fill(machine.disk / "file", b"not synced", syncs=False)
    machine.shut_down()
    assert (machine.image(1) / "file").read_bytes() == b"not synced"


def test_the_power_goes_after_so_many_changes(machine, seed):
    machine.boot(seed)
    fill(machine.disk / "before", b"", syncs=True)
    sync_directory(machine.disk)
    machine.cut_after(1)
    (machine.disk / "first").touch()
    with pytest.raises(OSError):
        (machine.disk / "second").touch()
    assert not machine.has_power()
    machine.cut()
    assert not (machine.image(1) / "second").exists()
    assert (machine.image(1) / "before").exists()
