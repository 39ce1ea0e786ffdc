"""Commits of more than 5,000 operations go in parts, each on top of the one before."""

from __future__ import annotations

import hashlib
import shutil
import signal

import pytest
from foreign import Repo, shown
from mounting import detach

COUNT = 5100
# The first folder loses all of its files in the first part, and stays here.
FILES = (
    {f"a/{number}.txt": b"a\n" for number in range(30)}
    | {f"d/{number}.txt": b"d\n" for number in range(COUNT)}
    | {f"e/{number}.txt": b"e\n" for number in range(40)}
    | {"config.json": b"{}\n", "moved/one.txt": b"one\n", "moved/two.txt": b"two\n"}
)
LEFT = {"d/7.txt", "d/4000.txt", "config.json", ".gitattributes"}
OPERATIONS = 5000


@pytest.fixture
def repo(hub, import_repo, write_token) -> Repo:
    return Repo(hub, import_repo(FILES), write_token)


@pytest.fixture
def mount(repo, new_editable_mount):
    return new_editable_mount(f"hf://{repo.name}", "-w", "--commit", "manual", start=False)


def remove(mount) -> None:
    """Removes nearly all files one by one; the folders stay."""
    for path in FILES:
        if path not in LEFT and not path.startswith("moved/"):
            (mount.path / path).unlink()


def changed(repo, commit: str) -> int:
    return len(repo.git("show", "--format=", "--name-only", "--no-renames", commit).split())


def test_files_deleted_one_by_one(repo, mount):
    mount.start(f"hf://{repo.name}", "-w", "--commit", "manual")
    remove(mount)
    before = len(repo.titles())
    done = mount.run("commit", mount.path, "-m", "Remove", timeout=200)
    assert f"{30 + COUNT + 40 - 2}" in done.stdout
    assert repo.titles()[:-before] == ["Remove (part 2)", "Remove (part 1)"]
    assert [changed(repo, "main"), changed(repo, "main^")] == [30 + COUNT + 40 - 2 - 5000, 5000]
    assert repo.paths() == LEFT | {"moved/one.txt", "moved/two.txt"} == shown(mount)
    assert sorted(path.name for path in mount.path.iterdir()) == [
        ".gitattributes", "a", "config.json", "d", "e", "moved"]
    assert "nothing to commit" in mount.run("commit", "--dry-run", mount.path).stdout
    assert mount.unmount() == 0
    mount.start(f"hf://{repo.name}", "-w", "--commit", "manual")
    assert shown(mount) == repo.paths() and list((mount.path / "a").iterdir()) == []


@pytest.mark.parametrize("point", ["settled:1", "planned:2", "posted:2"])
def test_a_series_that_dies_is_ended_by_the_next_commit(repo, mount, point):
    mount.environment["HUBFS_CRASH_AT"] = point
    mount.start(f"hf://{repo.name}", "-w", "--commit", "manual")
    remove(mount)
    (mount.path / "moved").rename(mount.path / "away")
    before = len(repo.titles())
    mount.run("commit", mount.path, check=False, timeout=200)
    assert mount.wait() == -signal.SIGKILL
    detach(mount.path)
    del mount.environment["HUBFS_CRASH_AT"]
    mount.start(f"hf://{repo.name}", "-w", "--commit", "manual")
    left = LEFT | {"away/one.txt", "away/two.txt"}
    assert shown(mount) == left
    mount.run("commit", mount.path, timeout=200)
    assert shown(mount) == repo.paths() == left
    # The moved files go first, then what is deleted.
    assert len(repo.titles()) - before == 3
    assert max(changed(repo, f"main~{number}") for number in range(3)) == OPERATIONS


def test_what_makes_room_goes_with_what_takes_it(repo, mount):
    mount.start(f"hf://{repo.name}", "-w", "--commit", "manual")
    remove(mount)
    shutil.rmtree(mount.path / "moved")
    (mount.path / "moved").write_bytes(b"a file\n")
    (mount.path / "config.json").unlink()
    (mount.path / "config.json").mkdir()
    (mount.path / "config.json/in.txt").write_bytes(b"in\n")
    mount.run("commit", mount.path, timeout=200)
    assert shown(mount) == repo.paths() == {
        ".gitattributes", "d/7.txt", "d/4000.txt", "moved", "config.json/in.txt"}
    assert repo.text("config.json/in.txt") == "in\n"


def test_folders_that_change_places(hub, import_repo, write_token, mount):
    """What one part makes of the old place does not show in the folder that came from there."""
    files = {f"d/{number}.bin": b"d%d" % number for number in range(OPERATIONS + 10)}
    files |= {f"e/{number}.bin": b"e%d" % number for number in range(40)}
    repo = Repo(hub, import_repo(files), write_token)
    mount.start(f"hf://{repo.name}", "-w", "--commit", "manual")
    (mount.path / "d").rename(mount.path / "x")
    (mount.path / "e").rename(mount.path / "d")
    (mount.path / "x").rename(mount.path / "e")
    mount.run("commit", mount.path, timeout=200)
    expected = {f"e/{number}.bin" for number in range(OPERATIONS + 10)}
    expected |= {f"d/{number}.bin" for number in range(40)} | {".gitattributes"}
    assert shown(mount) == repo.paths() == expected
    for path, data in (("e/4000.bin", b"d4000"), ("e/7.bin", b"d7"), ("d/7.bin", b"e7")):
        assert (mount.path / path).read_bytes() == data
        assert hashlib.sha256(data).hexdigest() in repo.text(path)
