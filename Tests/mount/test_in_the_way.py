"""What others commit to paths where something of ours stands that no commit takes."""

from __future__ import annotations

import json
import os

import pytest
from foreign import Repo

CONFLICT = 13
FILES = {
    "config.json": b'{"layers": 12}\n',
    "folder/one.txt": b"one\n",
    ".hubfsignore": b"*.log\nscratch/\n",
}
THEIRS = b"theirs\n"


@pytest.fixture
def repo(hub, import_repo, write_token) -> Repo:
    return Repo(hub, import_repo(FILES), write_token)


@pytest.fixture
def mount(repo, new_editable_mount):
    return new_editable_mount(f"hf://{repo.name}", "-w", "--commit", "manual")


def conflicts(mount) -> set[str]:
    status = json.loads(mount.run("status", "--json", mount.path).stdout)
    return {conflict["path"] for conflict in status["mounts"][0]["edits"]["conflicts"]}


def commit(mount, *options: object) -> int:
    return mount.run("commit", mount.path, *options, check=False).returncode


def again(mount) -> None:
    mount.run("umount", "--no-commit", mount.path)
    mount.wait()
    mount.restart()


def ignored_file(path) -> None:
    path.write_bytes(b"mine\n")


def link(path) -> None:
    path.symlink_to("config.json")


def empty_directory(path) -> None:
    path.mkdir()


def full_directory(path) -> None:
    path.mkdir()
    (path / "run.log").write_bytes(b"mine\n")


def is_ours(path, make) -> bool:
    if make is ignored_file:
        return not path.is_symlink() and path.read_bytes() == b"mine\n"
    if make is link:
        return path.is_symlink() and os.readlink(path) == "config.json"
    if make is full_directory:
        return (path / "run.log").read_bytes() == b"mine\n"
    return path.is_dir() and not path.is_symlink() and os.listdir(path) == []


KINDS = [ignored_file, link, empty_directory, full_directory]
each_kind = pytest.mark.parametrize("make", KINDS)


def cover(repo, mount, make, moves: str) -> bool:
    """Others commit `folder/x.log`, where ours stands. Returns whether the mount stands on theirs."""
    make(mount.path / "folder/x.log")
    repo.commit({"folder/x.log": THEIRS})
    if moves == "pull":
        assert mount.run("pull", mount.path, check=False).returncode == CONFLICT
        return False
    (mount.path / "config.json").write_bytes(b"mine\n")
    assert commit(mount) == 0
    return True


@each_kind
@pytest.mark.parametrize("moves", ["pull", "commit"])
def test_a_file_of_theirs_is_never_lost_and_never_hides_ours(repo, mount, make, moves):
    cover(repo, mount, make, moves)
    ours = mount.path / "folder/x.log"
    for _ in range(2):
        assert is_ours(ours, make)
        assert conflicts(mount) == {"folder/x.log"}
        (mount.path / "folder/one.txt").write_bytes(os.urandom(8))
        commit(mount)
        assert repo.text("folder/x.log") == "theirs\n"
        assert is_ours(ours, make)
        again(mount)


@each_kind
@pytest.mark.parametrize("moves", ["pull", "commit"])
def test_what_is_not_ignored_any_more_is_still_in_conflict(repo, mount, make, moves):
    cover(repo, mount, make, moves)
    (mount.path / ".hubfsignore").write_bytes(b"")
    # Links and empty directories are nothing that a commit could hold against theirs.
    assert commit(mount) == CONFLICT or make in (link, empty_directory)
    assert repo.text("folder/x.log") == "theirs\n"
    assert is_ours(mount.path / "folder/x.log", make)
    assert conflicts(mount) == {"folder/x.log"}


@each_kind
@pytest.mark.parametrize("moves", ["pull", "commit"])
def test_theirs_is_taken_and_ours_stays_beside(repo, mount, make, moves):
    cover(repo, mount, make, moves)
    mount.run("resolve", mount.path / "folder/x.log", "--theirs")
    for _ in range(2):
        assert (mount.path / "folder/x.log").read_bytes() == THEIRS
        assert is_ours(mount.path / "folder/x.log.hubfs-ours", make)
        assert conflicts(mount) == set()
        again(mount)
    commit(mount)
    assert repo.text("folder/x.log") == "theirs\n"
    assert (mount.path / "folder/x.log").read_bytes() == THEIRS


@each_kind
@pytest.mark.parametrize("moves", ["pull", "commit"])
def test_ours_wins_when_somebody_says_so(repo, mount, make, moves):
    cover(repo, mount, make, moves)
    mount.run("resolve", mount.path / "folder/x.log", "--ours")
    assert conflicts(mount) == set()
    for _ in range(2):
        assert commit(mount) == 0
        assert is_ours(mount.path / "folder/x.log", make)
        again(mount)
    if make is ignored_file:
        assert repo.text("folder/x.log") == "mine\n"
    elif make is link:
        assert repo.text("folder/x.log") == "theirs\n"
    else:
        assert "folder/x.log" not in repo.paths()


@each_kind
@pytest.mark.parametrize("moves", ["pull", "commit"])
def test_removing_ours_does_not_remove_theirs(repo, mount, make, moves):
    is_moved = cover(repo, mount, make, moves)
    ours = mount.path / "folder/x.log"
    if make is full_directory:
        (ours / "run.log").unlink()
    ours.rmdir() if make in (empty_directory, full_directory) else ours.unlink()
    assert commit(mount) == (CONFLICT if is_moved else 0)
    assert repo.text("folder/x.log") == "theirs\n"
    if is_moved:
        mount.run("resolve", mount.path, "--theirs")
    else:
        mount.run("pull", mount.path)
    assert ours.read_bytes() == THEIRS
    assert conflicts(mount) == set()


@pytest.mark.parametrize("moves", ["pull", "commit"])
@pytest.mark.parametrize("make", [empty_directory, full_directory], ids=["empty", "full"])
def test_a_directory_of_theirs_joins_one_of_ours(repo, mount, make, moves):
    for name in ("folder/new", "scratch"):
        make(mount.path / name)
    (mount.path / "config.json").write_bytes(b"mine\n")
    repo.commit({"folder/new/deep/t.txt": THEIRS, "scratch/t.txt": THEIRS})
    mount.run(moves, mount.path)
    for _ in range(2):
        for name in ("folder/new/deep/t.txt", "scratch/t.txt"):
            assert (mount.path / name).read_bytes() == THEIRS
        for name in ("folder/new/run.log", "scratch/run.log"):
            assert make is empty_directory or (mount.path / name).read_bytes() == b"mine\n"
        commit(mount)
        again(mount)
    assert repo.paths() == set(FILES) | {
        ".gitattributes", "folder/new/deep/t.txt", "scratch/t.txt"}


@pytest.mark.parametrize("make", [ignored_file, link], ids=["file", "link"])
@pytest.mark.parametrize("moves", ["pull", "commit"])
def test_a_directory_of_theirs_where_ours_is_none(repo, mount, make, moves):
    make(mount.path / "folder/x.log")
    repo.commit({"folder/x.log/deep/t.txt": THEIRS})
    (mount.path / "config.json").write_bytes(b"mine\n")
    assert mount.run(moves, mount.path, check=False).returncode == (
        CONFLICT if moves == "pull" else 0
    )
    for _ in range(2):
        assert is_ours(mount.path / "folder/x.log", make)
        assert conflicts(mount) == {"folder/x.log"}
        (mount.path / "folder/one.txt").write_bytes(os.urandom(8))
        commit(mount)
        assert repo.text("folder/x.log/deep/t.txt") == "theirs\n"
        again(mount)
    mount.run("resolve", mount.path / "folder/x.log", "--theirs")
    assert (mount.path / "folder/x.log/deep/t.txt").read_bytes() == THEIRS
    assert is_ours(mount.path / "folder/x.log.hubfs-ours", make)
    assert commit(mount) == 0
    assert repo.text("folder/x.log/deep/t.txt") == "theirs\n"


@pytest.mark.parametrize("make", [ignored_file, link], ids=["file", "link"])
@pytest.mark.parametrize("moves", ["pull", "commit"])
def test_theirs_in_an_ignored_directory_of_ours(repo, mount, make, moves):
    (mount.path / "scratch/deep").mkdir(parents=True)
    make(mount.path / "scratch/deep/same.txt")
    (mount.path / "scratch/deep/mine.txt").write_bytes(b"only mine\n")
    repo.commit({"scratch/deep/same.txt": THEIRS, "scratch/theirs.txt": THEIRS})
    (mount.path / "config.json").write_bytes(b"mine\n")
    mount.run(moves, mount.path, check=False)
    for _ in range(2):
        assert is_ours(mount.path / "scratch/deep/same.txt", make)
        assert conflicts(mount) == {"scratch/deep/same.txt"}
        (mount.path / "folder/one.txt").write_bytes(os.urandom(8))
        commit(mount)
        assert repo.text("scratch/deep/same.txt") == "theirs\n"
        assert "scratch/deep/mine.txt" not in repo.paths()
        again(mount)
    mount.run("resolve", mount.path / "scratch", "--theirs")
    assert (mount.path / "scratch/deep/same.txt").read_bytes() == THEIRS
    assert (mount.path / "scratch/theirs.txt").read_bytes() == THEIRS
    assert (mount.path / "scratch/deep/mine.txt").read_bytes() == b"only mine\n"
